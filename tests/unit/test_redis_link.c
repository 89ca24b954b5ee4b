/* A connection to Redis that dies: what is sent again, and what is not. Redis is a few lines of ours; so is
 * the clock, where a test has to do with time. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "cmocka_setup.h"
#include "store/redis_link.h"

enum manner { ANSWERS, HANGS_UP, REFUSES, GIBBERISH, HANGS };

struct scene {
    struct loop loop;
    char folder[32], path[64];
    struct redis_url url;
    struct redis_link *link;
    uv_pipe_t server;
    uv_stream_t *peer;                        /* the newest connection */
    enum manner manner;                       /* towards commands; PING is always answered */
    unsigned connections, pings, once, again; /* commands that came */
    unsigned ups, downs, done;
    enum status status;
    bool server_open;
};

/* ---- the clock ---- */

static uint64_t stopped_ms; /* 0: it goes by itself */

int clock_gettime(clockid_t clock, struct timespec *ret_time) {
    if (!stopped_ms) return (int)syscall(SYS_clock_gettime, clock, ret_time);
    *ret_time = (struct timespec){.tv_sec = (time_t)(stopped_ms / 1000),
                                  .tv_nsec = (long)(stopped_ms % 1000) * 1000000};
    return 0;
}

/* ---- Redis ---- */

static void on_closed(uv_handle_t *handle) {
    free(handle);
}

static void on_written(uv_write_t *write, int status) {
    (void)status;
    free(write);
}

static void say(uv_stream_t *stream, const char *text) {
    uv_write_t *write = malloc(sizeof(*write));
    uv_buf_t bytes = uv_buf_init((char *)(uintptr_t)text, (unsigned)strlen(text));
    uv_write(write, stream, &bytes, 1, on_written);
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *out) {
    (void)handle, (void)suggested;
    static char bytes[4096];
    *out = uv_buf_init(bytes, sizeof(bytes) - 1);
}

static unsigned count(const char *text, const char *word) {
    unsigned found = 0;
    for (const char *at = text; (at = strstr(at, word)); at++) found++;
    return found;
}

static void on_command(uv_stream_t *stream, ssize_t len, const uv_buf_t *bytes) {
    struct scene *scene = stream->data;
    if (len <= 0) {
        if (!uv_is_closing((uv_handle_t *)stream)) uv_close((uv_handle_t *)stream, on_closed);
        return;
    }
    bytes->base[len] = '\0';
    unsigned pings = count(bytes->base, "PING"), once = count(bytes->base, "ONCE"),
             again = count(bytes->base, "AGAIN");
    scene->pings += pings;
    scene->once += once;
    scene->again += again;
    for (unsigned i = 0; i < pings; i++) say(stream, "+PONG\r\n");
    for (unsigned i = 0; i < once + again && !uv_is_closing((uv_handle_t *)stream); i++)
        switch (scene->manner) {
        case ANSWERS: say(stream, "+OK\r\n"); break;
        case HANGS_UP: uv_close((uv_handle_t *)stream, on_closed); break;
        case REFUSES: say(stream, "-OOM command not allowed when used memory > 'maxmemory'.\r\n"); break;
        case GIBBERISH: say(stream, "HTTP/1.1 400 Bad Request\r\n\r\n"); break;
        case HANGS: break;
        }
}

static void on_connection(uv_stream_t *server, int status) {
    struct scene *scene = server->data;
    uv_pipe_t *pipe = calloc(1, sizeof(*pipe));
    assert_int_equal(status, 0);
    uv_pipe_init(&scene->loop.uv, pipe, 0);
    pipe->data = scene;
    assert_int_equal(uv_accept(server, (uv_stream_t *)pipe), 0);
    scene->connections++;
    scene->peer = (uv_stream_t *)pipe;
    uv_read_start((uv_stream_t *)pipe, on_allocate, on_command);
}

static void open_server(struct scene *scene) {
    uv_pipe_init(&scene->loop.uv, &scene->server, 0);
    scene->server.data = scene;
    assert_int_equal(uv_pipe_bind(&scene->server, scene->path), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&scene->server, 8, on_connection), 0);
    scene->server_open = true;
}

/* ---- the scene ---- */

static void on_up(void *ctx) {
    ((struct scene *)ctx)->ups++;
}

static void on_down(void *ctx) {
    ((struct scene *)ctx)->downs++;
}

static void turn(struct scene *scene) {
    uv_run(&scene->loop.uv, UV_RUN_ONCE);
}

/* From the first time on the clock stands still in between. */
static void pass(struct scene *scene, uint64_t ms) {
    if (!stopped_ms) stopped_ms = uv_hrtime() / 1000000;
    for (uint64_t i = 0; i < ms; i += 10) {
        stopped_ms += 10;
        for (int turns = 0; turns < 10; turns++) uv_run(&scene->loop.uv, UV_RUN_NOWAIT);
    }
}

static int set_up(void **state) {
    struct scene *scene = calloc(1, sizeof(*scene));
    assert_true(loop_init(&scene->loop));
    strcpy(scene->folder, "/tmp/ttf-link-XXXXXX");
    assert_non_null(mkdtemp(scene->folder));
    snprintf(scene->path, sizeof(scene->path), "%s/socket", scene->folder);
    snprintf(scene->url.path, sizeof(scene->url.path), "%s", scene->path);
    strcpy(scene->url.shown, "redis of the test");
    open_server(scene);
    struct redis_link_settings settings = {
        .loop = &scene->loop, .url = &scene->url, .ctx = scene, .up = on_up, .down = on_down};
    scene->link = redis_link_new(&settings);
    while (!scene->ups) turn(scene);
    *state = scene;
    return 0;
}

static int tear_down(void **state) {
    struct scene *scene = *state;
    stopped_ms = 0;
    redis_link_free(scene->link);
    if (scene->server_open) uv_close((uv_handle_t *)&scene->server, NULL);
    loop_done(&scene->loop);
    unlink(scene->path);
    rmdir(scene->folder);
    free(scene);
    return 0;
}

static void on_done(void *ctx, enum status status, const redisReply *reply) {
    struct scene *scene = ctx;
    assert_int_equal(reply != NULL, status == STATUS_OK);
    scene->done++;
    scene->status = status;
}

static void call(struct scene *scene, const char *word, bool again) {
    const struct view words[] = {view_from_cstr(word)};
    redis_link_call(scene->link, words, 1, again, on_done, scene);
    assert_int_equal(scene->done, 0); /* never within the call */
}

static enum status wait_done(struct scene *scene) {
    while (!scene->done) turn(scene);
    assert_int_equal(scene->done, 1);
    scene->done = 0;
    assert_int_equal(redis_link_owed(scene->link), 0);
    return scene->status;
}

/* ---- tests ---- */

static void an_answer_comes_back(void **state) {
    struct scene *scene = *state;
    call(scene, "ONCE", false);
    assert_int_equal(wait_done(scene), STATUS_OK);
    assert_int_equal(scene->once, 1);
}

static void what_may_be_repeated_is_sent_again(void **state) {
    struct scene *scene = *state;
    scene->manner = HANGS_UP;
    call(scene, "AGAIN", true);
    while (scene->again == 0) turn(scene);
    scene->manner = ANSWERS;
    assert_int_equal(wait_done(scene), STATUS_OK);
    assert_int_equal(scene->again, 2);
    assert_int_equal(scene->connections, 2);
    assert_int_equal(scene->downs, 1);
    assert_int_equal(scene->ups, 2);
}

static void what_may_not_be_repeated_fails(void **state) {
    struct scene *scene = *state;
    scene->manner = HANGS_UP;
    call(scene, "ONCE", false);
    assert_int_equal(wait_done(scene), STATUS_UNAVAILABLE);
    scene->manner = ANSWERS;
    while (scene->ups < 2) turn(scene);
    call(scene, "AGAIN", true);
    assert_int_equal(wait_done(scene), STATUS_OK);
    assert_int_equal(scene->once, 1);
}

static void without_a_connection(void **state) {
    struct scene *scene = *state;
    redis_link_drop(scene->link, "the test says so");
    while (!scene->downs) turn(scene);
    call(scene, "ONCE", false);
    assert_int_equal(wait_done(scene), STATUS_UNAVAILABLE);
    call(scene, "AGAIN", true); /* waits a moment for one */
    assert_int_equal(wait_done(scene), STATUS_OK);
    assert_int_equal(scene->once, 0);
}

static void nobody_there(void **state) {
    struct scene *scene = *state;
    uv_close((uv_handle_t *)&scene->server, NULL);
    scene->server_open = false;
    redis_link_drop(scene->link, "the test says so");
    while (!scene->downs) turn(scene);
    call(scene, "AGAIN", true);
    assert_int_equal(wait_done(scene), STATUS_UNAVAILABLE);
    open_server(scene);
    while (scene->ups < 2) turn(scene);
    call(scene, "AGAIN", true);
    assert_int_equal(wait_done(scene), STATUS_OK);
}

static void an_error_is_a_status(void **state) {
    struct scene *scene = *state;
    scene->manner = REFUSES;
    for (int i = 0; i < 3; i++) {
        call(scene, "ONCE", false);
        assert_int_equal(wait_done(scene), STATUS_UNAVAILABLE);
    }
    assert_int_equal(scene->downs, 0);
}

static void what_is_no_redis(void **state) {
    struct scene *scene = *state;
    scene->manner = GIBBERISH;
    call(scene, "ONCE", false);
    assert_int_equal(wait_done(scene), STATUS_UNAVAILABLE);
    while (!scene->downs) turn(scene);
}

/* What was sent again has its time anew, and all of it as long as answers come. */
static void one_that_has_hung_may_be_slow(void **state) {
    struct scene *scene = *state;
    pass(scene, 5000);
    scene->manner = HANGS;
    for (int i = 0; i < 12; i++) call(scene, "AGAIN", true);
    pass(scene, 2900);
    assert_int_equal(scene->downs, 0);
    pass(scene, 600);
    assert_int_equal(scene->ups, 2);
    assert_int_equal(scene->again, 24);
    for (unsigned i = 1; i <= 12; i++) {
        pass(scene, 1000);
        assert_int_equal(scene->connections, 2);
        say(scene->peer, "+OK\r\n");
        pass(scene, 10);
        assert_int_equal(scene->done, i);
        assert_int_equal(scene->status, STATUS_OK);
    }
}

static void one_that_hangs_again_is_found_out(void **state) {
    struct scene *scene = *state;
    scene->manner = HANGS;
    call(scene, "AGAIN", true);
    pass(scene, 6000);
    assert_int_equal(scene->again, 2);
    assert_int_equal(scene->done, 0);
    pass(scene, 3000);
    assert_int_equal(scene->again, 2);
    assert_int_equal(scene->downs, 2);
    assert_int_equal(wait_done(scene), STATUS_UNAVAILABLE);
}

static void one_that_is_too_slow_is_given_up(void **state) {
    struct scene *scene = *state;
    scene->manner = HANGS;
    for (int i = 0; i < 10; i++) call(scene, "AGAIN", true);
    for (unsigned i = 1; i <= 7; i++) {
        pass(scene, 2000);
        say(scene->peer, "+OK\r\n");
        pass(scene, 10);
        assert_int_equal(scene->done, i);
    }
    assert_int_equal(scene->downs, 0);
    pass(scene, 1500);
    assert_int_equal(scene->downs, 1);
    assert_int_equal(scene->done, 10);
    assert_int_equal(scene->status, STATUS_UNAVAILABLE);
    assert_int_equal(scene->again, 10);
}

static void what_is_owed_at_the_end_fails(void **state) {
    struct scene *scene = *state;
    call(scene, "ONCE", false);
    call(scene, "AGAIN", true);
    redis_link_free(scene->link);
    scene->link = NULL;
    assert_int_equal(scene->done, 2);
    assert_int_equal(scene->status, STATUS_UNAVAILABLE);
}

int main(void) {
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(an_answer_comes_back),
        T(what_may_be_repeated_is_sent_again),
        T(what_may_not_be_repeated_fails),
        T(without_a_connection),
        T(nobody_there),
        T(an_error_is_a_status),
        T(what_is_no_redis),
        T(one_that_has_hung_may_be_slow),
        T(one_that_hangs_again_is_found_out),
        T(one_that_is_too_slow_is_given_up),
        T(what_is_owed_at_the_end_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
