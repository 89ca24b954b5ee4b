/* The Redis store keeps the contract of all stores, against a real server: redis-server, and valkey-server
 * where there is one. Each test has a database of its own. */
#include "redis_server.h"
#include "store_suite.h"

#include <stdio.h>
#include <stdlib.h>

#include "cmocka_setup.h"
#include "store/store_redis.h"

static struct redis_server server;

struct redis_fixture {
    struct store_fixture fixture;
    struct loop loop;
    struct store_redis *store, *other;
    uint64_t ahead_ms;
};

static uint64_t wall_ms(void *ctx) {
    return loop_wall_ms(NULL) + ((struct redis_fixture *)ctx)->ahead_ms;
}

static void advance(void *ctx, uint64_t ms) {
    ((struct redis_fixture *)ctx)->ahead_ms += ms;
}

static void turn(struct redis_fixture *redis) {
    uv_run(&redis->loop.uv, UV_RUN_ONCE);
}

/* Nothing is owed, and what was published has been heard: an echo of each has come back behind it. */
static void settle(void *ctx) {
    struct redis_fixture *redis = ctx;
    struct store_redis *stores[] = {redis->store, redis->other};
    unsigned before[2];
    while (store_redis_owed(redis->store) || store_redis_owed(redis->other)) turn(redis);
    for (int i = 0; i < 2; i++) {
        before[i] = store_redis_echoes(stores[i]);
        store_redis_echo(stores[i]);
    }
    while (store_redis_echoes(redis->store) == before[0] || store_redis_echoes(redis->other) == before[1] ||
           store_redis_owed(redis->store) || store_redis_owed(redis->other))
        turn(redis);
}

static struct store_redis *make_store(struct redis_fixture *redis, const char *url, const char *gateway,
                                      struct store_events events) {
    const char *why;
    struct store_redis_settings settings = {.loop = &redis->loop,
                                            .url = url,
                                            .gateway = gateway,
                                            .wall_ms = wall_ms,
                                            .wall_ctx = redis,
                                            .lease_ms = 5000,
                                            .message_max_bytes = 1 << 20,
                                            .body_max_bytes = 1 << 20,
                                            .keeps_secret = true};
    struct store_redis *store = store_redis_new(&settings, &why);
    assert_non_null(store);
    store_redis_listen(store, &(struct store_redis_events){.store = events});
    return store;
}

static struct store_fixture *redis_open(struct store_events events) {
    static unsigned database;
    char url[160];
    struct redis_fixture *redis = calloc(1, sizeof *redis);
    assert_true(loop_init(&redis->loop));
    snprintf(url, sizeof url, "redis+unix://%s?db=%u", server.socket, ++database);
    redis->store = make_store(redis, url, "ws://gateway.test:8081", events);
    redis->other = make_store(redis, url, "ws://other.test:8081", (struct store_events){0});
    while (!store_redis_is_reached(redis->store) || !store_redis_is_reached(redis->other)) turn(redis);
    settle(redis);
    redis->fixture = (struct store_fixture){.ctx = redis,
                                            .registry = store_redis_registry(redis->store),
                                            .mailbox = store_redis_mailbox(redis->store),
                                            .other_registry = store_redis_registry(redis->other),
                                            .other_mailbox = store_redis_mailbox(redis->other),
                                            .timers = &redis->loop.timers,
                                            .tasks = &redis->loop.tasks,
                                            .settle = settle,
                                            .wall_ms = wall_ms,
                                            .advance = advance};
    return &redis->fixture;
}

static void redis_close(struct store_fixture *fixture) {
    struct redis_fixture *redis = fixture->ctx;
    store_redis_stop(redis->store);
    store_redis_stop(redis->other);
    loop_done(&redis->loop);
    store_redis_free(redis->store);
    store_redis_free(redis->other);
    free(redis);
}

int main(void) {
    static const char *const programs[] = {"redis-server", "valkey-server"};
    int failed = 0, tried = 0;
    for (size_t i = 0; i < 2; i++) {
        if (!redis_server_exists(programs[i])) continue;
        tried++;
        bool started = redis_server_start(&server, programs[i], NULL);
        failed += started ? store_suite_run(programs[i], redis_open, redis_close) : 1;
        redis_server_stop(&server);
    }
    if (tried == 0) fprintf(stderr, "skipped: neither redis-server nor valkey-server is installed\n");
    return tried == 0 && !getenv("CI") ? 77 : tried == 0 || failed;
}
