/* Visitors' connections, and a core that the test plays by hand: all in one thread, the loop turned by the
 * test, so that it can look between any two turns. */
#ifndef VISIT_SCENE_H
#define VISIT_SCENE_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/log.h"
#include "by_hand.h"
#include "public/visit.h"

#define HEADER_MS 5000
#define KEEPALIVE_MS 7000
#define BODY_IDLE_MS 9000
#define HOST "Host: a\r\n\r\n"

/* What the core has been told of a request. */
struct exchange {
    struct core *core;
    struct answer_sink sink;
    struct body_source source;
    char method[64], target[64], version[16], client[ADDRESS_TEXT_MAX];
    size_t hops, drained;
    uint64_t stalled_ms, visitor;
    bool is_proxy, has_body_end;
    struct buf body;
};

struct core {
    struct clients clients, proxied;
    struct visitors *visitors;
    int listener;
    int asked, cancelled;
    uint64_t tunnel_key;       /* of the tunnel that is asked for */
    size_t grants;             /* at once, from within core_forward() */
    bool refuses;              /* has no memory for another one */
    struct exchange *exchange; /* of the last request, NULL when it has ended */
    char order[16];            /* who asks for /x and is sent what: x, X */
    char access[1024];         /* the last line of the access log */
};

static struct core core;

/* What is asked for has one letter. */
static inline void note_order(struct exchange *exchange, bool is_sent) {
    size_t len = strlen(core.order);
    if (!exchange->target[1] || len + 1 == sizeof(core.order)) return;
    core.order[len] = (char)(is_sent ? exchange->target[1] - 'a' + 'A' : exchange->target[1]);
}

static inline void forget_exchange(struct exchange *exchange) {
    if (core.exchange == exchange) core.exchange = NULL;
    buf_done(&exchange->body);
    free(exchange);
}

struct exchange *core_forward(struct core *to, const struct forward_event *event,
                              const struct body_source *source, const struct answer_sink *sink,
                              size_t window_bytes) {
    to->asked++;
    assert_int_equal(window_bytes, VISIT_WINDOW_BYTES);
    assert_true(view_eq(event->scheme, list_empty(&to->visitors->h2.all) ? VIEW("http") : VIEW("https")));
    if (to->refuses) return NULL;
    struct exchange *exchange = calloc(1, sizeof(*exchange));
    assert_non_null(exchange);
    *exchange = (struct exchange){.core = to, .sink = *sink, .source = *source};
    assert_true(view_copy_to(event->method, exchange->method, sizeof(exchange->method)));
    assert_true(view_copy_to(event->target, exchange->target, sizeof(exchange->target)));
    assert_true(view_copy_to(event->version, exchange->version, sizeof(exchange->version)));
    assert_true(view_copy_to(event->client, exchange->client, sizeof(exchange->client)));
    exchange->hops = event->hops;
    exchange->visitor = event->visitor;
    exchange->is_proxy = event->client_is_proxy;
    buf_init(&exchange->body, 64u * 1024 * 1024);
    to->exchange = exchange;
    note_order(exchange, false);
    if (to->grants) source->grant(source->ctx, to->grants);
    return exchange;
}

void exchange_body(struct exchange *exchange, struct view data) {
    assert_false(exchange->has_body_end);
    assert_true(buf_append_view(&exchange->body, data));
}

void exchange_body_end(struct exchange *exchange) {
    assert_false(exchange->has_body_end);
    exchange->has_body_end = true;
}

void exchange_drained(struct exchange *exchange, size_t bytes) {
    assert_true(bytes > 0);
    exchange->drained += bytes;
    note_order(exchange, true);
}

void exchange_cancel(struct exchange *exchange) {
    exchange->core->cancelled++;
    forget_exchange(exchange);
}

void exchange_stalled(struct exchange *exchange, uint64_t since_ms) {
    exchange->stalled_ms = since_ms;
}

uint64_t exchange_tunnel_key(const struct exchange *exchange) {
    return exchange->core->tunnel_key;
}

struct exchange_facts exchange_facts(const struct exchange *exchange) {
    (void)exchange;
    return (struct exchange_facts){.tunnel = VIEW("by-hand")};
}

/* ---- the core's words ---- */

/* Of an answer; `fields`: "name: value" lines, may be NULL. */
static inline void answer(struct answer_head head, const char *fields) {
    struct arena arena;
    struct headers headers;
    struct view rest = view_from_cstr(fields ? fields : ""), line;
    arena_init(&arena, 65536);
    headers_init(&headers, &arena);
    headers_add(&headers, VIEW("date"), VIEW("now"));
    while (rest.len && view_split(&rest, '\n', &line)) {
        size_t colon = view_find(line, ':');
        assert_true(headers_add(&headers, view_slice(line, 0, colon), view_skip(line, colon + 2)));
    }
    head.headers = &headers;
    core.exchange->sink.head(core.exchange->sink.ctx, &head);
    arena_done(&arena);
}

static inline void answer_200(uint64_t length) {
    answer((struct answer_head){.status = 200, .content_length = length, .has_body = true}, NULL);
}

static inline void answer_101(const char *protocol) {
    answer((struct answer_head){.status = 101,
                                .content_length = LENGTH_UNKNOWN,
                                .upgrade = view_from_cstr(protocol)},
           NULL);
}

static inline void data(struct view bytes) {
    core.exchange->sink.data(core.exchange->sink.ctx, bytes);
}

static inline void end_with(const struct headers *trailers) {
    struct answer_sink sink = core.exchange->sink;
    forget_exchange(core.exchange);
    sink.end(sink.ctx, trailers);
}

static inline void end(void) {
    end_with(NULL);
}

static inline void grant(size_t bytes) {
    core.exchange->source.grant(core.exchange->source.ctx, bytes);
}

/* ---- visitors ---- */

/* Who connects: the socket. `enter`: by which door. */
static inline int come_to(void (*enter)(struct visitors *side, const struct conn *conn, struct client *client,
                                        const struct sockaddr *address, socklen_t len)) {
    struct sockaddr_in address;
    socklen_t len = sizeof(address);
    getsockname(core.listener, (struct sockaddr *)&address, &len);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, len), 0);
    int accepted = accept4(core.listener, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(accepted >= 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    struct client *client = clients_take(&core.clients, (struct sockaddr *)&address);
    assert_non_null(client);
    enter(core.visitors, &(struct conn){.fd = accepted}, client, (struct sockaddr *)&address, len);
    return fd;
}

static inline void enter_by_h1(struct visitors *side, const struct conn *conn, struct client *client,
                               const struct sockaddr *address, socklen_t len) {
    visitors_accept(side, conn, client, address, len);
}

static inline int come(void) {
    return come_to(enter_by_h1);
}

/* As if TLS had agreed on it. */
static inline int come_by_h2(void) {
    return come_to(h2_accept);
}

static inline struct visit *last_visit(void) {
    assert_false(list_empty(&core.visitors->all));
    return LIST_ENTRY(core.visitors->all.prev, struct visit, node);
}

/* Asks, until the core knows. */
static inline struct visit *ask(int fd, const char *request) {
    int before = core.asked;
    say(fd, request);
    UNTIL(core.asked > before);
    return last_visit();
}

/* The answer's body, until the socket takes no more. */
static inline void block(struct visit *visit) {
    static const char bytes[65536];
    for (int i = 0; i < 1000 && !visit->is_blocked; i++) {
        data(view_of(bytes, sizeof(bytes)));
        turn();
    }
    assert_true(visit->is_blocked);
}

/* ---- set-up ---- */

static void on_log(void *ctx, enum log_level level, const char *component, struct view line) {
    (void)ctx, (void)level;
    if (strcmp(component, LOG_ACCESS) == 0) view_copy_to(line, core.access, sizeof(core.access));
}

static inline int setup(void **state) {
    (void)state;
    struct visitor_settings settings = {.head_bytes = 64 * 1024,
                                        .header_timeout_ms = HEADER_MS,
                                        .keepalive_timeout_ms = KEEPALIVE_MS,
                                        .body_idle_timeout_ms = BODY_IDLE_MS};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    memset(&core, 0, sizeof(core));
    assert_true(loop_init(&loop));
    log_set_level(LOG_LEVEL_INFO);
    log_set_sink(on_log, NULL);
    clients_init(&core.clients, 0, 0, NULL, 0);
    clients_init(&core.proxied, 0, 0, NULL, 0);
    core.visitors = visitors_new(&loop, &core, &settings, &core.proxied);
    core.listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(core.listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(core.listener, 64), 0);
    return core.visitors ? 0 : -1;
}

/* What comes from this machine comes from a proxy, which may have `max_per_visitor` requests under way. */
static inline void trust(size_t max_per_visitor) {
    static struct network proxies[1];
    network_parse(VIEW("127.0.0.0/8"), &proxies[0]);
    clients_init(&core.clients, 0, 0, proxies, 1);
    clients_init(&core.proxied, 0, max_per_visitor, proxies, 1);
}

static inline int teardown(void **state) {
    (void)state;
    visitors_stop(core.visitors);
    assert_null(core.exchange);
    assert_int_equal(core.clients.count + core.proxied.count, 0);
    loop_done(&loop);
    visitors_free(core.visitors);
    clients_done(&core.clients);
    clients_done(&core.proxied);
    close(core.listener);
    log_set_sink(NULL, NULL);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
