/* Who may connect as an agent, under which name and with which token: rows of what it says and what comes of
 * it, with the memory store. */
#include <stdio.h>
#include <stdlib.h>

#include "cmocka_setup.h"
#include "core_setup.h"
#include "handler/core.h"
#include "store/store_memory.h"

#define JWT_KEY "0123456789abcdef0123456789abcdef"

struct world {
    struct tasks tasks;
    struct timers timers;
    struct store_memory *store;
    struct core *core;
    char token[1024];
    int status;
    char tunnel[64], reason[128];
};

static uint64_t now_ms(void *ctx) {
    (void)ctx;
    return 1700000000000;
}

static void agents_send(void *ctx, const struct link *link, struct view text, agent_sent_fn *done,
                        void *target, uint64_t ticket) {
    (void)ctx, (void)link, (void)text, (void)done, (void)target, (void)ticket;
}

static void agents_close(void *ctx, const struct link *link) {
    (void)ctx, (void)link;
}

static int make(void **state, bool asks_for_tokens) {
    static const struct view origins[] = {{"http://first.test", 17}, {"http://last.test", 16}};
    static const struct view names[] = {{"api", 3}, {"xn--ok", 6}};
    struct world *world = calloc(1, sizeof *world);
    tasks_init(&world->tasks, NULL, NULL);
    timers_init(&world->timers, now_ms, NULL, world);
    world->store = store_memory_new(&world->tasks, now_ms, world);
    struct agents agents = {.ctx = world, .send = agents_send, .close = agents_close};
    struct clock clock = {.ctx = world, .wall_ms = now_ms, .timers = &world->timers, .tasks = &world->tasks};
    struct ports ports = memory_ports(world->store, &agents, &clock);
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
    buf_init(&token, sizeof world->token);
    assert_true(jwt_issue(&settings.jwt, VIEW("alice"), 1700000000, 60, &token));
    assert_true(view_copy_to(buf_view(&token), world->token, sizeof world->token));
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
    view_copy_to(outcome->tunnel_id, world->tunnel, sizeof world->tunnel);
    snprintf(world->reason, sizeof world->reason, "%s", outcome->reason ? outcome->reason : "");
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
    core_disconnect(world->core, view_from_cstr(connection), NULL, NULL);
    while (tasks_run(&world->tasks)) continue;
    buf_done(&target);
    buf_done(&fields);
    arena_done(&arena);
}

static void check_rows(struct world *world, const struct row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        char connection[32];
        snprintf(connection, sizeof connection, "c%zu", i);
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
    check_rows(*state, rows, sizeof rows / sizeof rows[0]);
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
    check_rows(*state, rows, sizeof rows / sizeof rows[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_may_connect, set_up, tear_down),
        cmocka_unit_test_setup_teardown(whose_token_is_good, set_up_tokens, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
