/* libFuzzer target: visitors' connections (public/visit*.c), with a core that answers anything. A line of the
 * input that begins with '<' is what the visitor sends, as it stands behind it ('|' is CR LF, '~' NUL); each
 * byte of any other line is a step of the core or of the clock. Whatever comes, an exchange ends once, no
 * more of a body comes than was granted, and at the end nobody is left. */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "fuzz_log.h"
#include "public/visit.h"

#define TURNS 3
#define STEPS_MAX 400

struct exchange {
    struct answer_sink sink;
    struct body_source source;
    size_t granted, got;
    bool has_head, has_body_end, is_upgrade, has_length;
    uint64_t left; /* of an answer with a length */
};

struct core {
    struct visitors *visitors;
    struct clients clients, proxied;
    struct exchange *exchange;
    struct loop loop;
    int fd; /* the visitor's end; -1: closed */
};

static struct core core;

/* ---- the core, of which visitors know these ---- */

static void forget(struct exchange *exchange) {
    require(core.exchange == exchange && exchange);
    core.exchange = NULL;
    free(exchange);
}

struct exchange *core_forward(struct core *to, const struct forward_event *event,
                              const struct body_source *source, const struct answer_sink *sink,
                              size_t window_bytes) {
    require(to == &core && !core.exchange && window_bytes == VISIT_WINDOW_BYTES);
    require(event->method.len && event->target.len && event->version.len);
    struct exchange *exchange = calloc(1, sizeof(*exchange));
    require(exchange != NULL);
    exchange->sink = *sink;
    exchange->source = *source;
    return core.exchange = exchange;
}

void exchange_body(struct exchange *exchange, struct view data) {
    require(core.exchange == exchange && !exchange->has_body_end && data.len);
    exchange->got += data.len;
    require(exchange->got <= exchange->granted);
}

void exchange_body_end(struct exchange *exchange) {
    require(core.exchange == exchange && !exchange->has_body_end);
    exchange->has_body_end = true;
}

void exchange_drained(struct exchange *exchange, size_t bytes) {
    require(core.exchange == exchange && bytes > 0);
}

void exchange_cancel(struct exchange *exchange) {
    forget(exchange);
}

void exchange_stalled(struct exchange *exchange, uint64_t since_ms) {
    require(core.exchange == exchange);
    (void)since_ms;
}

uint64_t exchange_tunnel_key(const struct exchange *exchange) {
    (void)exchange;
    return 1;
}

struct exchange_facts exchange_facts(const struct exchange *exchange) {
    require(core.exchange == exchange);
    return (struct exchange_facts){.tunnel = VIEW("fuzz")};
}

/* ---- its steps ---- */

static void answer(int status, uint64_t length, bool has_body, const char *upgrade) {
    static const struct header fields[] = {{{"date", 4}, {"now", 3}}, {{"x-a", 3}, {"b", 1}}};
    struct headers headers = {.fields = (struct header *)fields, .count = 2, .bytes = 80};
    struct exchange *exchange = core.exchange;
    struct answer_head head = {
        .status = status, .headers = &headers, .content_length = length, .has_body = has_body};
    if (upgrade) head.upgrade = view_from_cstr(upgrade);
    if (exchange->has_head || (upgrade && !exchange->has_body_end)) return; /* the gate sees to that */
    if (upgrade) exchange->has_body_end = false; /* from now on that of the visitor's direction */
    exchange->has_head = true;
    exchange->has_length = length != LENGTH_UNKNOWN;
    exchange->left = has_body ? length : 0;
    exchange->is_upgrade = upgrade != NULL;
    exchange->sink.head(exchange->sink.ctx, &head);
}

static void data(size_t len) {
    static const char bytes[70000];
    struct exchange *exchange = core.exchange;
    if (exchange->has_length && len > exchange->left) len = (size_t)exchange->left;
    if (!exchange->has_head || len == 0) return;
    if (exchange->has_length) exchange->left -= len;
    exchange->sink.data(exchange->sink.ctx, view_of(bytes, len));
}

static void end_with(struct exchange *exchange, const struct headers *trailers) {
    struct answer_sink sink = exchange->sink;
    if (!exchange->has_head || (exchange->has_length && exchange->left)) return;
    forget(exchange);
    sink.end(sink.ctx, trailers);
}

static void end_with_trailers(void) {
    static const struct header fields[] = {{{"x-a", 3}, {"b", 1}}, {{"x-empty", 7}, {NULL, 0}}};
    const struct headers trailers = {.fields = (struct header *)fields, .count = 2, .bytes = 80};
    end_with(core.exchange, &trailers);
}

static void end(bool aborts) {
    struct exchange *exchange = core.exchange;
    struct answer_sink sink = exchange->sink;
    if (!aborts) {
        end_with(exchange, NULL);
        return;
    }
    forget(exchange);
    sink.abort(sink.ctx);
}

static void grant(size_t bytes) {
    struct exchange *exchange = core.exchange;
    exchange->granted += bytes;
    exchange->source.grant(exchange->source.ctx, bytes);
}

static void step(char what) {
    switch (what) {
    case 'o': answer(200, 5, true, NULL); break;
    case 'c': answer(200, LENGTH_UNKNOWN, true, NULL); break;
    case 'l': answer(200, 70000, true, NULL); break;
    case 'n': answer(204, LENGTH_UNKNOWN, false, NULL); break;
    case 'm': answer(304, 9, false, NULL); break;
    case 'u': answer(101, LENGTH_UNKNOWN, false, "x"); break;
    case 'd': data(5); break;
    case 'D': data(70000); break;
    case 'e': end(false); break;
    case 'E': end_with_trailers(); break;
    case 'a': end(true); break;
    case 'g': grant(3); break;
    case 'G': grant(100000); break;
    default: break;
    }
}

/* ---- the visitor ---- */

static void turn(void) {
    for (int i = 0; i < TURNS; i++) uv_run(&core.loop.uv, UV_RUN_NOWAIT);
}

static void come(void) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    int ends[2];
    require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    core.fd = ends[0];
    struct client *client = clients_take(&core.clients, (struct sockaddr *)&address);
    require(client != NULL);
    visitors_accept(core.visitors, &(struct conn){.fd = ends[1]}, client, (struct sockaddr *)&address,
                    sizeof(address));
}

static void say(struct view line) {
    char bytes[16384];
    size_t len = 0;
    for (size_t i = 0; i < line.len && len + 2 < sizeof(bytes); i++) {
        bytes[len++] = line.ptr[i] == '|' ? '\r' : line.ptr[i] == '~' ? '\0' : line.ptr[i];
        if (line.ptr[i] == '|') bytes[len++] = '\n';
    }
    if (core.fd >= 0) (void)!send(core.fd, bytes, len, MSG_NOSIGNAL);
}

static void hear(void) {
    static char bytes[262144];
    if (core.fd >= 0) (void)!recv(core.fd, bytes, sizeof(bytes), 0);
}

static void leave(void) {
    if (core.fd >= 0) close(core.fd);
    core.fd = -1;
}

static void tick(uint64_t ms) {
    struct list *all = &core.visitors->all;
    for (struct list *node = all->next, *next; node != all; node = next) {
        next = node->next;
        visit_tick(LIST_ENTRY(node, struct visit, node), loop_now(&core.loop) + ms);
    }
}

static void play(struct view line) {
    for (size_t i = 0; i < line.len && i < STEPS_MAX; i++) {
        char what = line.ptr[i];
        if (what == 'h') hear();
        if (what == 's' && core.fd >= 0) shutdown(core.fd, SHUT_WR);
        if (what == 'x') leave();
        if (what == 't') tick(2000);
        if (what == 'T') tick(100000);
        if (what == 'p') visitors_drain(core.visitors);
        if (core.exchange) step(what);
        turn();
    }
}

static void set_up(bool is_proxy) {
    static struct network anybody;
    static bool is_ready;
    if (!is_ready) require(loop_init(&core.loop));
    is_ready = true;
    struct visitor_settings settings = {.head_bytes = 4096,
                                        .header_timeout_ms = 5000,
                                        .keepalive_timeout_ms = 7000,
                                        .body_idle_timeout_ms = 9000};
    fuzz_hush();
    require(network_parse(VIEW("0.0.0.0/0"), &anybody));
    clients_init(&core.clients, 0, 0, &anybody, is_proxy);
    clients_init(&core.proxied, 0, 0, NULL, 0);
    core.visitors = visitors_new(&core.loop, &core, &settings, &core.proxied);
    require(core.visitors != NULL);
}

static void tear_down(void) {
    leave();
    turn();
    visitors_stop(core.visitors);
    require(!core.exchange);
    turn();
    visitors_free(core.visitors);
    require(core.clients.count == 0 && core.proxied.count == 0);
    clients_done(&core.clients);
    clients_done(&core.proxied);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct view rest = view_of(bytes, size);
    set_up(view_starts_with(rest, VIEW("P")));
    come();
    while (rest.ptr) {
        struct view line = take_line(&rest);
        if (view_starts_with(line, VIEW("<")))
            say(view_skip(line, 1));
        else
            play(line);
        turn();
    }
    tear_down();
    return 0;
}
