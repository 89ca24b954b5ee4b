/* For which host names a certificate may be had, over the memory store. */
#include <stdio.h>
#include <stdlib.h>

#include "base/ids.h"
#include "cmocka_setup.h"
#include "handler/core.h"
#include "store/store_memory.h"

struct world {
    struct tasks tasks;
    struct timers timers;
    struct store_memory *store;
    struct core *core;
    int answers;
    enum status status;
};

static uint64_t zero_ms(void *ctx) {
    (void)ctx;
    return 1700000000000;
}

static void settle(struct world *world) {
    while (tasks_run(&world->tasks)) continue;
}

static int set_up(void **state) {
    struct world *world = calloc(1, sizeof(*world));
    tasks_init(&world->tasks, NULL, NULL);
    timers_init(&world->timers, zero_ms, NULL, world);
    world->store = store_memory_new(&world->tasks, zero_ms, world);
    struct ports ports = {
        .registry = store_memory_registry(world->store),
        .mailbox = store_memory_mailbox(world->store),
        .clock = {.ctx = world, .wall_ms = zero_ms, .timers = &world->timers, .tasks = &world->tasks},
        .ids = {.tunnel = ids_tunnel, .random = ids_random},
    };
    struct core_settings settings;
    core_settings_init(&settings);
    settings.domain = VIEW("tunnel.example");
    struct view other_name = VIEW("dev.example.org");
    settings.other_names = &other_name;
    settings.other_names_count = 1;
    world->core = core_new(&settings, &ports);
    *state = world;
    return 0;
}

static int tear_down(void **state) {
    struct world *world = *state;
    settle(world);
    core_free(world->core);
    store_memory_free(world->store);
    timers_done(&world->timers);
    free(world);
    return 0;
}

static void on_stored(void *target, uint64_t ticket, enum status status) {
    (void)target, (void)ticket;
    assert_int_equal(status, STATUS_OK);
}

static void claim(struct world *world, const char *tunnel_id, const char *owner) {
    struct registry registry = store_memory_registry(world->store);
    struct claim claim = {.epoch = 1, .member = {.state = CLAIM_OFFLINE}, .expires_ms = zero_ms(NULL) + 1000};
    strcpy(claim.tunnel_id, tunnel_id);
    strcpy(claim.owner, owner);
    snprintf(claim.member.link.connection, sizeof(claim.member.link.connection), "connection of %s",
             tunnel_id);
    struct claim_write write = {.claim = &claim};
    registry.store(registry.ctx, &write, on_stored, world, 0);
    settle(world);
}

static void on_answer(void *ctx, enum status status) {
    struct world *world = ctx;
    world->answers++;
    world->status = status;
}

static void test_names(void **state) {
    struct world *world = *state;
    claim(world, "shop", "sub:alice");
    claim(world, "free-for-all", "anon:0123456789abcdef0123456789abcdef");
    claim(world, "abcdefghij12", "sub:alice");
    static const struct {
        const char *name;
        enum status status;
    } rows[] = {
        {"shop.tunnel.example", STATUS_OK},
        {"SHOP.tunnel.example.", STATUS_OK},
        {"tunnel.example", STATUS_OK},
        {"dev.example.org", STATUS_OK},
        {"free-for-all.tunnel.example", STATUS_NOT_FOUND}, /* no token */
        {"abcdefghij12.tunnel.example", STATUS_NOT_FOUND}, /* looks like a generated id */
        {"nobody.tunnel.example", STATUS_NOT_FOUND},
        {"a.shop.tunnel.example", STATUS_NOT_FOUND},
        {"shop.tunnel.example:443", STATUS_NOT_FOUND},
        {"*.tunnel.example", STATUS_NOT_FOUND},
        {"shop", STATUS_NOT_FOUND},
        {"shop.other.example", STATUS_NOT_FOUND},
        {"x.dev.example.org", STATUS_NOT_FOUND},
        {"127.0.0.1", STATUS_NOT_FOUND},
        {"[::1]", STATUS_NOT_FOUND},
        {"", STATUS_NOT_FOUND},
        {"shop.tunnel.example/../x", STATUS_NOT_FOUND},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        world->answers = 0;
        core_certify(world->core, view_from_cstr(rows[i].name), on_answer, world);
        assert_int_equal(world->answers, 0); /* never inside the call */
        settle(world);
        assert_int_equal(world->answers, 1);
        if (world->status != rows[i].status) fail_msg("%s: %s", rows[i].name, status_text(world->status));
    }
}

static void test_core_ends_first(void **state) {
    struct world *world = *state;
    core_certify(world->core, VIEW("tunnel.example"), on_answer, world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_core_ends_first, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
