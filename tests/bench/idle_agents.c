/* Agents that only keep their tunnels: `idle_agents PORT COUNT` opens COUNT links of protocol v2 to the
 * gateway at 127.0.0.1:PORT from one process and one thread. It prints `url URL` for each that is
 * established, `all COUNT` after the last, `lost INDEX` for each whose connection ends, and answers every
 * visitor with an empty 200. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "link/link.h"
#include "protocol/v1.h"

#define CONNECTING_MAX 64 /* at once; the gateway's backlog is not what is measured */
#define MESSAGE_MAX ((size_t)1024 * 1024)

enum opcode { OP_BINARY = 2, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };

struct agent {
    int fd;
    size_t index;
    bool is_upgraded, is_established;
    struct link_session *session;
    struct buf in;
};

static struct link_budget budget = {.max_bytes = 32 * 1024 * 1024};
static struct headers no_headers;
static struct arena arena;
static size_t connecting, established;

static void must(bool ok, const char *what) {
    if (ok) return;
    fprintf(stderr, "idle_agents: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ms(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000 + (uint64_t)at.tv_nsec / 1000000;
}

static void lose(struct agent *agent) {
    if (agent->fd < 0) return;
    printf("lost %zu\n", agent->index);
    close(agent->fd);
    agent->fd = -1;
    if (!agent->is_established) connecting--;
}

/* ---- frames ---- */

/* Masked, as a client must, with the key 0, which changes nothing. */
static void send_frame(struct agent *agent, enum opcode opcode, struct view body) {
    unsigned char head[14] = {(unsigned char)(0x80 | opcode)};
    size_t len = 2;
    if (body.len < 126) {
        head[1] = (unsigned char)(0x80 | body.len);
    } else {
        must(body.len < 65536, "a frame that long");
        head[1] = 0x80 | 126;
        head[2] = (unsigned char)(body.len >> 8);
        head[3] = (unsigned char)body.len;
        len = 4;
    }
    len += 4;
    bool sent = send(agent->fd, head, len, MSG_NOSIGNAL | MSG_MORE) == (ssize_t)len &&
                send(agent->fd, body.ptr, body.len, MSG_NOSIGNAL) == (ssize_t)body.len;
    if (!sent) lose(agent);
}

static void flush(struct agent *agent) {
    struct buf out;
    buf_init(&out, 65535);
    while (agent->fd >= 0 && link_wants_send(agent->session)) {
        if (link_send(agent->session, &out) != STATUS_OK)
            lose(agent);
        else if (out.len)
            send_frame(agent, OP_BINARY, buf_view(&out));
        buf_clear(&out);
    }
    buf_done(&out);
}

static void on_frame(struct agent *agent, unsigned opcode, struct view body) {
    if (opcode == OP_CLOSE) {
        lose(agent);
    } else if (opcode == OP_PING) {
        send_frame(agent, OP_PONG, body);
    } else if (opcode <= OP_BINARY) {
        link_tick(agent->session, now_ms());
        if (link_receive(agent->session, body) != STATUS_OK) {
            fprintf(stderr, "idle_agents: %s\n", link_error(agent->session));
            lose(agent);
        }
    }
}

/* Takes one frame off the front; false where it has not all come. */
static bool take_frame(struct agent *agent) {
    struct view in = buf_view(&agent->in);
    const unsigned char *bytes = (const unsigned char *)in.ptr;
    size_t head = 2, len;
    if (in.len < 2) return false;
    len = bytes[1] & 0x7f;
    if (len == 126) head = 4;
    if (len == 127) head = 10;
    if (in.len < head) return false;
    if (head > 2) len = 0;
    for (size_t i = 2; i < head; i++) len = len << 8 | bytes[i];
    if (in.len - head < len) return false;
    on_frame(agent, bytes[0] & 0x0f, view_of(in.ptr + head, len));
    buf_consume(&agent->in, head + len);
    return true;
}

/* ---- the link ---- */

static void on_data(void *ctx, struct view data) {
    (void)ctx, (void)data;
}

static void on_end(void *ctx, const struct headers *trailers) {
    (void)ctx, (void)trailers;
}

static void on_done(void *ctx) {
    (void)ctx;
}

static void on_lost(void *ctx, enum stream_end why) {
    (void)ctx, (void)why;
}

static const struct stream_events stream_events = {
    .data = on_data, .end = on_end, .done = on_done, .lost = on_lost};

static void on_request(void *ctx, struct link_stream *stream, const struct stream_head *head, bool has_body) {
    (void)head, (void)has_body;
    struct stream_head answer = {.status = 200, .headers = &no_headers};
    link_stream_attach(stream, &stream_events, ctx);
    link_stream_answer(stream, &answer, false);
}

static void on_control(void *ctx, struct view line) {
    struct agent *agent = ctx;
    enum status status;
    struct v1_message *message = v1_message_parse(line, 0, &status);
    if (message && message->type == V1_CONNECTION_ESTABLISHED && !agent->is_established) {
        agent->is_established = true;
        established++;
        connecting--;
        printf("url %.*s\n", VIEW_ARG(message->public_url));
    }
    v1_message_free(message);
}

static void on_writable(void *ctx) {
    (void)ctx; /* flush() looks after each message */
}

static void upgrade(struct agent *agent) {
    struct link_limits limits = LINK_LIMITS_DEFAULT;
    struct link_events events = {
        .ctx = agent, .request = on_request, .control = on_control, .writable = on_writable};
    struct buf ready;
    buf_init(&ready, 4096);
    agent->is_upgraded = true;
    agent->session = link_new(LINK_ANSWERS, &limits, &budget, &events);
    must(agent->session && v1_encode_ready(&ready, V1_CAP_RESUME, 0), "memory");
    must(link_control(agent->session, buf_view(&ready)) == STATUS_OK, "ready");
    buf_done(&ready);
}

/* ---- the sockets ---- */

static void open_agent(struct agent *agent, int epoll, const struct sockaddr_in *gateway) {
    static const char request[] =
        "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Protocol: http-tunnel.v2\r\n\r\n";
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = agent};
    buf_init(&agent->in, MESSAGE_MAX);
    agent->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(agent->fd >= 0, "socket");
    must(connect(agent->fd, (const struct sockaddr *)gateway, sizeof(*gateway)) == 0, "connect");
    must(send(agent->fd, request, sizeof(request) - 1, MSG_NOSIGNAL) > 0, "handshake");
    must(epoll_ctl(epoll, EPOLL_CTL_ADD, agent->fd, &event) == 0, "epoll");
    connecting++;
}

static bool take_handshake(struct agent *agent) {
    struct view in = buf_view(&agent->in);
    const char *end = memmem(in.ptr, in.len, "\r\n\r\n", 4);
    if (!end) return false;
    bool is_v2 = view_starts_with(in, VIEW("HTTP/1.1 101")) && memmem(in.ptr, in.len, "http-tunnel.v2", 14);
    if (!is_v2) fprintf(stderr, "idle_agents: refused:\n%.*s\n", VIEW_ARG(in));
    if (!is_v2) exit(1);
    buf_consume(&agent->in, (size_t)(end + 4 - in.ptr));
    upgrade(agent);
    return true;
}

static void on_readable(struct agent *agent) {
    char bytes[16384];
    if (agent->fd < 0) return;
    ssize_t len = recv(agent->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (len < 0 && errno == EAGAIN) return;
    if (len <= 0 || !buf_append(&agent->in, bytes, (size_t)len)) {
        lose(agent);
        return;
    }
    if (!agent->is_upgraded && !take_handshake(agent)) return;
    while (agent->fd >= 0 && take_frame(agent)) continue;
    if (agent->in.len == 0) buf_done(&agent->in);
    flush(agent);
}

int main(int argc, char **argv) {
    must(argc == 3, "usage: idle_agents PORT COUNT");
    struct sockaddr_in gateway = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(argv[1])),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    size_t count = strtoul(argv[2], NULL, 10), opened = 0;
    struct agent *agents = calloc(count, sizeof(*agents));
    struct epoll_event events[256];
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    must(agents && epoll >= 0, "memory");
    arena_init(&arena, 4096);
    headers_init(&no_headers, &arena);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (bool told = false;;) {
        for (; opened < count && connecting < CONNECTING_MAX; opened++) {
            agents[opened].index = opened;
            open_agent(&agents[opened], epoll, &gateway);
        }
        int ready = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < ready; i++) on_readable(events[i].data.ptr);
        if (!told && established == count) told = printf("all %zu\n", count) > 0;
    }
}
