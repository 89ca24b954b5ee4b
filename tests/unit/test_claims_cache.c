/* The cache of claims, over a store in memory that can be away, and can lose everything. */
#include <stdlib.h>

#include "cluster/claims_cache.h"
#include "cmocka_setup.h"
#include "store/store_memory.h"

#define HERE "ws://here:1"
#define THERE "ws://there:2"
#define ANY_STATE (CLAIM_CONNECTING | CLAIM_READY | CLAIM_OFFLINE)

struct scene {
    struct tasks tasks;
    struct store_memory *store;
    struct registry real; /* what others use */
    struct claims_cache *cache;
    struct registry registry; /* ours, through the cache */
    bool away;
    unsigned lookups, stores; /* that came to the store */

    unsigned completions, changed, gone, missed, replaced;
    enum status status;
    struct claim claim;
    char options[CLAIM_OPTIONS_MAX + 1];
    char replaced_connection[CONNECTION_ID_MAX + 1];
};

static uint64_t wall_ms(void *ctx) {
    (void)ctx;
    return 1000000;
}

/* ---- the store, which may be away ---- */

struct failing {
    struct task task;
    registry_done_fn *done;
    registry_claim_fn *claim;
    void *target;
    uint64_t ticket;
};

static void on_failing(struct task *task) {
    struct failing *failing = LIST_ENTRY(task, struct failing, task);
    if (failing->done) failing->done(failing->target, failing->ticket, STATUS_UNAVAILABLE);
    if (failing->claim) failing->claim(failing->target, failing->ticket, STATUS_UNAVAILABLE, NULL, VIEW(""));
    free(failing);
}

static void be_away(struct scene *scene, registry_done_fn *done, registry_claim_fn *claim, void *target,
                    uint64_t ticket) {
    struct failing *failing = calloc(1, sizeof(*failing));
    *failing = (struct failing){.done = done, .claim = claim, .target = target, .ticket = ticket};
    task_init(&failing->task, on_failing);
    tasks_post(&scene->tasks, &failing->task);
}

static void flaky_lookup(void *ctx, struct view id, registry_claim_fn *done, void *target, uint64_t ticket) {
    struct scene *scene = ctx;
    scene->lookups++;
    if (scene->away)
        be_away(scene, NULL, done, target, ticket);
    else
        scene->real.lookup(scene->real.ctx, id, done, target, ticket);
}

static void flaky_lookup_connection(void *ctx, struct view id, registry_claim_fn *done, void *target,
                                    uint64_t ticket) {
    struct scene *scene = ctx;
    if (scene->away)
        be_away(scene, NULL, done, target, ticket);
    else
        scene->real.lookup_connection(scene->real.ctx, id, done, target, ticket);
}

static void flaky_store(void *ctx, const struct claim_write *write, registry_done_fn *done, void *target,
                        uint64_t ticket) {
    struct scene *scene = ctx;
    scene->stores++;
    if (scene->away)
        be_away(scene, done, NULL, target, ticket);
    else
        scene->real.store(scene->real.ctx, write, done, target, ticket);
}

static void flaky_remove(void *ctx, struct view id, registry_done_fn *done, void *target, uint64_t ticket) {
    struct scene *scene = ctx;
    if (scene->away)
        be_away(scene, done, NULL, target, ticket);
    else
        scene->real.remove_connection(scene->real.ctx, id, done, target, ticket);
}

/* ---- what the core would hear ---- */

static void on_changed(void *ctx, struct view tunnel_id) {
    (void)tunnel_id;
    ((struct scene *)ctx)->changed++;
}

static void on_gone(void *ctx, struct view connection_id) {
    (void)connection_id;
    ((struct scene *)ctx)->gone++;
}

static void on_replaced(void *ctx, const struct link *link) {
    struct scene *scene = ctx;
    scene->replaced++;
    strcpy(scene->replaced_connection, link->connection);
}

static void on_missed(void *ctx) {
    ((struct scene *)ctx)->missed++;
}

static void work(struct scene *scene) {
    while (tasks_run(&scene->tasks)) continue;
}

static void new_store(struct scene *scene) {
    store_memory_free(scene->store);
    scene->store = store_memory_new(&scene->tasks, wall_ms, NULL);
    scene->real = store_memory_registry(scene->store);
    store_memory_listen(scene->store, claims_cache_store_events(scene->cache));
}

static int set_up(void **state) {
    struct scene *scene = calloc(1, sizeof(*scene));
    tasks_init(&scene->tasks, NULL, NULL);
    struct claims_cache_settings settings = {.inner = {.ctx = scene,
                                                       .lookup = flaky_lookup,
                                                       .lookup_connection = flaky_lookup_connection,
                                                       .store = flaky_store,
                                                       .remove_connection = flaky_remove},
                                             .gateway = HERE,
                                             .tasks = &scene->tasks,
                                             .wall_ms = wall_ms,
                                             .remembered_max = 2,
                                             .remember_ms = 30000};
    scene->cache = claims_cache_new(&settings);
    scene->registry = claims_cache_registry(scene->cache);
    claims_cache_listen(scene->cache, (struct store_events){.ctx = scene,
                                                            .claim_changed = on_changed,
                                                            .connection_gone = on_gone,
                                                            .connection_replaced = on_replaced,
                                                            .missed = on_missed});
    new_store(scene);
    *state = scene;
    return 0;
}

static int tear_down(void **state) {
    struct scene *scene = *state;
    claims_cache_free(scene->cache);
    store_memory_free(scene->store);
    free(scene);
    return 0;
}

/* ---- calls ---- */

static void on_done(void *target, uint64_t ticket, enum status status) {
    struct scene *scene = target;
    assert_int_equal(ticket, 7);
    scene->completions++;
    scene->status = status;
}

static void on_claim(void *target, uint64_t ticket, enum status status, const struct claim *claim,
                     struct view options) {
    on_done(target, ticket, status);
    struct scene *scene = target;
    if (claim) scene->claim = *claim;
    view_copy_to(options, scene->options, sizeof(scene->options));
}

static enum status settle(struct scene *scene) {
    assert_int_equal(scene->completions, 0);
    work(scene);
    assert_int_equal(scene->completions, 1);
    scene->completions = 0;
    return scene->status;
}

static enum status lookup(struct scene *scene, const struct registry *registry, const char *tunnel_id) {
    registry->lookup(registry->ctx, view_from_cstr(tunnel_id), on_claim, scene, 7);
    return settle(scene);
}

static enum status store(struct scene *scene, const struct registry *registry, const struct claim *claim,
                         uint64_t epoch) {
    struct claim_write write = {.claim = claim, .expected_epoch = epoch, .expected_states = ANY_STATE};
    registry->store(registry->ctx, &write, on_done, scene, 7);
    return settle(scene);
}

static enum status remove_connection(struct scene *scene, const char *id) {
    scene->registry.remove_connection(scene->registry.ctx, view_from_cstr(id), on_done, scene, 7);
    return settle(scene);
}

static struct claim a_claim(const char *tunnel_id, const char *gateway, const char *connection,
                            uint64_t epoch) {
    struct claim claim = {
        .epoch = epoch, .member = {.epoch = epoch, .state = CLAIM_READY}, .expires_ms = UINT64_MAX};
    strcpy(claim.tunnel_id, tunnel_id);
    strcpy(claim.owner, "anon:0123");
    strcpy(claim.member.link.connection, connection);
    strcpy(claim.member.link.gateway, gateway);
    return claim;
}

static struct claim held(struct scene *scene, const char *tunnel_id, const char *connection) {
    struct claim claim = a_claim(tunnel_id, HERE, connection, 1);
    assert_int_equal(store(scene, &scene->registry, &claim, 0), STATUS_OK);
    scene->lookups = scene->stores = scene->changed = 0;
    return claim;
}

/* ---- tests ---- */

static void what_is_held_here_costs_the_store_nothing(void **state) {
    struct scene *scene = *state;
    held(scene, "tunnel", "one");
    for (int i = 0; i < 3; i++) assert_int_equal(lookup(scene, &scene->registry, "tunnel"), STATUS_OK);
    assert_string_equal(scene->claim.member.link.connection, "one");
    scene->registry.lookup_connection(scene->registry.ctx, VIEW("one"), on_claim, scene, 7);
    assert_int_equal(settle(scene), STATUS_OK);
    assert_int_equal(scene->lookups, 0);
    assert_true(claims_cache_serves(scene->cache, VIEW("one")));
    scene->away = true;
    assert_int_equal(lookup(scene, &scene->registry, "tunnel"), STATUS_OK);
    assert_int_equal(lookup(scene, &scene->registry, "other"), STATUS_UNAVAILABLE);
}

static void what_others_hold_is_remembered_until_it_changes(void **state) {
    struct scene *scene = *state;
    struct claim claim = a_claim("tunnel", THERE, "one", 1);
    assert_int_equal(store(scene, &scene->real, &claim, 0), STATUS_OK);
    for (int i = 0; i < 3; i++) assert_int_equal(lookup(scene, &scene->registry, "tunnel"), STATUS_OK);
    assert_int_equal(scene->lookups, 1);
    struct claim next = a_claim("tunnel", THERE, "two", 2);
    assert_int_equal(store(scene, &scene->real, &next, 1), STATUS_OK);
    assert_int_equal(lookup(scene, &scene->registry, "tunnel"), STATUS_OK);
    assert_string_equal(scene->claim.member.link.connection, "two");
    assert_int_equal(scene->lookups, 2);
}

static void only_so_many_are_remembered(void **state) {
    struct scene *scene = *state;
    static const char *const names[] = {"aaa", "bbb", "ccc"};
    for (int i = 0; i < 3; i++) {
        struct claim claim = a_claim(names[i], THERE, names[i], 1);
        assert_int_equal(store(scene, &scene->real, &claim, 0), STATUS_OK);
        assert_int_equal(lookup(scene, &scene->registry, names[i]), STATUS_OK);
    }
    assert_int_equal(claims_cache_remembered(scene->cache), 2);
}

static void an_answer_older_than_what_was_heard_is_not_believed(void **state) {
    struct scene *scene = *state;
    struct claim one = a_claim("tunnel", THERE, "one", 1), two = a_claim("tunnel", THERE, "two", 2);
    assert_int_equal(store(scene, &scene->real, &one, 0), STATUS_OK);
    scene->registry.lookup(scene->registry.ctx, VIEW("tunnel"), on_claim, scene, 7);
    struct claim_write write = {.claim = &two, .expected_epoch = 1, .expected_states = ANY_STATE};
    scene->real.store(scene->real.ctx, &write, NULL, NULL, 0); /* told before the answer is */
    struct store_events events = claims_cache_store_events(scene->cache);
    events.claim_changed(events.ctx, VIEW("tunnel"));
    assert_int_equal(settle(scene), STATUS_OK);
    assert_string_equal(scene->claim.member.link.connection, "two");
}

static void a_deaf_cache_asks_the_store_while_it_answers(void **state) {
    struct scene *scene = *state;
    struct claim claim = a_claim("tunnel", THERE, "one", 1);
    assert_int_equal(store(scene, &scene->real, &claim, 0), STATUS_OK);
    assert_int_equal(lookup(scene, &scene->registry, "tunnel"), STATUS_OK);
    claims_cache_deaf(scene->cache);
    assert_int_equal(lookup(scene, &scene->registry, "tunnel"), STATUS_OK);
    assert_int_equal(scene->lookups, 2);
    scene->away = true;
    assert_int_equal(lookup(scene, &scene->registry, "tunnel"), STATUS_OK); /* better than nothing */
    scene->away = false;
    struct store_events events = claims_cache_store_events(scene->cache);
    events.missed(events.ctx);
    assert_int_equal(scene->missed, 1);
    assert_int_equal(claims_cache_remembered(scene->cache), 0);
}

static void a_store_that_lost_everything_is_told_again(void **state) {
    struct scene *scene = *state;
    for (char name[] = "tunnel0"; name[6] < '9'; name[6]++) held(scene, name, name);
    new_store(scene);
    assert_int_equal(lookup(scene, &scene->real, "tunnel0"), STATUS_NOT_FOUND);
    struct store_events events = claims_cache_store_events(scene->cache);
    events.missed(events.ctx);
    work(scene);
    for (char name[] = "tunnel0"; name[6] < '9'; name[6]++) {
        assert_int_equal(lookup(scene, &scene->real, name), STATUS_OK);
        assert_string_equal(scene->claim.member.link.connection, name);
        assert_int_equal(scene->claim.member.state, CLAIM_READY);
    }
    assert_int_equal(scene->replaced, 0);
}

static void a_store_set_back_to_an_earlier_time_is_put_right(void **state) {
    struct scene *scene = *state;
    struct claim claim = a_claim("tunnel", HERE, "new", 5), earlier = a_claim("tunnel", THERE, "old", 3);
    assert_int_equal(store(scene, &scene->registry, &claim, 0), STATUS_OK);
    new_store(scene);
    assert_int_equal(store(scene, &scene->real, &earlier, 0), STATUS_OK);
    work(scene);
    assert_int_equal(lookup(scene, &scene->real, "tunnel"), STATUS_OK);
    assert_string_equal(scene->claim.member.link.connection, "new");
    assert_int_equal(scene->replaced, 0);
}

static void an_agent_that_goes_while_the_store_is_away(void **state) {
    struct scene *scene = *state;
    struct claim claim = held(scene, "tunnel", "one");
    scene->away = true;
    claim.member.state = CLAIM_OFFLINE;
    assert_int_equal(store(scene, &scene->registry, &claim, 1), STATUS_OK);
    assert_int_equal(remove_connection(scene, "one"), STATUS_OK);
    assert_int_equal(lookup(scene, &scene->registry, "tunnel"), STATUS_OK);
    assert_int_equal(scene->claim.member.state, CLAIM_OFFLINE);
    assert_false(claims_cache_serves(scene->cache, VIEW("one")));
    scene->away = false;
    assert_int_equal(lookup(scene, &scene->real, "tunnel"), STATUS_OK);
    assert_int_equal(scene->claim.member.state, CLAIM_READY); /* it does not know yet */
    struct store_events events = claims_cache_store_events(scene->cache);
    events.missed(events.ctx);
    work(scene);
    assert_int_equal(lookup(scene, &scene->real, "tunnel"), STATUS_OK);
    assert_int_equal(scene->claim.member.state, CLAIM_OFFLINE);
    assert_int_equal(claims_cache_held(scene->cache), 0);
    assert_int_equal(store_memory_connections(scene->store), 0);
}

static void a_claim_that_moved_to_another_gateway(void **state) {
    struct scene *scene = *state;
    held(scene, "tunnel", "one");
    struct claim elsewhere = a_claim("tunnel", THERE, "two", 2);
    assert_int_equal(store(scene, &scene->real, &elsewhere, 1), STATUS_OK);
    work(scene);
    assert_int_equal(scene->replaced, 1);
    assert_string_equal(scene->replaced_connection, "one");
    assert_true(claims_cache_holds(scene->cache, VIEW("one")));
    assert_false(claims_cache_serves(scene->cache, VIEW("one")));
    assert_int_equal(lookup(scene, &scene->registry, "tunnel"), STATUS_OK);
    assert_string_equal(scene->claim.member.link.connection, "two");
    assert_int_equal(remove_connection(scene, "one"), STATUS_OK);
    assert_int_equal(claims_cache_held(scene->cache), 0);
}

/* Our lease had ended: others took the claim offline and removed the connection. */
static void a_claim_that_others_took_offline(void **state) {
    struct scene *scene = *state;
    struct claim claim = held(scene, "tunnel", "one");
    struct store_events events = claims_cache_store_events(scene->cache);
    claim.member.state = CLAIM_OFFLINE;
    assert_int_equal(store(scene, &scene->real, &claim, 1), STATUS_OK);
    scene->real.remove_connection(scene->real.ctx, VIEW("one"), NULL, NULL, 0);
    events.connection_gone(events.ctx, VIEW("one"));
    work(scene);
    assert_int_equal(scene->gone, 0); /* it is not: no request of its is lost */
    assert_int_equal(lookup(scene, &scene->real, "tunnel"), STATUS_OK);
    assert_int_equal(scene->claim.member.state, CLAIM_READY);
    assert_int_equal(store_memory_connections(scene->store), 1);
    events.connection_gone(events.ctx, VIEW("of another"));
    assert_int_equal(scene->gone, 1);
}

static void a_takeover_at_this_gateway(void **state) {
    struct scene *scene = *state;
    held(scene, "tunnel", "one");
    struct claim claim = a_claim("tunnel", HERE, "two", 2);
    assert_int_equal(store(scene, &scene->registry, &claim, 1), STATUS_OK);
    assert_true(claims_cache_holds(scene->cache, VIEW("one")));
    assert_false(claims_cache_serves(scene->cache, VIEW("one")));
    assert_true(claims_cache_serves(scene->cache, VIEW("two")));
    assert_int_equal(scene->replaced, 0); /* the core did that itself */
    assert_int_equal(remove_connection(scene, "one"), STATUS_OK);
    assert_int_equal(lookup(scene, &scene->registry, "tunnel"), STATUS_OK);
    assert_string_equal(scene->claim.member.link.connection, "two");
}

/* Between the question and the answer it is told that it has changed: nobody will say so again. */
static void what_is_known_is_known_as_of_the_answer(void **state) {
    struct scene *scene = *state;
    struct claim claim = held(scene, "tunnel", "one");
    claim.member.state = CLAIM_CONNECTING;
    assert_int_equal(store(scene, &scene->registry, &claim, 1), STATUS_OK);
    claim.member.state = CLAIM_READY;
    struct claim_write write = {.claim = &claim, .expected_epoch = 1, .expected_states = ANY_STATE};
    scene->registry.store(scene->registry.ctx, &write, on_done, scene, 7);
    scene->registry.lookup(scene->registry.ctx, VIEW("tunnel"), on_claim, scene, 7);
    work(scene);
    assert_int_equal(scene->completions, 2);
    assert_int_equal(scene->claim.member.state, CLAIM_READY);
}

static void what_is_forgotten_before_the_answer_is_asked_for(void **state) {
    struct scene *scene = *state;
    struct claim claim = a_claim("tunnel", THERE, "one", 1);
    assert_int_equal(store(scene, &scene->real, &claim, 0), STATUS_OK);
    assert_int_equal(lookup(scene, &scene->registry, "tunnel"), STATUS_OK);
    scene->lookups = 0;
    scene->registry.lookup(scene->registry.ctx, VIEW("tunnel"), on_claim, scene, 7);
    scene->registry.forget(scene->registry.ctx, VIEW("tunnel"));
    assert_int_equal(settle(scene), STATUS_OK);
    assert_int_equal(scene->lookups, 1);
}

/* ---- options ---- */

static void say(struct scene *scene, const struct registry *registry, const struct claim *claim,
                uint64_t epoch, struct view options) {
    struct claim_write write = {
        .claim = claim, .expected_epoch = epoch, .expected_states = ANY_STATE, .options = options};
    registry->store(registry->ctx, &write, on_done, scene, 7);
    assert_int_equal(settle(scene), STATUS_OK);
}

static void assert_known_options(struct scene *scene, const char *options) {
    unsigned lookups = scene->lookups;
    assert_int_equal(lookup(scene, &scene->registry, "tunnel"), STATUS_OK);
    assert_string_equal(scene->options, options);
    assert_int_equal(scene->lookups, lookups);
}

static void options_of_what_is_held_here_are_known(void **state) {
    struct scene *scene = *state;
    struct claim claim = a_claim("tunnel", HERE, "one", 1);
    say(scene, &scene->registry, &claim, 0, VIEW("first"));
    assert_known_options(scene, "first");
    scene->registry.lookup_connection(scene->registry.ctx, VIEW("one"), on_claim, scene, 7);
    assert_int_equal(settle(scene), STATUS_OK);
    assert_string_equal(scene->options, "first");
    say(scene, &scene->registry, &claim, 1, (struct view){NULL, 0});
    assert_known_options(scene, "first");
    say(scene, &scene->registry, &claim, 1, VIEW("second"));
    assert_known_options(scene, "second");
    say(scene, &scene->registry, &claim, 1, VIEW(""));
    assert_known_options(scene, "");
}

static void options_that_were_said_elsewhere_are_heard_of(void **state) {
    struct scene *scene = *state;
    struct claim claim = a_claim("tunnel", HERE, "one", 1);
    say(scene, &scene->registry, &claim, 0, VIEW("first"));
    say(scene, &scene->real, &claim, 1, VIEW("second"));
    assert_known_options(scene, "second");
}

static void options_of_what_others_hold_are_remembered(void **state) {
    struct scene *scene = *state;
    struct claim claim = a_claim("tunnel", THERE, "one", 1);
    say(scene, &scene->real, &claim, 0, VIEW("theirs"));
    assert_int_equal(lookup(scene, &scene->registry, "tunnel"), STATUS_OK);
    assert_string_equal(scene->options, "theirs");
    assert_known_options(scene, "theirs");
    scene->away = true;
    assert_known_options(scene, "theirs");
}

static void a_store_that_lost_everything_is_told_the_options(void **state) {
    struct scene *scene = *state;
    struct claim claim = a_claim("tunnel", HERE, "one", 1);
    say(scene, &scene->registry, &claim, 0, VIEW("mine"));
    new_store(scene);
    claims_cache_store_events(scene->cache).missed(scene->cache);
    work(scene);
    assert_int_equal(lookup(scene, &scene->real, "tunnel"), STATUS_OK);
    assert_string_equal(scene->options, "mine");
}

static void an_end_leaves_the_options_as_they_stand(void **state) {
    struct scene *scene = *state;
    struct claim claim = a_claim("tunnel", HERE, "one", 1);
    say(scene, &scene->registry, &claim, 0, VIEW("mine"));
    claim.member.state = CLAIM_OFFLINE;
    say(scene, &scene->registry, &claim, 1, (struct view){NULL, 0});
    assert_int_equal(remove_connection(scene, "one"), STATUS_OK);
    assert_int_equal(lookup(scene, &scene->registry, "tunnel"), STATUS_OK);
    assert_string_equal(scene->options, "mine");
}

int main(void) {
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(what_is_held_here_costs_the_store_nothing),
        T(what_others_hold_is_remembered_until_it_changes),
        T(only_so_many_are_remembered),
        T(an_answer_older_than_what_was_heard_is_not_believed),
        T(a_deaf_cache_asks_the_store_while_it_answers),
        T(a_store_that_lost_everything_is_told_again),
        T(a_store_set_back_to_an_earlier_time_is_put_right),
        T(an_agent_that_goes_while_the_store_is_away),
        T(a_claim_that_moved_to_another_gateway),
        T(a_claim_that_others_took_offline),
        T(a_takeover_at_this_gateway),
        T(what_is_known_is_known_as_of_the_answer),
        T(what_is_forgotten_before_the_answer_is_asked_for),
        T(options_of_what_is_held_here_are_known),
        T(options_that_were_said_elsewhere_are_heard_of),
        T(options_of_what_others_hold_are_remembered),
        T(a_store_that_lost_everything_is_told_the_options),
        T(an_end_leaves_the_options_as_they_stand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
