/* The public side against a core that plays scripts: streaming with a window, cuts, early answers, uploads by
 * credit, visitors who leave. Clients are blocking sockets in a thread of their own; the loop runs here. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "cmocka_setup.h"
#include "public/visitor.h"
#include "sockets/listener.h"

/* ---- a core of scripts: the path names what happens ---- */

struct exchange {
    struct core *core;
    struct answer_sink sink;
    struct body_source source;
    struct timer timer;
    struct task task;
    char path[32];
    size_t window, sent, acked, body_bytes, granted;
    int step;
    bool has_body_end;
    char echo[64];
    size_t echo_bytes;
};

struct core {
    struct loop loop;
    struct clients clients, proxied;
    struct listener *listener;
    struct visitors *visitors;
    struct timer limit;
    int exchanges, cancelled;
    /* of the last request */
    char client[ADDRESS_TEXT_MAX];
    bool is_proxy;
    size_t hops;
};

#define BIG_BYTES ((size_t)3 * 1024 * 1024)
#define ANSWER_MAX (2 * BIG_BYTES)
#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

static bool is(const struct exchange *exchange, const char *path) {
    return strcmp(exchange->path, path) == 0;
}

static void finish(struct exchange *exchange) {
    timer_stop(&exchange->core->loop.timers, &exchange->timer);
    task_cancel(&exchange->task);
    exchange->core->exchanges--;
    free(exchange);
}

static void send_head(struct exchange *exchange, int status, uint64_t length, bool close) {
    struct arena arena;
    struct headers headers;
    arena_init(&arena, 4096);
    headers_init(&headers, &arena);
    headers_add(&headers, VIEW("x-empty"), VIEW(""));
    headers_add(&headers, VIEW("x-tab"), VIEW("a\tb"));
    struct answer_head head = {
        .status = status, .headers = &headers, .content_length = length, .has_body = true, .close = close};
    exchange->sink.head(exchange->sink.ctx, &head);
    arena_done(&arena);
}

static void send_data(struct exchange *exchange, const char *text) {
    exchange->sink.data(exchange->sink.ctx, view_from_cstr(text));
}

static void send_end(struct exchange *exchange) {
    exchange->sink.end(exchange->sink.ctx, NULL);
    finish(exchange);
}

static void send_abort(struct exchange *exchange) {
    exchange->sink.abort(exchange->sink.ctx);
    finish(exchange);
}

static void send_big(struct exchange *exchange) {
    static char block[16384];
    while (exchange->sent < BIG_BYTES &&
           exchange->sent - exchange->acked + sizeof(block) <= exchange->window) {
        exchange->sink.data(exchange->sink.ctx, view_of(block, sizeof(block)));
        exchange->sent += sizeof(block);
    }
    if (exchange->sent >= BIG_BYTES) send_end(exchange);
}

static void again(struct exchange *exchange) {
    timer_start(&exchange->core->loop.timers, &exchange->timer, 10);
}

static void play(struct exchange *exchange) {
    int step = exchange->step++;
    if (is(exchange, "/hello")) {
        send_head(exchange, 200, 5, false);
        send_data(exchange, "hello");
        send_end(exchange);
    } else if (is(exchange, "/stream") || is(exchange, "/known") || is(exchange, "/short") ||
               is(exchange, "/cut")) {
        if (step == 0)
            send_head(exchange, 200, is(exchange, "/known") || is(exchange, "/short") ? 15 : LENGTH_UNKNOWN,
                      false);
        if (step < 3 && !(step == 2 && is(exchange, "/short"))) send_data(exchange, "12345");
        if (step < 3)
            again(exchange);
        else if (is(exchange, "/cut"))
            send_abort(exchange);
        else
            send_end(exchange);
    } else if (is(exchange, "/big")) {
        if (step == 0) send_head(exchange, 200, LENGTH_UNKNOWN, false);
        send_big(exchange);
    } else if (strstr(" /200 /204 /304 ", exchange->path)) { /* of these an answer without a body */
        send_head(exchange, atoi(exchange->path + 1), 9, false);
        send_end(exchange);
    } else if (is(exchange, "/304?")) {
        send_head(exchange, 304, LENGTH_UNKNOWN, false);
        send_end(exchange);
    } else if (is(exchange, "/foo") || is(exchange, "/websocket")) { /* to which it switches */
        struct headers none = {0};
        struct answer_head head = {.status = 101,
                                   .headers = &none,
                                   .content_length = LENGTH_UNKNOWN,
                                   .upgrade = view_from_cstr(exchange->path + 1)};
        exchange->sink.head(exchange->sink.ctx, &head);
        exchange->granted += 10;
        exchange->source.grant(exchange->source.ctx, 10);
    } else if (is(exchange, "/abort")) {
        send_abort(exchange);
    } else if (is(exchange, "/echo") || is(exchange, "/early")) {
        exchange->granted += 1000;
        exchange->source.grant(exchange->source.ctx, 1000);
    }
}

static void on_play_timer(struct timer *timer) {
    play(LIST_ENTRY(timer, struct exchange, timer));
}

static void echo(struct exchange *exchange) {
    size_t bytes = exchange->echo_bytes;
    exchange->sink.data(exchange->sink.ctx, view_of(exchange->echo, bytes));
    exchange->echo_bytes = 0;
    if (exchange->has_body_end) {
        send_end(exchange);
        return;
    }
    exchange->granted += bytes;
    exchange->source.grant(exchange->source.ctx, bytes); /* which may bring more at once */
}

static void on_play_task(struct task *task) {
    struct exchange *exchange = LIST_ENTRY(task, struct exchange, task);
    if (exchange->echo_bytes || (exchange->has_body_end && strstr(" /foo /websocket ", exchange->path))) {
        echo(exchange);
        return;
    }
    if (is(exchange, "/big") && exchange->step > 0)
        send_big(exchange);
    else if (is(exchange, "/early") && exchange->body_bytes) {
        send_head(exchange, 413, 5, true);
        send_data(exchange, "large");
        send_end(exchange);
    } else if (is(exchange, "/echo") && exchange->has_body_end) {
        char text[32];
        snprintf(text, sizeof(text), "%zu", exchange->body_bytes);
        send_head(exchange, 200, strlen(text), false);
        send_data(exchange, text);
        send_end(exchange);
    } else if (exchange->step == 0 || is(exchange, "/echo"))
        play(exchange);
}

struct exchange *core_forward(struct core *core, const struct forward_event *event,
                              const struct body_source *source, const struct answer_sink *sink,
                              size_t window_bytes) {
    struct exchange *exchange = calloc(1, sizeof(*exchange));
    assert_non_null(exchange);
    *exchange = (struct exchange){.core = core, .sink = *sink, .source = *source, .window = window_bytes};
    assert_true(view_copy_to(event->target, exchange->path, sizeof(exchange->path)));
    timer_init(&exchange->timer, on_play_timer);
    task_init(&exchange->task, on_play_task);
    tasks_post(&core->loop.tasks, &exchange->task);
    core->exchanges++;
    assert_true(view_copy_to(event->client, core->client, sizeof(core->client)));
    core->is_proxy = event->client_is_proxy;
    core->hops = event->hops;
    return exchange;
}

void exchange_body(struct exchange *exchange, struct view data) {
    exchange->body_bytes += data.len;
    if (is(exchange, "/foo") || is(exchange, "/websocket")) {
        assert_true(data.len <= sizeof(exchange->echo) - exchange->echo_bytes);
        memcpy(exchange->echo + exchange->echo_bytes, data.ptr, data.len);
        exchange->echo_bytes += data.len;
    }
    assert_true(exchange->body_bytes <= exchange->granted);
    tasks_post(&exchange->core->loop.tasks, &exchange->task);
}

void exchange_body_end(struct exchange *exchange) {
    bool offers = strstr(" /foo /websocket ", exchange->path) && exchange->step == 0;
    exchange->has_body_end = !offers; /* the end of the request; that of what it switches to comes later */
    tasks_post(&exchange->core->loop.tasks, &exchange->task);
}

void exchange_drained(struct exchange *exchange, size_t bytes) {
    exchange->acked += bytes;
    assert_true(exchange->acked <= exchange->sent || !is(exchange, "/big"));
    if (is(exchange, "/big")) tasks_post(&exchange->core->loop.tasks, &exchange->task);
}

void exchange_cancel(struct exchange *exchange) {
    exchange->core->cancelled++;
    finish(exchange);
}

void exchange_stalled(struct exchange *exchange, uint64_t since_ms) {
    (void)exchange, (void)since_ms;
}

uint64_t exchange_tunnel_key(const struct exchange *exchange) {
    (void)exchange;
    return 1;
}

struct exchange_facts exchange_facts(const struct exchange *exchange) {
    (void)exchange;
    return (struct exchange_facts){.tunnel = VIEW("scripted")};
}

/* ---- a browser ---- */

struct browser {
    uint16_t port;
    const char *request;
    size_t padding;    /* bytes of body behind the request */
    unsigned leave_ms; /* not 0: go away after so long, without reading */
    bool says_end;     /* closes its direction behind the request */
    char *answer;
    size_t len;
    int error; /* of recv: 0 is an orderly end */
    uv_async_t over;
    struct core *core;
};

static void browser_read(struct browser *browser, int fd, size_t max) {
    ssize_t len = 1;
    while (browser->len < max && (len = recv(fd, browser->answer + browser->len, max - browser->len, 0)) > 0)
        browser->len += (size_t)len;
    browser->error = len < 0 ? errno : 0;
}

static void *browser_run(void *ctx) {
    struct browser *browser = ctx;
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(browser->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) abort();
    browser->answer = calloc(1, ANSWER_MAX);
    send(fd, browser->request, strlen(browser->request), MSG_NOSIGNAL);
    if (browser->padding && strstr(browser->request, "Expect:")) browser_read(browser, fd, strlen(CONTINUE));
    char body[1000] = {0};
    for (size_t left = browser->padding; left > 0; left -= left < 1000 ? left : 1000)
        if (send(fd, body, left < 1000 ? left : 1000, MSG_NOSIGNAL) < 0) break;
    if (browser->says_end) shutdown(fd, SHUT_WR);
    if (browser->leave_ms)
        usleep(browser->leave_ms * 1000);
    else
        browser_read(browser, fd, ANSWER_MAX - 1);
    close(fd);
    uv_async_send(&browser->over);
    return NULL;
}

static void on_over(uv_async_t *async) {
    struct browser *browser = async->data;
    uv_close((uv_handle_t *)async, NULL);
    loop_quit(&browser->core->loop);
}

static void visit(struct core *core, struct browser *browser) {
    pthread_t thread;
    browser->core = core;
    browser->port = listener_port(core->listener);
    uv_async_init(&core->loop.uv, &browser->over, on_over);
    browser->over.data = browser;
    assert_int_equal(pthread_create(&thread, NULL, browser_run, browser), 0);
    loop_run(&core->loop);
    pthread_join(thread, NULL);
}

#define CLOSE "Host: a\r\nConnection: close\r\n\r\n"

static void check(struct core *core, const char *request, size_t padding, const char *begin,
                  const char *end) {
    struct browser browser = {.request = request, .padding = padding};
    visit(core, &browser);
    size_t end_len = strlen(end);
    bool right = strncmp(browser.answer, begin, strlen(begin)) == 0 && browser.len >= end_len &&
                 memcmp(browser.answer + browser.len - end_len, end, end_len) == 0 && browser.error == 0;
    if (!right) fail_msg("%s -> %s (error %d)", request, browser.answer, browser.error);
    free(browser.answer);
}

/* ---- the scene ---- */

static void on_accepted(void *ctx, int fd, struct client *client, const struct sockaddr *address,
                        socklen_t len) {
    struct core *core = ctx;
    visitors_accept(core->visitors, &(struct conn){.fd = fd}, client, address, len);
}

static void on_limit(struct timer *timer) {
    (void)timer;
    fail_msg("the loop ran for 30 s");
}

static int setup(void **state) {
    struct core *core = calloc(1, sizeof(*core));
    const char *why;
    struct listen_address address;
    struct visitor_settings settings = {.head_bytes = 64 * 1024,
                                        .header_timeout_ms = 1000,
                                        .keepalive_timeout_ms = 300,
                                        .body_idle_timeout_ms = 1000};
    if (!core || !loop_init(&core->loop)) return -1;
    log_set_level(LOG_LEVEL_WARN);
    timer_init(&core->limit, on_limit);
    timer_start(&core->loop.timers, &core->limit, 30000);
    clients_init(&core->clients, 0, 0, NULL, 0);
    clients_init(&core->proxied, 0, 0, NULL, 0);
    listen_address_parse(VIEW("127.0.0.1:0"), &address, &why);
    core->visitors = visitors_new(&core->loop, core, &settings, &core->proxied);
    core->listener = listener_new(&core->loop, &address, &core->clients, on_accepted, core, &why);
    *state = core;
    return core->visitors && core->listener ? 0 : -1;
}

/* What comes from this machine comes from a proxy. */
static int setup_proxy(void **state) {
    static struct network proxies[1];
    if (setup(state) != 0) return -1;
    struct core *core = *state;
    network_parse(VIEW("127.0.0.0/8"), &proxies[0]);
    clients_done(&core->clients);
    clients_init(&core->clients, 0, 0, proxies, 1);
    clients_done(&core->proxied);
    clients_init(&core->proxied, 0, 0, proxies, 1);
    return 0;
}

static int teardown(void **state) {
    struct core *core = *state;
    listener_free(core->listener);
    visitors_stop(core->visitors);
    timer_stop(&core->loop.timers, &core->limit);
    assert_int_equal(core->exchanges, 0);
    assert_int_equal(core->clients.count, 0);
    loop_done(&core->loop);
    visitors_free(core->visitors);
    clients_done(&core->clients);
    clients_done(&core->proxied);
    free(core);
    return 0;
}

/* ---- tests ---- */

static void test_answers(void **state) {
    check(*state, "GET /hello HTTP/1.1\r\n" CLOSE, 0, "HTTP/1.1 200 OK\r\n",
          "Content-Length: 5\r\n\r\nhello");
    check(*state, "GET /known HTTP/1.1\r\n" CLOSE, 0, "HTTP/1.1 200 OK\r\n",
          "Content-Length: 15\r\n\r\n123451234512345");
    check(*state, "GET /stream HTTP/1.1\r\n" CLOSE, 0, "HTTP/1.1 200 OK\r\n", "5\r\n12345\r\n0\r\n\r\n");
    check(*state, "GET /stream HTTP/1.0\r\nHost: a\r\n\r\n", 0, "HTTP/1.1 200 OK\r\n",
          "\r\n\r\n123451234512345");
    check(*state, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\nGET /stream HTTP/1.1\r\n" CLOSE, 0,
          "HTTP/1.1 200 OK\r\n", "0\r\n\r\n");
    check(*state, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", 0, "HTTP/1.1 200 OK\r\n",
          "hello"); /* idle: closed */
}

static void test_fields(void **state) {
    struct browser browser = {.request = "GET /hello HTTP/1.1\r\n" CLOSE};
    visit(*state, &browser);
    assert_non_null(strstr(browser.answer, "X-Empty: \r\nX-Tab: a\tb\r\n"));
    free(browser.answer);
}

static void test_answers_without_a_body(void **state) {
    static const struct {
        const char *request, *end;
    } rows[] = {
        {"GET /304 HTTP/1.1\r\n" CLOSE, "Connection: close\r\nContent-Length: 9\r\n\r\n"},
        {"GET /304? HTTP/1.1\r\n" CLOSE, "Connection: close\r\n\r\n"},
        {"GET /204 HTTP/1.1\r\n" CLOSE, "Connection: close\r\n\r\n"},
        {"HEAD /200 HTTP/1.1\r\n" CLOSE, "Connection: close\r\nContent-Length: 9\r\n\r\n"},
        {"HEAD /204 HTTP/1.1\r\n" CLOSE, "Connection: close\r\n\r\n"},
        {"HEAD /304 HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
         "Connection: keep-alive\r\nContent-Length: 9\r\n\r\n"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(*state, rows[i].request, 0, "HTTP/1.1 ", rows[i].end);
}

/* Bytes pass both ways as far as they are granted, until the visitor has ended. */
static void test_upgrades(void **state) {
    static const struct {
        const char *request, *head;
    } rows[] = {
        {"GET /foo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n",
         "Connection: Upgrade\r\nUpgrade: foo\r\n\r\n"},
        {"GET /foo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: foo\r\nSec-WebSocket-Key: "
         "x\r\n\r\n",
         "Connection: Upgrade\r\nUpgrade: foo\r\n\r\n"},
        {"GET /websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
         "Connection: Upgrade\r\nUpgrade: websocket\r\n"
         "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"},
    };
    static const char text[] = "more than is granted at first, and at last the end";
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char request[512], expected[512];
        snprintf(request, sizeof(request), "%s%s", rows[i].request, text);
        snprintf(expected, sizeof(expected), "%s%s", rows[i].head, text);
        struct browser browser = {.request = request, .says_end = true};
        visit(*state, &browser);
        assert_int_equal(browser.error, 0);
        assert_memory_equal(browser.answer, "HTTP/1.1 101 Switching Protocols\r\n", 34);
        const char *head = strstr(browser.answer, "Connection: ");
        assert_non_null(head);
        assert_string_equal(head, expected);
        free(browser.answer);
    }
}

/* Who keeps his connection is told to let go of it, and who is idle is cut. */
static void test_draining(void **state) {
    struct core *core = *state;
    check(core, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", 0, "HTTP/1.1 200 OK\r\n",
          "\r\nContent-Length: 5\r\n\r\nhello");
    visitors_close_after(core->visitors);
    check(core, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", 0, "HTTP/1.1 200 OK\r\n",
          "\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello");
    visitors_drain(core->visitors);
    check(core, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", 0, "HTTP/1.1 200 OK\r\n",
          "\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello");
}

/* Now, and in the one form that RFC 9110 5.6.7 lets us send. */
static void test_date(void **state) {
    struct browser browser = {.request = "GET /hello HTTP/1.1\r\n" CLOSE};
    struct tm fields = {0};
    visit(*state, &browser);
    const char *date = strstr(browser.answer, "\r\nDate: ");
    assert_non_null(date);
    const char *end = strptime(date, "\r\nDate: %a, %d %b %Y %H:%M:%S GMT", &fields);
    assert_non_null(end);
    assert_memory_equal(end, "\r\n", 2);
    assert_int_equal(end - date, 37);
    assert_in_range(time(NULL) - timegm(&fields), 0, 60);
    free(browser.answer);
}

static void test_who_the_visitor_is(void **state) {
    struct core *core = *state;
    check(core, "GET /hello HTTP/1.1\r\nX-Forwarded-For: 192.0.2.7\r\n" CLOSE, 0, "HTTP/1.1 200 OK\r\n",
          "hello");
    assert_string_equal(core->client, "127.0.0.1");
    assert_false(core->is_proxy);
    assert_int_equal(core->hops, 0);
}

static void test_who_the_visitor_of_a_proxy_is(void **state) {
    struct core *core = *state;
    static const struct {
        const char *request;
        size_t hops;
    } rows[] = {
        {"GET /hello HTTP/1.1\r\nX-Forwarded-For: 192.0.2.7\r\n" CLOSE, 0},
        {"GET /hello HTTP/1.1\r\nX-Forwarded-For: 192.0.2.7, 127.0.0.9\r\n" CLOSE, 1},
        {"GET /hello HTTP/1.1\r\n" CLOSE, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check(core, rows[i].request, 0, "HTTP/1.1 200 OK\r\n", "hello");
        assert_string_equal(core->client, "127.0.0.1"); /* the core puts it behind what the proxy says */
        assert_true(core->is_proxy);
        assert_int_equal(core->hops, rows[i].hops);
        assert_int_equal(core->proxied.count, 0);
    }
}

static void test_big(void **state) {
    struct browser browser = {.request = "GET /big HTTP/1.1\r\n" CLOSE};
    visit(*state, &browser);
    assert_true(browser.len > BIG_BYTES);
    assert_memory_equal(browser.answer + browser.len - 5, "0\r\n\r\n", 5);
    free(browser.answer);
}

/* What ends in the middle never looks whole. */
static void test_cuts(void **state) {
    static const char *const requests[] = {"GET /cut HTTP/1.1\r\n" CLOSE,
                                           "GET /cut HTTP/1.0\r\nHost: a\r\n\r\n",
                                           "GET /short HTTP/1.1\r\n" CLOSE};
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        struct browser browser = {.request = requests[i]};
        visit(*state, &browser);
        assert_int_equal(browser.error, ECONNRESET);
        free(browser.answer);
    }
    struct browser browser = {.request = "GET /abort HTTP/1.1\r\n" CLOSE};
    visit(*state, &browser);
    assert_int_equal(browser.len, 0);
    free(browser.answer);
}

static void test_uploads(void **state) {
    check(*state, "POST /echo HTTP/1.1\r\nContent-Length: 250000\r\n" CLOSE, 250000, "HTTP/1.1 200 OK\r\n",
          "\r\n\r\n250000");
    check(*state, "POST /echo HTTP/1.1\r\nContent-Length: 0\r\n" CLOSE, 0, "HTTP/1.1 200 OK\r\n",
          "\r\n\r\n0");
    check(*state, "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE "3\r\nabc\r\n0\r\n\r\n", 0,
          "HTTP/1.1 200 OK\r\n", "\r\n\r\n3");
    check(*state, "POST /echo HTTP/1.1\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n" CLOSE, 1000,
          CONTINUE "HTTP/1.1 200 OK\r\n", "\r\n\r\n1000");
    check(*state, "POST /hello HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n" CLOSE, 0,
          "HTTP/1.1 200 OK\r\n", "hello");
    check(*state, "POST /hello HTTP/1.1\r\nContent-Length: 500000\r\n" CLOSE, 500000, "HTTP/1.1 200 OK\r\n",
          "hello");
    check(*state, "POST /early HTTP/1.1\r\nContent-Length: 500000\r\n" CLOSE, 500000, "HTTP/1.1 413 ",
          "\r\n\r\nlarge");
    check(*state, "POST /early HTTP/1.1\r\nContent-Length: 500000\r\n" CLOSE, 1000, "HTTP/1.1 413 ",
          "\r\n\r\nlarge");
}

static void test_leaving(void **state) {
    struct core *core = *state;
    static const char *const requests[] = {
        "GET /hang HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /hang HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\nabc"};
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        struct browser browser = {.request = requests[i], .leave_ms = 150};
        int before = core->cancelled;
        visit(core, &browser);
        free(browser.answer);
        while (core->cancelled == before) uv_run(&core->loop.uv, UV_RUN_ONCE);
    }
    assert_int_equal(core->exchanges, 0);
}

/* Far more than is held at once; each is answered, in order, with a body between them. */
static void test_pipelined(void **state) {
    static const char get[] = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n",
                      post[] = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
                      last[] = "GET /hello HTTP/1.1\r\n" CLOSE;
    enum { PAIRS = 2000 };
    char *requests = calloc(PAIRS + 1, sizeof(get) + sizeof(post)), *end = requests;
    assert_non_null(requests);
    for (int i = 0; i < PAIRS; i++) end = stpcpy(stpcpy(end, get), post);
    stpcpy(end, last);
    struct browser browser = {.request = requests};
    visit(*state, &browser);
    const char *at = browser.answer;
    for (int i = 0; i < PAIRS; i++) {
        at = strstr(at, "\r\n\r\nhello");
        at = at ? strstr(at, "\r\n\r\n3HTTP/1.1 200 OK\r\n") : NULL;
        if (!at) fail_msg("pair %d is missing", i);
    }
    assert_non_null(strstr(at, "\r\n\r\nhello"));
    assert_int_equal(browser.error, 0);
    free(browser.answer);
    free(requests);
}

/* Who closes his direction behind his request gets an answer that comes at once, however long it takes to
 * read, and counts as gone otherwise. */
static void test_half_closed(void **state) {
    struct core *core = *state;
    struct browser hello = {.request = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", .says_end = true};
    visit(core, &hello);
    assert_non_null(strstr(hello.answer, "\r\n\r\nhello"));
    assert_int_equal(hello.error, 0);
    free(hello.answer);
    struct browser big = {.request = "GET /big HTTP/1.1\r\nHost: a\r\n\r\n", .says_end = true};
    visit(core, &big);
    assert_true(big.len > BIG_BYTES && big.error == 0);
    free(big.answer);
    int before = core->cancelled;
    struct browser hang = {.request = "GET /hang HTTP/1.1\r\nHost: a\r\n\r\n", .says_end = true};
    visit(core, &hang);
    assert_int_equal(hang.len, 0);
    assert_int_equal(core->cancelled, before + 1);
    free(hang.answer);
}

static void test_deadlines(void **state) {
    check(*state, "GET /hello HTTP/1.1\r\nHos", 0, "HTTP/1.1 408 ", "in time.\n");
    check(*state, "GET /he", 0, "HTTP/1.1 408 ", "in time.\n");
    struct browser browser = {.request = ""};
    visit(*state, &browser);
    assert_int_equal(browser.len, 0);
    assert_int_equal(browser.error, 0);
    free(browser.answer);
}

/* Stopping with requests under way, in every state. */
static void test_stopping(void **state) {
    struct core *core = *state;
    static const char *const requests[] = {"GET /hang HTTP/1.1\r\nHost: a\r\n\r\n",
                                           "POST /hang HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
                                           "GET /big HTTP/1.1\r\nHost: a\r\n\r\n", "GET /he"};
    int fds[4];
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(listener_port(core->listener)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int i = 0; i < 4; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(connect(fds[i], (struct sockaddr *)&to, sizeof(to)), 0);
        send(fds[i], requests[i], strlen(requests[i]), MSG_NOSIGNAL);
    }
    while (visitors_busy(core->visitors) < 2 || core->exchanges < 2) uv_run(&core->loop.uv, UV_RUN_ONCE);
    visitors_stop(core->visitors);
    assert_int_equal(core->exchanges, 0);
    for (int i = 0; i < 4; i++) close(fds[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fields, setup, teardown),
        cmocka_unit_test_setup_teardown(test_answers_without_a_body, setup, teardown),
        cmocka_unit_test_setup_teardown(test_date, setup, teardown),
        cmocka_unit_test_setup_teardown(test_upgrades, setup, teardown),
        cmocka_unit_test_setup_teardown(test_draining, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_the_visitor_is, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_the_visitor_of_a_proxy_is, setup_proxy, teardown),
        cmocka_unit_test_setup_teardown(test_big, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cuts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_uploads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_leaving, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pipelined, setup, teardown),
        cmocka_unit_test_setup_teardown(test_half_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deadlines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stopping, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
