/* The local client, and a service that the test plays by hand. */
#ifndef LOCAL_SCENE_H
#define LOCAL_SCENE_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/un.h>

#include "by_hand.h"
#include "local/local_state.h"

#define CONNECT_MS 60000
#define HELLO "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"

static int listener;
static uint16_t port;
static struct local_client *client;
static struct arena arena;
static struct headers headers;

/* ---- the service ---- */

static inline int listen_at(const struct sockaddr *address, socklen_t len) {
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, address, len), 0);
    assert_int_equal(listen(fd, 1024), 0);
    return fd;
}

/* The next connection of the client. */
static inline int serve_at(int fd) {
    int accepted = -1;
    UNTIL((accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK)) >= 0);
    return accepted;
}

static inline int serve(void) {
    return serve_at(listener);
}

/* Whatever it has heard: 0 when the client has closed in order, or errno. */
static inline int hear_out(int fd) {
    char heard[4096];
    ssize_t len = 0;
    UNTIL((len = recv(fd, heard, sizeof(heard), 0)) == 0 || (len < 0 && errno != EAGAIN));
    return len < 0 ? errno : 0;
}

/* ---- who asks ---- */

struct probe {
    struct local_request *request;
    int status, heads, switches, ends, informationals, trailers;
    enum local_error error;
    char detail[200];
    size_t sent;
    struct buf body;
    char pauses_at; /* 'h'ead, 'd'ata */
};

static void on_informational(void *ctx, int status) {
    struct probe *probe = ctx;
    assert_int_equal(status, 100);
    probe->informationals++;
}

static void pause_at(struct probe *probe, char at) {
    if (probe->pauses_at == at) local_request_pause(probe->request, true);
}

static void on_head(void *ctx, int status, const struct headers *received) {
    struct probe *probe = ctx;
    (void)received;
    probe->status = status;
    probe->heads++;
    pause_at(probe, 'h');
}

static void on_switched(void *ctx, const struct headers *received) {
    struct probe *probe = ctx;
    (void)received;
    probe->switches++;
}

static void on_data(void *ctx, struct view data) {
    struct probe *probe = ctx;
    assert_true(buf_append_view(&probe->body, data));
    pause_at(probe, 'd');
}

static void on_sent(void *ctx, size_t bytes) {
    struct probe *probe = ctx;
    probe->sent += bytes;
}

static void on_trailers(void *ctx, const struct headers *trailers) {
    struct probe *probe = ctx;
    probe->trailers += (int)trailers->count;
}

static void on_end(void *ctx, enum local_error error, const char *detail) {
    struct probe *probe = ctx;
    assert_int_equal(probe->ends++, 0);
    probe->error = error;
    snprintf(probe->detail, sizeof(probe->detail), "%s", detail);
    probe->request = NULL;
}

static const struct local_events events = {on_informational, on_head,     on_switched, on_data,
                                           on_sent,          on_trailers, on_end};

static inline void start_with(struct probe *probe, const struct local_head *head) {
    buf_init(&probe->body, 64u * 1024 * 1024);
    probe->request = local_request_start(client, head, &events, probe);
    assert_non_null(probe->request);
}

static inline struct local_head head_of(const char *method, int64_t body_bytes) {
    return (struct local_head){
        .method = view_from_cstr(method), .target = VIEW("/"), .headers = &headers, .body_bytes = body_bytes};
}

static inline void start(struct probe *probe, const char *method, int64_t body_bytes) {
    struct local_head head = head_of(method, body_bytes);
    start_with(probe, &head);
}

static inline void get(struct probe *probe) {
    start(probe, "GET", LOCAL_BODY_NONE);
}

static inline void done(struct probe *probe) {
    if (probe->request) local_request_cancel(probe->request);
    buf_done(&probe->body);
    *probe = (struct probe){.status = 0};
}

/* The service says hello to what it has heard. */
static inline void answer_hello(int fd, struct probe *probe) {
    say(fd, HELLO);
    UNTIL(probe->ends == 1);
    assert_int_equal(probe->error, LOCAL_OK);
    assert_int_equal(probe->status, 200);
    assert_true(view_eq(buf_view(&probe->body), VIEW("hello")));
}

/* A GET on a connection that is new, which is kept then. */
static inline int get_hello(void) {
    struct probe probe = {.status = 0};
    get(&probe);
    int fd = serve();
    answer_hello(fd, &probe);
    done(&probe);
    char heard[4096];
    while (recv(fd, heard, sizeof(heard), 0) > 0) continue;
    return fd;
}

static inline struct local_connection *newest(void) {
    assert_false(list_empty(&client->idle));
    return LIST_ENTRY(client->idle.next, struct local_connection, node);
}

static inline size_t count_of(const struct list *list) {
    size_t count = 0;
    for (const struct list *node = list->next; node != list; node = node->next) count++;
    return count;
}

/* ---- set-up ---- */

static inline void begin_client(const struct local_target *target) {
    client = local_client_new(&loop, target, CONNECT_MS);
    assert_non_null(client);
}

static inline void end_client(void) {
    local_client_shut(client);
    UNTIL(client->closing == 0);
    local_client_free(client);
    client = NULL;
}

static inline int setup(void **state) {
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    listener = listen_at((struct sockaddr *)&address, len);
    getsockname(listener, (struct sockaddr *)&address, &len);
    port = ntohs(address.sin_port);
    assert_true(loop_init(&loop));
    arena_init(&arena, 65536);
    headers_init(&headers, &arena);
    headers_add(&headers, VIEW("host"), VIEW("a"));
    begin_client(&(struct local_target){.host = "127.0.0.1", .port = port});
    return 0;
}

static inline int teardown(void **state) {
    (void)state;
    if (client) end_client();
    assert_true(loop_done_within(&loop, 5000));
    arena_done(&arena);
    close(listener);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
