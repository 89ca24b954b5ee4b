/* Each allocation of the core and of its store fails once, and the world goes on: what promises a completion
 * completes once, each visitor gets one end, and nothing is kept (the sanitizers' run of this test says so).
 * What owes a completion is not made to fail: without memory for that the process ends (base/heap.h). */
#include <stdio.h>
#include <stdlib.h>

#include "cmocka_setup.h"
#include "core_setup.h"
#include "handler/core.h"
#include "store/store_memory.h"

enum { SENDS_MAX = 16 };

/* ---- allocations: the linker leads those of all that is tested here (CMakeLists.txt) ---- */

static size_t countdown; /* 0: none fails */
static bool failed;

static bool fails(void) {
    if (countdown == 0 || --countdown > 0) return false;
    failed = true;
    return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
struct spares;
void *__real_spares_take(struct spares *spares);
void *__wrap_spares_take(struct spares *spares);
void *__wrap_heap_alloc_owed(size_t size);

/* Whether one is kept depends on what was before. */
void *__wrap_spares_take(struct spares *spares) {
    return fails() ? NULL : __real_spares_take(spares);
}

void *__wrap_malloc(size_t size) {
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size) {
    return fails() ? NULL : __real_realloc(block, size);
}

void *__wrap_heap_alloc_owed(size_t size) {
    return __real_calloc(1, size);
}

/* ---- the world ---- */

struct send {
    struct task task;
    agent_sent_fn *done;
    void *target;
    uint64_t ticket;
};

struct world {
    struct tasks tasks;
    struct timers timers;
    uint64_t now_ms;
    struct store_memory *store;
    struct core *core;
    struct send sends[SENDS_MAX];
    char request_id[V1_REQUEST_ID_MAX + 1]; /* of the last request that was sent to the agent */
    unsigned completions;
    int connect_status;
    char tunnel[TUNNEL_NAME_MAX + 1];
    unsigned visits, ends;
};

static uint64_t now_ms(void *ctx) {
    return ((struct world *)ctx)->now_ms;
}

static uint64_t wall_ms(void *ctx) {
    return ((struct world *)ctx)->now_ms + 1700000000000;
}

static void on_sent(struct task *task) {
    struct send *send = LIST_ENTRY(task, struct send, task);
    send->done(send->target, send->ticket, STATUS_OK);
}

static void agents_send(void *ctx, const struct link *link, struct view text, agent_sent_fn *done,
                        void *target, uint64_t ticket) {
    struct world *world = ctx;
    (void)link;
    static const char before[] = "\"request_id\":\"";
    for (size_t i = 0; i + sizeof(before) < text.len; i++) {
        struct view rest = view_skip(text, i);
        if (!view_starts_with(rest, VIEW("\"request_id\":\""))) continue;
        rest = view_skip(rest, sizeof(before) - 1);
        view_copy_to(view_slice(rest, 0, view_find(rest, '"')), world->request_id, sizeof(world->request_id));
    }
    size_t i = 0;
    while (done && task_pending(&world->sends[i].task)) assert_true(++i < SENDS_MAX);
    if (!done) return;
    world->sends[i].done = done;
    world->sends[i].target = target;
    world->sends[i].ticket = ticket;
    tasks_post(&world->tasks, &world->sends[i].task);
}

static void agents_close(void *ctx, const struct link *link) {
    (void)ctx, (void)link;
}

static void settle(struct world *world) {
    do {
        while (tasks_run(&world->tasks)) continue;
        timers_run(&world->timers);
    } while (tasks_run(&world->tasks));
}

static void pass(struct world *world, uint64_t ms) {
    world->now_ms += ms;
    settle(world);
}

static void make_world(struct world *world) {
    *world = (struct world){.now_ms = 1};
    tasks_init(&world->tasks, NULL, NULL);
    timers_init(&world->timers, now_ms, NULL, world);
    for (size_t i = 0; i < SENDS_MAX; i++) task_init(&world->sends[i].task, on_sent);
    world->store = store_memory_new(&world->tasks, wall_ms, world);
    struct agents agents = {.ctx = world, .send = agents_send, .close = agents_close};
    struct clock clock = {.ctx = world, .wall_ms = wall_ms, .timers = &world->timers, .tasks = &world->tasks};
    struct ports ports = memory_ports(world->store, &agents, &clock);
    struct core_settings settings;
    settings_of_localhost(&settings);
    settings.keeps_links = true;
    settings.quotas = (struct quota_settings){
        .owner_rate = 1000, .owner_requests = 1000, .owner_bandwidth = 1000000, .visitor_rate = 1000};
    world->core = core_new(&settings, &ports);
    assert_non_null(world->core);
    store_memory_listen(world->store, core_store_events(world->core));
}

static void end_world(struct world *world) {
    store_memory_free(world->store);
    core_free(world->core);
    timers_done(&world->timers);
}

/* ---- what promises a completion ---- */

static void on_connected(void *ctx, const struct connect_outcome *outcome) {
    struct world *world = ctx;
    world->completions++;
    world->connect_status = outcome->status;
    if (outcome->status == 200) view_copy_to(outcome->tunnel_id, world->tunnel, sizeof(world->tunnel));
}

static void on_done(void *ctx, enum status status) {
    (void)status;
    ((struct world *)ctx)->completions++;
}

/* None within the call, one later. */
static void completes(struct world *world) {
    assert_int_equal(world->completions, 0);
    settle(world);
    assert_int_equal(world->completions, 1);
    world->completions = 0;
}

static void connects(struct world *world, const char *connection) {
    struct arena arena;
    struct headers headers;
    arena_init(&arena, 4096);
    headers_init(&headers, &arena);
    struct connect_event event = {
        .connection_id = view_from_cstr(connection), .target = VIEW("/?name=mine"), .headers = &headers};
    core_connect(world->core, &event, on_connected, world);
    arena_done(&arena);
    completes(world);
}

static void says(struct world *world, const char *connection, const char *text) {
    core_message(world->core, view_from_cstr(connection), view_from_cstr(text), on_done, world);
    completes(world);
}

/* ---- a visitor ---- */

static void on_grant(void *ctx, size_t bytes) {
    (void)ctx, (void)bytes;
}

static void on_head(void *ctx, const struct answer_head *head) {
    (void)ctx, (void)head;
}

static void on_data(void *ctx, struct view data) {
    (void)ctx, (void)data;
}

static void on_end(void *ctx, const struct headers *trailers) {
    (void)trailers;
    ((struct world *)ctx)->ends++;
}

static void on_abort(void *ctx) {
    ((struct world *)ctx)->ends++;
}

static void visits(struct world *world) {
    struct arena arena;
    struct headers headers;
    arena_init(&arena, 4096);
    headers_init(&headers, &arena);
    if (headers_add(&headers, VIEW("host"), VIEW("mine.localhost:8080"))) {
        struct forward_event event = {.method = VIEW("GET"),
                                      .target = VIEW("/a"),
                                      .version = VIEW("HTTP/1.1"),
                                      .headers = &headers,
                                      .client = VIEW("192.0.2.1"),
                                      .scheme = VIEW("http")};
        struct body_source source = {world, on_grant};
        struct answer_sink sink = {world, on_head, on_data, on_end, on_abort};
        if (core_forward(world->core, &event, &source, &sink, 65536)) world->visits++;
    }
    arena_done(&arena);
    settle(world);
}

/* ---- all of it ---- */

static void live(struct world *world) {
    char answer[512];
    connects(world, "one");
    says(world, "one", "{\"type\":\"ready\",\"capabilities\":[\"resume\",\"chunks\"]}");
    says(world, "one", "{\"type\":\"ping\"}");
    says(world, "one", "{\"type\":\"ping\"");
    visits(world);
    snprintf(
        answer, sizeof(answer),
        "{\"type\":\"http_response\",\"request_id\":\"%s\",\"status_code\":200,\"headers\":{\"a\":[\"b\"]}"
        ",\"body\":\"aGk=\"}",
        world->request_id);
    says(world, "one", answer);
    visits(world);
    for (int seq = 0; seq < 2; seq++) {
        snprintf(answer, sizeof(answer),
                 "{\"type\":\"chunk\",\"request_id\":\"%s\",\"seq\":%d,\"total\":2,\"data\":\"%s\"}",
                 world->request_id, seq, seq ? "}" : "{");
        says(world, "one", answer);
    }
    connects(world, "two");
    core_disconnect(world->core, VIEW("one"), on_done, world);
    completes(world);
    if (core_certify(world->core, VIEW("mine.localhost"), on_done, world)) completes(world);
    core_cleanup(world->core, on_done, world);
    completes(world);
    pass(world, 60000); /* whoever waits has waited enough */
    pass(world, 60000);
    assert_int_equal(world->ends, world->visits);
    assert_int_equal(core_exchange_count(world->core), 0);
    core_disconnect(world->core, VIEW("two"), on_done, world);
    completes(world);
}

static void each_allocation_may_fail(void **state) {
    (void)state;
    size_t which = 0;
    do {
        struct world world;
        make_world(&world);
        failed = false;
        countdown = ++which;
        live(&world);
        countdown = 0;
        end_world(&world);
        if (!failed) assert_int_equal(world.connect_status, 409); /* "two" is a stranger */
    } while (failed);
    print_message("%zu allocations\n", which - 1);
    assert_true(which > 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
