/* The memory store keeps the contract of all stores, and leaves nothing behind. */
#include <stdlib.h>

#include "cmocka_setup.h"
#include "store/store_memory.h"
#include "store_suite.h"

struct memory_fixture {
    struct store_fixture fixture;
    struct tasks tasks;
    struct timers timers;
    struct store_memory *store;
    uint64_t wall_ms;
};

static void settle(void *ctx) {
    struct memory_fixture *memory = ctx;
    while (tasks_run(&memory->tasks)) continue;
}

static uint64_t wall_ms(void *ctx) {
    return ((struct memory_fixture *)ctx)->wall_ms;
}

static void advance(void *ctx, uint64_t ms) {
    ((struct memory_fixture *)ctx)->wall_ms += ms;
}

static struct store_fixture *memory_open(struct store_events events) {
    struct memory_fixture *memory = calloc(1, sizeof(*memory));
    memory->wall_ms = 1700000000000;
    tasks_init(&memory->tasks, NULL, NULL);
    timers_init(&memory->timers, wall_ms, NULL, memory);
    memory->store = store_memory_new(&memory->tasks, wall_ms, memory);
    store_memory_listen(memory->store, events);
    memory->fixture = (struct store_fixture){.ctx = memory,
                                             .registry = store_memory_registry(memory->store),
                                             .mailbox = store_memory_mailbox(memory->store),
                                             .knows_requests = true,
                                             .other_registry = store_memory_registry(memory->store),
                                             .other_mailbox = store_memory_mailbox(memory->store),
                                             .timers = &memory->timers,
                                             .tasks = &memory->tasks,
                                             .settle = settle,
                                             .wall_ms = wall_ms,
                                             .advance = advance};
    return &memory->fixture;
}

static void memory_close(struct store_fixture *fixture) {
    struct memory_fixture *memory = fixture->ctx;
    store_memory_free(memory->store);
    free(memory);
}

int main(void) {
    return store_suite_run("store_memory", memory_open, memory_close);
}
