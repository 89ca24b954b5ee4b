/* The Redis store keeps the contract of all stores, against a real server: redis-server, and valkey-server
 * where there is one. Each test has a database of its own. */
#include <hiredis/hiredis.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmocka_setup.h"
#include "redis_server.h"
#include "store/claim_record.h"
#include "store/store_redis.h"
#include "store_suite.h"

static struct redis_server server;

struct redis_fixture {
    struct store_fixture fixture;
    struct loop loop;
    struct store_redis *store, *other;
    uint64_t ahead_ms;
    unsigned database;
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

/* ---- a later version ---- */

#define LATER_NAME "name.later=kept = as it is"
#define LATER_MEMBER "member.later=kept"

static redisReply *ask(const struct redis_fixture *redis, const char *format, ...) {
    redisContext *context = redisConnectUnix(server.socket);
    va_list arguments;
    va_start(arguments, format);
    freeReplyObject(redisCommand(context, "SELECT %u", redis->database));
    redisReply *reply = redisvCommand(context, format, arguments);
    va_end(arguments);
    redisFree(context);
    assert_non_null(reply);
    return reply;
}

static void plant(void *ctx, const char *tunnel_id) {
    struct claim claim;
    struct view options;
    struct buf text;
    redisReply *stands = ask(ctx, "GET ttf1:claim:%s", tunnel_id);
    assert_true(claim_record_decode(view_of(stands->str, stands->len), &claim, &options));
    buf_init(&text, CLAIM_RECORD_MAX);
    assert_true(claim_record_encode_tagged(&text, &claim, options));
    assert_true(buf_printf(&text, "%s\n%s\n", LATER_NAME, LATER_MEMBER));
    struct view record = buf_view(&text);
    freeReplyObject(ask(ctx, "SET ttf1:claim:%s %b KEEPTTL", tunnel_id, record.ptr, record.len));
    freeReplyObject(stands);
    buf_done(&text);
}

static struct planted planted(void *ctx, const char *tunnel_id) {
    redisReply *stands = ask(ctx, "GET ttf1:claim:%s", tunnel_id);
    struct planted planted = {.of_name = strstr(stands->str, "\n" LATER_NAME "\n") != NULL,
                              .of_member = strstr(stands->str, "\n" LATER_MEMBER "\n") != NULL};
    /* an earlier version reads it when there is nothing more to be said than it knows */
    bool says_more = planted.of_name || planted.of_member || strstr(stands->str, "\nname.options=");
    assert_int_equal(stands->str[0], says_more ? '2' : '1');
    freeReplyObject(stands);
    return planted;
}

static struct store_fixture *redis_open(struct store_events events) {
    static unsigned database;
    char url[160];
    struct redis_fixture *redis = calloc(1, sizeof(*redis));
    assert_true(loop_init(&redis->loop));
    redis->database = ++database;
    snprintf(url, sizeof(url), "redis+unix://%s?db=%u", server.socket, database);
    redis->store = make_store(redis, url, "ws://gateway.test:8081", events);
    redis->other = make_store(redis, url, "ws://other.test:8081", (struct store_events){0});
    while (!store_redis_is_reached(redis->store) || !store_redis_is_reached(redis->other)) turn(redis);
    settle(redis);
    redis->fixture = (struct store_fixture){.ctx = redis,
                                            .registry = store_redis_registry(redis->store),
                                            .mailbox = store_redis_mailbox(redis->store),
                                            .knows_requests = true,
                                            .other_registry = store_redis_registry(redis->other),
                                            .other_mailbox = store_redis_mailbox(redis->other),
                                            .timers = &redis->loop.timers,
                                            .tasks = &redis->loop.tasks,
                                            .plant = plant,
                                            .planted = planted,
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
