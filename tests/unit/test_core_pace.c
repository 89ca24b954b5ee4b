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
    uint64_t full_ns = world->exchange->tunnel->bytes_full_ns, now_ns = core_now_ns(world->core);
    assert_true(full_ns > now_ns + 2900000000u);
    struct tunnel_use *tunnel = world->exchange->tunnel;
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
    RUN("pass 2400", "visit GET");
    assert_record(world, "~ rate_limited retry-after end");
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

#define WITH_WORLD(name) cmocka_unit_test_setup_teardown(name, begin, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_WORLD(an_answer_waits_for_its_share),    WITH_WORLD(a_body_waits_for_its_share),
        WITH_WORLD(what_does_not_come_is_given_back), WITH_WORLD(who_is_late_is_told_when),
        WITH_WORLD(what_is_owed_has_a_bound),         WITH_WORLD(an_owners_tunnels_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
