/* A daemon of libmicrohttpd as a guest of the loop: a client in a thread asks it, on connections that stay
 * and on several at once. Run twice (CMakeLists.txt): with this system's way to watch sockets, and with
 * Darwin's. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmocka_setup.h"
#include "mhd/mhd_loop.h"

#define CLIENTS 8
#define REQUESTS 5
#define BODY_BYTES ((size_t)3 * 1024 * 1024) /* more than sockets hold: written in many turns */

struct scene {
    struct loop loop;
    struct mhd_loop mhd;
    uv_async_t done;
    struct sockaddr_in address;
    char *body;
    bool went_well;
};

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data, size_t *len,
                                  void **request) {
    (void)url, (void)method, (void)version, (void)data, (void)len;
    struct scene *scene = ctx;
    if (!*request) { /* an answer to the head alone would end the connection */
        *request = scene;
        return MHD_YES;
    }
    struct MHD_Response *response =
        MHD_create_response_from_buffer(BODY_BYTES, scene->body, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

/* ---- the client ---- */

static int connect_to(const struct scene *scene) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct timeval patience = {.tv_sec = 20};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (connect(fd, (const struct sockaddr *)&scene->address, sizeof(scene->address)) == 0) return fd;
    close(fd);
    return -1;
}

/* Whether an answer comes with all of its body: the head ends with an empty line. */
static bool ask(int fd) {
    static const char request[] = "GET / HTTP/1.1\r\nHost: here\r\n\r\n";
    static char bytes[64 * 1024];
    size_t wanted = 0, got = 0;
    if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) != (ssize_t)sizeof(request) - 1) return false;
    while (!wanted || got < wanted) {
        ssize_t len = recv(fd, bytes, sizeof(bytes) - 1, 0);
        if (len <= 0) return false;
        bytes[len] = '\0';
        const char *end = wanted ? NULL : strstr(bytes, "\r\n\r\n");
        if (!wanted && !end) return false; /* heads are short: they come whole */
        if (end) wanted = (size_t)(end - bytes) + 4 + BODY_BYTES;
        got += (size_t)len;
    }
    return got == wanted;
}

static bool ask_all(const struct scene *scene) {
    int fds[CLIENTS];
    bool well = true;
    for (size_t i = 0; i < CLIENTS; i++) fds[i] = connect_to(scene);
    for (size_t turn = 0; turn < REQUESTS; turn++)
        for (size_t i = 0; i < CLIENTS; i++) well = well && fds[i] >= 0 && ask(fds[i]);
    for (size_t i = 0; i < CLIENTS; i++) close(fds[i]);
    return well;
}

static void *client(void *ctx) {
    struct scene *scene = ctx;
    scene->went_well = ask_all(scene) && ask_all(scene); /* descriptors get their numbers again */
    uv_async_send(&scene->done);
    return NULL;
}

/* ---- the loop ---- */

static void on_done(uv_async_t *async) {
    struct scene *scene = async->data;
    uv_close((uv_handle_t *)async, NULL);
    loop_quit(&scene->loop);
}

static int listen_somewhere(struct scene *scene) {
    socklen_t len = sizeof(scene->address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    scene->address = (struct sockaddr_in){.sin_family = AF_INET};
    scene->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (const struct sockaddr *)&scene->address, len), 0);
    assert_int_equal(listen(fd, 32), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&scene->address, &len), 0);
    return fd;
}

static void test_requests_are_answered(void **state) {
    (void)state;
    static struct scene scene;
    pthread_t thread;
    scene.body = calloc(1, BODY_BYTES);
    assert_true(loop_init(&scene.loop));
    struct MHD_Daemon *daemon =
        MHD_start_daemon(MHD_LOOP_FLAGS & ~(unsigned)MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, on_request,
                         &scene, MHD_OPTION_EXTERNAL_LOGGER, mhd_loop_log, NULL, MHD_OPTION_LISTEN_SOCKET,
                         listen_somewhere(&scene), MHD_OPTION_END);
    assert_non_null(daemon);
    assert_true(mhd_loop_start(&scene.mhd, &scene.loop, daemon));
    scene.done.data = &scene;
    uv_async_init(&scene.loop.uv, &scene.done, on_done);
    assert_int_equal(pthread_create(&thread, NULL, client, &scene), 0);
    loop_run(&scene.loop);
    pthread_join(thread, NULL);
    assert_true(scene.went_well);
    mhd_loop_stop(&scene.mhd);
    loop_done(&scene.loop);
    free(scene.body);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_requests_are_answered)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
