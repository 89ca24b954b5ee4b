/* Bytes a second: senders are told later that they may send on, and nobody else is told anything. */
#include "handler/core_state.h"
#include "test_core_streams.h"

#define RATE 10000

static void run(struct world *world, const char *const *script, size_t count) {
    for (size_t i = 0; i < count; i++) run_step(world, script[i]);
}

static void assert_record(struct world *world, const char *expected) {
    world->record[world->record_len] = '\0';
    assert_string_equal(world->record, expected);
    world->record_len = 0;
}

#define RUN(...)                                                                                             \
    run(world, (const char *const[]){__VA_ARGS__},                                                           \
        sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static int begin(void **state) {
    set_up(state);
    struct world *world = *state;
    world->core->settings.keeps_links = true;
    world->core->settings.quotas.tunnel_bandwidth = RATE;
    RUN("come one");
    world->record_len = 0;
    return 0;
}

/* A second's worth passes at once; what is more is paid for with time. */
static void an_answer_waits_for_its_share(void **state) {
    struct world *world = *state;
    RUN("visit GET", "head 200", "data 10000", "drain 10000");
    assert_record(world, "one:GET 200 data:10000 consumed:10000");
    RUN("data 5000", "drain 5000");
    assert_record(world, "data:5000");
    RUN("pass 490");
    assert_record(world, "~");
    RUN("pass 20"); /* half a second for 5000 bytes */
    assert_record(world, "~ consumed:5000");
    RUN("data 5000", "drain 5000"); /* which were counted when they were allowed */
    assert_record(world, "data:5000");
    RUN("pass 480");
    assert_record(world, "~");
    RUN("pass 20");
    assert_record(world, "~ consumed:5000");
    RUN("end");
    assert_record(world, "end reset");
}

static void a_body_waits_for_its_share(void **state) {
    struct world *world = *state;
    RUN("visit POST chunked", "body 15000", "sent 15000");
    assert_record(world, "one:POST+ grant:262144 write:15000");
    RUN("pass 510");
    assert_record(world, "~ grant:15000");
    RUN("fin", "head 204", "end");
    assert_record(world, "fin 204- end reset");
}

/* What was allowed and did not come is given back. */
static void what_does_not_come_is_given_back(void **state) {
    struct world *world = *state;
    RUN("visit GET", "head 200", "data 20000", "drain 20000", "pass 1010");
    assert_record(world, "one:GET 200 data:20000 ~ consumed:20000");
    uint64_t full_ns = world->exchange->share.tunnel->bytes_full_ns, now_ns = core_now_ns(world->core);
    assert_true(full_ns > now_ns + 2900000000u);
    struct tunnel_use *tunnel = world->exchange->share.tunnel;
    RUN("end");
    assert_record(world, "end reset");
    assert_true(tunnel->bytes_full_ns < now_ns + 1000000000u);
}

/* Who is two seconds behind begins nothing. */
static void who_is_late_is_told_when(void **state) {
    struct world *world = *state;
    RUN("visit GET", "head 200", "data 55000", "end");
    assert_record(world, "one:GET 200 data:55000 end reset");
    RUN("visit GET");
    assert_record(world, "rate_limited retry-after end"); /* 5.5 s owed, 3 s may be */
    assert_string_equal(world->quota, "tunnel-bandwidth");
    assert_string_equal(world->retry_after, "3");
    RUN("pass 2400", "visit GET");
    assert_record(world, "~ rate_limited retry-after end");
    assert_string_equal(world->retry_after, "1");
    RUN("pass 200", "visit GET", "head 204", "end");
    assert_record(world, "~ one:GET 204- end reset");
}

/* More than a minute is not held against anybody. */
static void what_is_owed_has_a_bound(void **state) {
    struct world *world = *state;
    RUN("visit GET", "head 200", "data 8000000", "end");
    world->record_len = 0;
    RUN("pass 57000", "visit GET");
    assert_record(world, "~ rate_limited retry-after end");
    RUN("pass 2000", "visit GET", "head 204", "end");
    assert_record(world, "~ one:GET 204- end reset");
    RUN("pass 1000", "pass 1000", "pass 1000");
    assert_int_equal(world->core->tunnels.count, 0);
    assert_int_equal(world->timers.count, 0);
    world->record_len = 0;
}

static void an_owners_tunnels_share(void **state) {
    struct world *world = *state;
    world->core->settings.quotas.tunnel_bandwidth = 0;
    world->core->settings.quotas.owner_bandwidth = RATE;
    RUN("visit GET", "head 200", "data 12000", "drain 12000");
    assert_record(world, "one:GET 200 data:12000");
    RUN("cancel"); /* while something is held */
    assert_record(world, "reset");
    RUN("visit GET", "head 200", "data 100", "drain 100", "pass 150");
    assert_record(world, "one:GET 200 data:100 ~");
    RUN("pass 100");
    assert_record(world, "~ consumed:100");
    RUN("end");
    assert_record(world, "end reset");
    assert_int_equal(world->core->owners.count, 1);
    RUN("pass 1000", "pass 1000");
    assert_int_equal(world->core->owners.count, 0);
    world->record_len = 0;
}

static void an_owner_is_late(void **state) {
    struct world *world = *state;
    world->core->settings.quotas.tunnel_bandwidth = 0;
    world->core->settings.quotas.owner_bandwidth = RATE;
    RUN("visit GET", "head 200", "data 55000", "end", "visit GET");
    assert_record(world, "one:GET 200 data:55000 end reset rate_limited retry-after end");
    assert_string_equal(world->quota, "owner-bandwidth");
    assert_string_equal(world->retry_after, "3");
    RUN("pass 2600", "visit GET", "head 204", "end");
    assert_record(world, "~ one:GET 204- end reset");
}

static void what_an_owner_does_not_get_is_given_back(void **state) {
    struct world *world = *state;
    world->core->settings.quotas.tunnel_bandwidth = 0;
    world->core->settings.quotas.owner_bandwidth = RATE;
    RUN("visit GET", "head 200", "data 20000", "drain 20000", "pass 1010");
    assert_record(world, "one:GET 200 data:20000 ~ consumed:20000");
    struct tunnel_use *tunnel = world->exchange->share.tunnel;
    uint64_t now_ns = core_now_ns(world->core);
    assert_true(tunnel->owner->bytes_full_ns > now_ns + 2900000000u);
    RUN("end");
    assert_record(world, "end reset");
    assert_true(tunnel->owner->bytes_full_ns < now_ns + 1000000000u);
}

/* ---- other processes ---- */

static struct spending spent;
static unsigned times_spent;

static void spend(void *ctx, struct view owner, const struct spending *said) {
    (void)ctx, (void)owner;
    spent = *said;
    times_spent++;
}

/* A twentieth of a second's worth is worth telling. */
static void other_processes_are_told_of_bytes(void **state) {
    struct world *world = *state;
    struct store_events events = core_store_events(world->core);
    spent = (struct spending){0};
    times_spent = 0;
    world->core->settings.quotas.tunnel_bandwidth = 0;
    world->core->settings.quotas.owner_bandwidth = RATE;
    world->core->ports.registry.spend = spend;
    RUN("visit GET", "head 200", "data 499", "pass 300");
    assert_int_equal(times_spent, 0);
    RUN("data 1", "pass 200");
    assert_int_equal(times_spent, 1);
    assert_int_equal(spent.bytes, 500);
    assert_int_equal(spent.requests, 0);
    RUN("data 600", "pass 200");
    assert_int_equal(times_spent, 2);
    assert_int_equal(spent.bytes, 600); /* since it was told last */
    RUN("pass 1000");
    assert_int_equal(times_spent, 2);
    struct owner_use *owner = world->exchange->share.owner;
    uint64_t now_ns = core_now_ns(world->core);
    events.spent(events.ctx, view_from_cstr(owner->name), &(struct spending){7, 20000});
    assert_true(owner->bytes_full_ns >= now_ns + 2000000000u); /* what others had is his, too */
    assert_int_equal(owner->full_ns, 0);                       /* he has no rate */
    RUN("data 100", "drain 100", "pass 900");
    world->record[world->record_len] = '\0';
    assert_null(strstr(world->record, "consumed:100"));
    RUN("pass 200");
    world->record[world->record_len] = '\0';
    assert_non_null(strstr(world->record, "consumed:100"));
    RUN("cancel");
    world->record_len = 0;
}

/* ---- another gateway's word ---- */

/* The one that holds the agent counts; the visitor is told what it said, as far as that is sane. */
static void what_another_gateway_met_is_told(void **state) {
    struct world *world = *state;
    static const struct {
        const char *head, *quota, *retry_after;
    } rows[] = {
        {"head 429 x-tunnel-error:rate_limited x-tunnel-quota:owner-rate retry-after:7", "owner-rate", "7"},
        {"head 429 x-tunnel-error:rate_limited x-tunnel-quota:owner-bandwidth retry-after:3600",
         "owner-bandwidth", "3600"},
        {"head 429 x-tunnel-error:rate_limited x-tunnel-quota:owner-rate retry-after:3601", "owner-rate",
         "1"},
        {"head 429 x-tunnel-error:rate_limited x-tunnel-quota:owner-rate retry-after:soon", "owner-rate",
         "1"},
        {"head 429 x-tunnel-error:rate_limited x-tunnel-quota:nonsense retry-after:7", "", "1"},
        {"head 429 x-tunnel-error:rate_limited", "", "1"},
    };
    world->core->settings.quotas.tunnel_bandwidth = 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        RUN("visit GET", rows[i].head);
        assert_record(world, "one:GET rate_limited retry-after end reset");
        if (strcmp(world->quota, rows[i].quota) != 0 || strcmp(world->retry_after, rows[i].retry_after) != 0)
            fail_msg("%s: %s, %s", rows[i].head, world->quota, world->retry_after);
    }
}

#define WITH_WORLD(name) cmocka_unit_test_setup_teardown(name, begin, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_WORLD(an_answer_waits_for_its_share),
        WITH_WORLD(a_body_waits_for_its_share),
        WITH_WORLD(what_does_not_come_is_given_back),
        WITH_WORLD(who_is_late_is_told_when),
        WITH_WORLD(what_is_owed_has_a_bound),
        WITH_WORLD(an_owners_tunnels_share),
        WITH_WORLD(an_owner_is_late),
        WITH_WORLD(what_an_owner_does_not_get_is_given_back),
        WITH_WORLD(other_processes_are_told_of_bytes),
        WITH_WORLD(what_another_gateway_met_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
