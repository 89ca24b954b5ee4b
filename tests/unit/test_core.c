/* The core as a whole: its bounds, and its end. */
#include "test_core_mailbox.h"

static void too_many_at_once_are_refused(void **state) {
    struct world *world = *state;
    agent_ready(world, "one", "/", NULL);
    struct visitor visitors[5];
    for (int i = 0; i < 5; i++) visit_tunnel(world, &visitors[i], "GET", NULL);
    assert_refused(&visitors[4], HTTP_ERROR_OVERLOADED);
    for (int i = 0; i < 4; i++) exchange_cancel(visitors[i].exchange);
}

static void a_host_may_be_out_of_time(void **state) {
    struct world *world = *state;
    struct visitor visitor;
    agent_ready(world, "one", "/", NULL);
    visit_tunnel(world, &visitor, "GET", NULL);
    exchange_expire(visitor.exchange);
    assert_refused(&visitor, HTTP_ERROR_TIMEOUT);
}

static void the_core_may_end_with_work_under_way(void **state) {
    struct world *world = *state;
    agent_ready(world, "one", "/", NULL);
    struct visitor visitor;
    visit_tunnel(world, &visitor, "GET", NULL);
    core_free(world->core);
    assert_true(visitor.aborted);
    struct core_settings settings;
    core_settings_init(&settings);
    struct ports ports = {.clock = {.timers = &world->timers, .tasks = &world->tasks}};
    world->core = core_new(&settings, &ports);
    store_memory_listen(world->store, core_store_events(world->core));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(too_many_at_once_are_refused),
        TEST(a_host_may_be_out_of_time),
        TEST(the_core_may_end_with_work_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
