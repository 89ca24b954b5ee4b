/* Answers that Redis is slow to take have a bound, and an agent of many leaves room for those of others. */
#include <stdio.h>
#include <stdlib.h>

#include "cmocka_setup.h"
#include "redis_server.h"
#include "store/store_redis_state.h"

#define MIB ((size_t)1024 * 1024)

#define UNKNOWN_ID "r-00000000-0000-4000-8000-000000000000"

enum { MANY = 40, BODY = 1024 * 1024 };

struct scene {
    struct loop loop;
    struct redis_server server;
    struct store_redis *store;
    struct mailbox mailbox;
    char request_id[V1_REQUEST_ID_MAX + 1];
    unsigned told, unavailable;
    size_t body_len;
    bool is_taken;
};

static void turn(struct scene *scene) {
    uv_run(&scene->loop.uv, UV_RUN_ONCE);
}

static int set_up(void **state) {
    struct scene *scene = calloc(1, sizeof(*scene));
    char url[160];
    const char *why;
    assert_true(loop_init(&scene->loop));
    assert_true(redis_server_start(&scene->server, "redis-server", NULL));
    snprintf(url, sizeof(url), "redis+unix://%s?db=1", scene->server.socket);
    struct store_redis_settings settings = {.loop = &scene->loop,
                                            .url = url,
                                            .gateway = "ws://gateway.test:8081",
                                            .wall_ms = loop_wall_ms,
                                            .lease_ms = 600000,
                                            .message_max_bytes = 4 * MIB,
                                            .body_max_bytes = 2 * MIB};
    scene->store = store_redis_new(&settings, &why);
    assert_non_null(scene->store);
    scene->mailbox = store_redis_mailbox(scene->store);
    while (!store_redis_is_reached(scene->store)) turn(scene);
    *state = scene;
    return 0;
}

static int tear_down(void **state) {
    struct scene *scene = *state;
    store_redis_stop(scene->store);
    loop_done(&scene->loop);
    store_redis_free(scene->store);
    redis_server_stop(&scene->server);
    free(scene);
    return 0;
}

static void on_put(void *target, uint64_t ticket, enum status status, struct view request_id) {
    (void)ticket;
    struct scene *scene = target;
    assert_int_equal(status, STATUS_OK);
    assert_true(view_copy_to(request_id, scene->request_id, sizeof(scene->request_id)));
}

static void on_done(void *target, uint64_t ticket, enum status status) {
    (void)ticket;
    struct scene *scene = target;
    scene->told++;
    scene->unavailable += status == STATUS_UNAVAILABLE;
}

static void on_take(void *target, uint64_t ticket, enum status status, struct v1_message *answer) {
    (void)ticket;
    struct scene *scene = target;
    scene->is_taken = true;
    scene->body_len = status == STATUS_OK && answer->type == V1_HTTP_RESPONSE ? answer->body.len : 0;
    v1_message_free(answer);
}

static void complete(struct scene *scene, const char *request_id, const char *connection_id,
                     size_t body_len) {
    struct buf text;
    static char body[BODY];
    struct arena arena;
    struct headers headers;
    enum status status;
    arena_init(&arena, 1024);
    headers_init(&headers, &arena);
    buf_init(&text, 4 * MIB);
    const struct v1_response response = {.request_id = view_from_cstr(request_id),
                                         .status = 200,
                                         .headers = &headers,
                                         .body = view_of(body, body_len)};
    assert_true(v1_encode_response(&text, &response));
    struct v1_message *answer = v1_message_parse(buf_view(&text), 2 * MIB, &status);
    assert_non_null(answer);
    scene->mailbox.complete(scene->mailbox.ctx, view_from_cstr(request_id), view_from_cstr(connection_id),
                            answer, on_done, scene, 0);
    buf_done(&text);
    arena_done(&arena);
}

static void put(struct scene *scene) {
    struct pending pending = {.connection_id = VIEW("other"), .expires_ms = loop_wall_ms(NULL) + 600000};
    scene->mailbox.put(scene->mailbox.ctx, &pending, on_put, scene, 0);
    while (!scene->request_id[0]) turn(scene);
}

static void take(struct scene *scene) {
    scene->mailbox.take(scene->mailbox.ctx, view_from_cstr(scene->request_id), on_take, scene, 0);
    while (!scene->is_taken) turn(scene);
}

/* Without a turn of the loop Redis takes none. */
static void an_agent_that_answers_much_leaves_room(void **state) {
    struct scene *scene = *state;
    const struct store_redis *store = scene->store;
    for (unsigned i = 0; i < MANY; i++) complete(scene, UNKNOWN_ID, "greedy", BODY);
    assert_in_range(store->giving_bytes, 32 * MIB, 34 * MIB);
    assert_in_range(store->kept.bytes, 14 * MIB, 16 * MIB);
    complete(scene, UNKNOWN_ID, "other", BODY);
    assert_in_range(store->kept.bytes, 14 * MIB, 16 * MIB);
    const struct kept_answer *last = LIST_ENTRY(store->kept.answers.prev, struct kept_answer, node);
    assert_true(last->bytes > BODY); /* the greedy one has lost one for it */
}

static void what_is_taken_makes_room_for_what_is_kept(void **state) {
    struct scene *scene = *state;
    struct store_redis *store = scene->store;
    put(scene);
    store->giving_bytes += 32 * MIB; /* as if they were on their way */
    complete(scene, UNKNOWN_ID, "greedy", 1);
    complete(scene, scene->request_id, "other", 3);
    assert_int_equal(store->kept.count, 2);
    store->giving_bytes -= 32 * MIB;
    complete(scene, UNKNOWN_ID, "greedy", 1);
    while (store_redis_owed(store) || store->kept.count) turn(scene);
    assert_int_equal(store->giving_bytes, 0);
    assert_int_equal(scene->unavailable, 2); /* told at once that Redis has not taken them */
    assert_int_equal(scene->told, 3);
    take(scene);
    assert_int_equal(scene->body_len, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_agent_that_answers_much_leaves_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_taken_makes_room_for_what_is_kept, set_up, tear_down),
    };
    if (!redis_server_exists("redis-server") && !getenv("CI")) {
        fprintf(stderr, "skipped: redis-server is not installed\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
