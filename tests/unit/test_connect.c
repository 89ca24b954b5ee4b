/* Who may connect as an agent, under which name and with which token: rows of what it says and what comes of
 * it, with the memory store. */
#include <stdio.h>
#include <stdlib.h>

#include "cmocka_setup.h"
#include "core_setup.h"
#include "handler/core.h"
#include "metrics/metrics.h"
#include "store/store_memory.h"

#define JWT_KEY "0123456789abcdef0123456789abcdef"

/* Of the registry, what fails, or comes between. */
struct trouble {
    struct registry registry; /* the real one */
    enum status lookup, store;
    unsigned conflicts; /* so many writes are too late */
    bool names_reserved;
    bool denied_when_written;
    struct task task;
    registry_claim_fn *claim_done;
    registry_done_fn *done;
    enum status status;
    void *target;
    uint64_t ticket;
};

struct world {
    struct tasks tasks;
    struct timers timers;
    struct store_memory *store;
    struct core *core;
    char token[1024];
    int status;
    char tunnel[64], reason[128];
    struct trouble trouble;
    struct claim written; /* the last claim that was */
    struct agents agents;
    struct clock clock;
    char resume[1024]; /* the last resume token that an agent got */
};

static uint64_t now_ms(void *ctx) {
    (void)ctx;
    return 1700000000000;
}

static void agents_send(void *ctx, const struct link *link, struct view text, agent_sent_fn *done,
                        void *target, uint64_t ticket) {
    struct world *world = ctx;
    enum status status;
    struct v1_message *message = v1_message_parse(text, 4096, &status);
    (void)link, (void)done, (void)target, (void)ticket;
    assert_non_null(message);
    if (message->resume.len) view_copy_to(message->resume, world->resume, sizeof(world->resume));
    v1_message_free(message);
}

static void agents_close(void *ctx, const struct link *link) {
    (void)ctx, (void)link;
}

/* ---- a registry in trouble ---- */

static struct trouble *trouble; /* the store's context is its own */
static struct world *writing;

static void on_trouble(struct task *task) {
    struct trouble *of = LIST_ENTRY(task, struct trouble, task);
    if (of->claim_done)
        of->claim_done(of->target, of->ticket, of->status, NULL, (struct view){0});
    else
        of->done(of->target, of->ticket, of->status);
}

static void fail_later(enum status status, registry_claim_fn *claim_done, registry_done_fn *done,
                       void *target, uint64_t ticket) {
    trouble->status = status;
    trouble->claim_done = claim_done;
    trouble->done = done;
    trouble->target = target;
    trouble->ticket = ticket;
    tasks_post(&writing->tasks, &trouble->task);
}

static void lookup(void *ctx, struct view id, registry_claim_fn *done, void *target, uint64_t ticket) {
    if (trouble->lookup == STATUS_OK)
        trouble->registry.lookup(ctx, id, done, target, ticket);
    else
        fail_later(trouble->lookup, done, NULL, target, ticket);
}

static void store(void *ctx, const struct claim_write *write, registry_done_fn *done, void *target,
                  uint64_t ticket) {
    writing->written = *write->claim;
    if (trouble->conflicts > 0 && trouble->conflicts--)
        fail_later(STATUS_CONFLICT, NULL, done, target, ticket);
    else if (trouble->store != STATUS_OK)
        fail_later(trouble->store, NULL, done, target, ticket);
    else
        trouble->registry.store(ctx, write, done, target, ticket);
}

static bool names_reserved(void *ctx) {
    (void)ctx;
    return trouble->names_reserved;
}

static const char *why_denied(void *ctx, const struct applicant *applicant) {
    (void)ctx, (void)applicant;
    return trouble->denied_when_written && writing->written.epoch ? "blocked" : NULL;
}

static void random_bytes(void *out, size_t len) {
    for (size_t i = 0; i < len; i++) ((unsigned char *)out)[i] = (unsigned char)(0x0f + 0x11 * i);
}

static struct ports ports_of(struct world *world) {
    struct ports ports = memory_ports(world->store, &world->agents, &world->clock);
    trouble = &world->trouble;
    writing = world;
    task_init(&trouble->task, on_trouble);
    trouble->registry = ports.registry;
    ports.registry.lookup = lookup;
    ports.registry.store = store;
    ports.registry.names_reserved = names_reserved;
    ports.ids.random = random_bytes;
    ports.denials.why = why_denied;
    return ports;
}

/* ---- the world ---- */

static int make(void **state, bool asks_for_tokens) {
    static const struct view origins[] = {{"http://first.test", 17}, {"http://last.test", 16}};
    static const struct view names[] = {{"api", 3}, {"xn--ok", 6}};
    struct world *world = calloc(1, sizeof(*world));
    tasks_init(&world->tasks, NULL, NULL);
    timers_init(&world->timers, now_ms, NULL, world);
    world->store = store_memory_new(&world->tasks, now_ms, world);
    world->agents = (struct agents){.ctx = world, .send = agents_send, .close = agents_close};
    world->clock =
        (struct clock){.ctx = world, .wall_ms = now_ms, .timers = &world->timers, .tasks = &world->tasks};
    struct ports ports = ports_of(world);
    struct core_settings settings;
    settings_of_localhost(&settings);
    settings.jwt.secret = VIEW(JWT_KEY);
    settings.require_auth = asks_for_tokens;
    settings.allowed_origins = origins;
    settings.allowed_origins_count = 2;
    settings.guards_names = true;
    settings.allowed_names = names;
    settings.allowed_names_count = 2;
    world->core = core_new(&settings, &ports);
    store_memory_listen(world->store, core_store_events(world->core));
    struct buf token;
    buf_init(&token, sizeof(world->token));
    assert_true(jwt_issue(&settings.jwt, VIEW("alice"), 1700000000, 60, &token));
    assert_true(view_copy_to(buf_view(&token), world->token, sizeof(world->token)));
    buf_done(&token);
    *state = world;
    return 0;
}

static int set_up(void **state) {
    return make(state, false);
}

static int set_up_tokens(void **state) {
    return make(state, true);
}

static int tear_down(void **state) {
    struct world *world = *state;
    store_memory_free(world->store);
    core_free(world->core);
    timers_done(&world->timers);
    free(world);
    return 0;
}

static void on_connected(void *ctx, const struct connect_outcome *outcome) {
    struct world *world = ctx;
    world->status = outcome->status;
    view_copy_to(outcome->tunnel_id, world->tunnel, sizeof(world->tunnel));
    snprintf(world->reason, sizeof(world->reason), "%s", outcome->reason ? outcome->reason : "");
}

/* Each attempt counts once, as what it came to. */
static uint64_t counted[METRIC_OUTCOME_COUNT];

static void assert_counted(int status) {
    static const int statuses[METRIC_OUTCOME_COUNT] = {
        [METRIC_OUTCOME_ACCEPTED] = 200,     [METRIC_OUTCOME_MALFORMED] = 400,
        [METRIC_OUTCOME_UNAUTHORIZED] = 401, [METRIC_OUTCOME_FORBIDDEN] = 403,
        [METRIC_OUTCOME_NAME_TAKEN] = 409,   [METRIC_OUTCOME_UNAVAILABLE] = 503};
    for (size_t i = 0; i < METRIC_OUTCOME_COUNT; i++) {
        uint64_t now = metrics_slots[METRIC_AGENT_CONNECTS + i];
        assert_int_equal(now - counted[i], statuses[i] == status);
        counted[i] = now;
    }
}

struct row {
    const char *name, *target, *fields; /* "name:value|name:value"; '%' stands for a good token */
    int status;
    const char *says; /* the tunnel's name, or what the reason has in it; NULL: anything */
};

static void fill(struct buf *out, const char *format, const char *token) {
    buf_init(out, 4096);
    for (const char *at = format; *at; at++)
        if (*at == '%')
            buf_append_view(out, view_from_cstr(token));
        else
            buf_append_byte(out, *at);
}

static void check(struct world *world, const struct row *row, const char *connection) {
    struct arena arena;
    struct headers headers;
    struct buf target, fields;
    arena_init(&arena, 65536);
    headers_init(&headers, &arena);
    fill(&target, row->target ? row->target : "/", world->token);
    fill(&fields, row->fields ? row->fields : "", world->token);
    struct view rest = buf_view(&fields), field;
    while (rest.len && view_split(&rest, '|', &field)) {
        size_t colon = view_find(field, ':');
        headers_add(&headers, view_slice(field, 0, colon), view_skip(field, colon + 1));
    }
    struct connect_event event = {
        .connection_id = view_from_cstr(connection), .target = buf_view(&target), .headers = &headers};
    world->status = 0;
    core_connect(world->core, &event, on_connected, world);
    while (tasks_run(&world->tasks)) continue;
    const char *heard = row->status == 200 ? world->tunnel : world->reason;
    if (world->status != row->status || (row->says && !strstr(heard, row->says)))
        fail_msg("%s: %d %s", row->name, world->status, heard);
    assert_counted(row->status);
    core_disconnect(world->core, view_from_cstr(connection), NULL, NULL);
    while (tasks_run(&world->tasks)) continue;
    buf_done(&target);
    buf_done(&fields);
    arena_done(&arena);
}

static void check_rows(struct world *world, const struct row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        char connection[32];
        snprintf(connection, sizeof(connection), "c%zu", i);
        check(world, &rows[i], connection);
    }
}

static void who_may_connect(void **state) {
    static const struct row rows[] = {
        {"nameless", NULL, NULL, 200, NULL},
        {"a name", "/?name=app", NULL, 200, "app"},
        {"a name in a field", "/?name=other", "x-tunnel-name: app-2 ", 200, "app-2"},
        {"no name", "/?name=-a-", NULL, 400, "3 to 63"},
        {"a short name", "/?name=ab", NULL, 400, "3 to 63"},
        {"an empty name", "/?name=", NULL, 200, NULL},
        {"no target that we know", "x?name=app", NULL, 200, NULL},
        {"a guarded name", "/?name=www", NULL, 403, "allowed-names"},
        {"the last of them", "/?name=localhost", NULL, 403, "allowed-names"},
        {"one that is allowed", "/?name=api", NULL, 200, "api"},
        {"a name that may look like another", "/?name=xn--a", NULL, 403, "allowed-names"},
        {"one that is allowed, too", "/?name=xn--ok", NULL, 200, "xn--ok"},
        {"one that only begins so", "/?name=xn-a", NULL, 200, "xn-a"},
        {"the first origin", NULL, "origin:http://first.test", 200, NULL},
        {"the last origin", NULL, "origin:http://last.test", 200, NULL},
        {"another origin", NULL, "origin:http://first.test.evil", 403, "Origin"},
        {"a token is not looked at", "/?token=x", "authorization:Basic x", 200, NULL},
    };
    check_rows(*state, rows, sizeof(rows) / sizeof(rows[0]));
}

static void whose_token_is_good(void **state) {
    static const struct row rows[] = {
        {"none", "/?name=app", NULL, 401, "is needed"},
        {"in the query", "/?name=app&token=%", NULL, 200, "app"},
        {"in a field", "/?name=app", "authorization:Bearer %", 200, "app"},
        {"in capitals and with blanks", "/?name=app", "authorization:BEARER   % ", 200, "app"},
        {"the field counts", "/?name=app&token=%", "authorization:Bearer x", 401, NULL},
        {"an empty field", "/?name=app&token=%", "authorization:Bearer ", 401, "is needed"},
        {"of another kind", "/?name=app&token=%", "authorization:Basic %", 401, "not a Bearer"},
        {"two fields", "/?name=app", "authorization:Bearer %|authorization:Bearer %", 401, "more than one"},
        {"a bad one", "/?name=app&token=%x", NULL, 401, NULL},
    };
    check_rows(*state, rows, sizeof(rows) / sizeof(rows[0]));
}

/* ---- what is written, and what comes between ---- */

static void settle(struct world *world) {
    while (tasks_run(&world->tasks)) continue;
}

static int connects(struct world *world, const char *connection, const char *target, const char *gateway) {
    struct header field = {VIEW("x-tunnel-resume"), view_from_cstr(world->resume)};
    struct headers headers = {.fields = &field, .count = world->resume[0] ? 1 : 0};
    struct connect_event event = {.connection_id = view_from_cstr(connection),
                                  .gateway = view_from_cstr(gateway),
                                  .target = view_from_cstr(target),
                                  .headers = &headers};
    world->status = 0;
    core_connect(world->core, &event, on_connected, world);
    assert_int_equal(world->status, 0);
    settle(world);
    assert_counted(world->status);
    return world->status;
}

static void assert_reason(const struct world *world, const char *words) {
    if (!strstr(world->reason, words)) fail_msg("%s", world->reason);
}

static void is_ready(struct world *world, const char *connection) {
    core_message(world->core, view_from_cstr(connection),
                 VIEW("{\"type\":\"ready\",\"capabilities\":[\"resume\"]}"), NULL, NULL);
    settle(world);
    assert_true(world->resume[0]);
}

/* The same claims, as if this gateway had been started again; with none, as if the store had lost them. */
static void start_again(struct world *world, bool is_store_lost, bool has_secret) {
    struct core_settings settings;
    settings_of_localhost(&settings);
    if (!has_secret) settings.resume_secret = (struct view){0};
    core_free(world->core);
    if (is_store_lost) {
        store_memory_free(world->store);
        world->store = store_memory_new(&world->tasks, now_ms, world);
    }
    struct ports ports = ports_of(world);
    world->core = core_new(&settings, &ports);
    store_memory_listen(world->store, core_store_events(world->core));
}

static void a_claim_is_written(void **state) {
    struct world *world = *state;
    assert_int_equal(connects(world, "one", "/?name=app", "wss://a.test"), 200);
    const struct claim *claim = &world->written;
    assert_string_equal(claim->tunnel_id, "app");
    assert_string_equal(claim->owner, "anon:0f2031425364758697a8b9cadbecfd0e");
    assert_int_equal(claim->epoch, 1);
    assert_int_equal(claim->member.epoch, 1);
    assert_int_equal(claim->member.state, CLAIM_CONNECTING);
    assert_int_equal(claim->member.changed_ms, 1700000000000);
    assert_true(claim->expires_ms == UINT64_MAX);
    assert_string_equal(claim->member.link.connection, "one");
    assert_string_equal(claim->member.link.gateway, "wss://a.test");
    is_ready(world, "one");
    assert_int_equal(connects(world, "two", "/", ""), 200);
    assert_int_equal(claim->epoch, 2);
    assert_int_equal(claim->member.epoch, 2);
}

/* A token tells a store that has lost the claim how far its epochs had come. */
static void a_lost_claim_goes_on_where_it_was(void **state) {
    struct world *world = *state;
    assert_int_equal(connects(world, "one", "/?name=app", ""), 200);
    is_ready(world, "one");
    assert_int_equal(connects(world, "two", "/", ""), 200);
    is_ready(world, "two"); /* of epoch 2 */
    start_again(world, true, true);
    assert_int_equal(connects(world, "three", "/", ""), 200);
    assert_string_equal(world->tunnel, "app");
    assert_int_equal(world->written.epoch, 3);
    start_again(world, true, false); /* nobody can check it */
    assert_int_equal(connects(world, "four", "/", ""), 200);
    assert_string_not_equal(world->tunnel, "app");
    assert_int_equal(world->written.epoch, 1);
}

static void what_is_another_ones_meanwhile_is_not_given(void **state) {
    struct world *world = *state;
    assert_int_equal(connects(world, "one", "/?name=app", ""), 200);
    is_ready(world, "one");
    start_again(world, true, true);
    char resume[1024];
    strcpy(resume, world->resume);
    world->resume[0] = '\0';
    core_free(world->core);
    struct core_settings settings;
    settings_of_localhost(&settings);
    settings.require_auth = true;
    settings.jwt.secret = VIEW(JWT_KEY);
    struct ports ports = ports_of(world);
    world->core = core_new(&settings, &ports);
    store_memory_listen(world->store, core_store_events(world->core));
    char target[1200];
    snprintf(target, sizeof(target), "/?name=app&token=%s", world->token);
    assert_int_equal(connects(world, "two", target, ""), 200);
    assert_string_equal(world->written.owner, "sub:alice");
    start_again(world, false, true);
    strcpy(world->resume, resume);
    assert_int_equal(connects(world, "three", "/?name=app", ""), 409);
    assert_reason(world, "taken");
    assert_int_equal(connects(world, "three", "/", ""), 200); /* a tunnel of its own */
    assert_string_not_equal(world->tunnel, "app");
}

static void a_race_that_is_lost_is_run_again(void **state) {
    struct world *world = *state;
    world->trouble.conflicts = 7;
    assert_int_equal(connects(world, "one", "/?name=app", ""), 200);
    assert_int_equal(world->trouble.conflicts, 0);
    world->trouble.conflicts = 8;
    assert_int_equal(connects(world, "two", "/?name=other", ""), 503);
    assert_reason(world, "at once");
    assert_int_equal(world->trouble.conflicts, 0);
}

static void a_registry_that_is_away_is_told_of(void **state) {
    struct world *world = *state;
    world->trouble.lookup = STATUS_UNAVAILABLE;
    assert_int_equal(connects(world, "one", "/?name=app", ""), 503);
    assert_reason(world, "cannot be reached");
    world->trouble.names_reserved = true;
    assert_int_equal(connects(world, "one", "/?name=app", ""), 503);
    assert_reason(world, "cannot be reached");
    world->trouble.names_reserved = false;
    world->trouble.lookup = STATUS_OK;
    world->trouble.store = STATUS_UNAVAILABLE;
    assert_int_equal(connects(world, "one", "/?name=app", ""), 503);
    assert_reason(world, "cannot be reached");
}

static void who_is_denied_while_the_claim_is_written_stays_out(void **state) {
    struct world *world = *state;
    world->trouble.denied_when_written = true;
    assert_int_equal(connects(world, "one", "/?name=app", ""), 403);
    assert_reason(world, "blocked");
    assert_int_equal(world->written.member.state, CLAIM_OFFLINE);
    world->trouble.denied_when_written = false;
    assert_int_equal(connects(world, "two", "/?name=app", ""), 200);
}

static void reserved_names_are_for_who_can_prove_them(void **state) {
    struct world *world = *state;
    assert_int_equal(connects(world, "one", "/?name=app", ""), 200);
    is_ready(world, "one");
    start_again(world, true, true);
    world->trouble.names_reserved = true;
    assert_int_equal(connects(world, "two", "/?name=other", ""), 503);
    assert_reason(world, "given back");
    assert_int_equal(connects(world, "two", "/?name=app", ""), 200);
    assert_string_equal(world->tunnel, "app");
    world->resume[0] = '\0';
    assert_int_equal(connects(world, "three", "/", ""), 200); /* nobody's */
}

static void ids_have_a_bound(void **state) {
    struct world *world = *state;
    char id[GATEWAY_MAX + 2];
    memset(id, 'i', sizeof(id));
    id[CONNECTION_ID_MAX] = '\0';
    assert_int_equal(connects(world, id, "/", ""), 200);
    id[CONNECTION_ID_MAX] = 'i';
    id[CONNECTION_ID_MAX + 1] = '\0';
    assert_int_equal(connects(world, id, "/", ""), 400);
    id[CONNECTION_ID_MAX + 1] = 'i';
    id[GATEWAY_MAX] = '\0';
    assert_int_equal(connects(world, "one", "/", id), 200);
    id[GATEWAY_MAX] = 'i';
    id[GATEWAY_MAX + 1] = '\0';
    assert_int_equal(connects(world, "two", "/", id), 400);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_may_connect, set_up, tear_down),
        cmocka_unit_test_setup_teardown(whose_token_is_good, set_up_tokens, tear_down),
        cmocka_unit_test_setup_teardown(a_claim_is_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lost_claim_goes_on_where_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_another_ones_meanwhile_is_not_given, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_race_that_is_lost_is_run_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_registry_that_is_away_is_told_of, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_is_denied_while_the_claim_is_written_stays_out, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(reserved_names_are_for_who_can_prove_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ids_have_a_bound, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
