/* A visitor of a tunnel of protocol v1 who is let in, led elsewhere or refused: what he asks with, and what
 * he is told. */
#ifndef TEST_CORE_GUEST_H
#define TEST_CORE_GUEST_H

#include "handler/core_state.h"
#include "test_core_mailbox.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define HTML                                                                                                 \
    { "Accept", "text/html" }
#define FORM                                                                                                 \
    { "Content-Type", "application/x-www-form-urlencoded" }

struct field {
    const char *name, *value;
};

struct ask {
    const char *target;
    struct field fields[6];
    const char *method; /* NULL: GET, or with a body POST */
    const char *body;   /* NULL: none */
    const char *host;   /* NULL: the tunnel's */
    const char *client; /* NULL: 192.0.2.1 */
    bool is_https, is_proxy;
    size_t hops;
};

struct guest {
    struct visitor visitor; /* first: its sink is the guest's */
    struct arena arena;     /* of `headers`: the answer's */
    struct headers headers;
    bool may_idle;
};

static inline void on_guest_head(void *ctx, const struct answer_head *head) {
    struct guest *guest = ctx;
    on_head(ctx, head);
    guest->may_idle = head->may_idle;
    assert_true(headers_copy(&guest->headers, head->headers));
}

/* Nothing of it has happened yet. */
static inline void begin_ask(struct world *world, struct guest *guest, const struct ask *ask) {
    struct arena arena;
    struct headers headers;
    char length[24];
    *guest = (struct guest){0};
    arena_init(&arena, 65536);
    arena_init(&guest->arena, 65536);
    headers_init(&headers, &arena);
    headers_init(&guest->headers, &guest->arena);
    struct view own = arena_printf(&arena, "%s.localhost:8080", world->tunnel);
    headers_add(&headers, VIEW("Host"), ask->host ? view_from_cstr(ask->host) : own);
    for (size_t i = 0; i < COUNT(ask->fields) && ask->fields[i].name; i++)
        headers_add(&headers, view_from_cstr(ask->fields[i].name), view_from_cstr(ask->fields[i].value));
    snprintf(length, sizeof(length), "%zu", ask->body ? strlen(ask->body) : 0);
    if (ask->body) headers_add(&headers, VIEW("Content-Length"), view_from_cstr(length));
    struct forward_event event = {.method = view_from_cstr(ask->method ? ask->method
                                                           : ask->body ? "POST"
                                                                       : "GET"),
                                  .target = view_from_cstr(ask->target),
                                  .version = VIEW("HTTP/1.1"),
                                  .headers = &headers,
                                  .client = view_from_cstr(ask->client ? ask->client : "192.0.2.1"),
                                  .scheme = ask->is_https ? VIEW("https") : VIEW("http"),
                                  .client_is_proxy = ask->is_proxy,
                                  .hops = ask->hops};
    buf_init(&guest->visitor.body, 1 << 20);
    struct body_source source = {guest, on_grant};
    struct answer_sink sink = {guest, on_guest_head, on_data, on_end, on_abort};
    guest->visitor.exchange = core_forward(world->core, &event, &source, &sink, 1 << 20);
    assert_non_null(guest->visitor.exchange);
    arena_done(&arena);
}

/* With all of the body, as soon as it may be sent. */
static inline void asks(struct world *world, struct guest *guest, const struct ask *ask) {
    begin_ask(world, guest, ask);
    settle(world);
    if (ask->body && guest->visitor.granted) {
        exchange_body(guest->visitor.exchange, view_from_cstr(ask->body));
        exchange_body_end(guest->visitor.exchange);
        settle(world);
    }
}

static inline struct view told(const struct guest *guest, const char *name) {
    return headers_get(&guest->headers, view_from_cstr(name));
}

static inline void assert_told(const struct guest *guest, const char *name, const char *expected) {
    if (!view_eq(told(guest, name), view_from_cstr(expected)))
        fail_msg("%s: \"%.*s\", not \"%s\"", name, VIEW_ARG(told(guest, name)), expected);
}

static inline bool shows(const struct guest *guest, const char *text) {
    struct view body = buf_view(&guest->visitor.body), wanted = view_from_cstr(text);
    for (size_t i = 0; i < body.len; i++)
        if (view_starts_with(view_skip(body, i), wanted)) return true;
    return false;
}

static inline void forget(struct guest *guest) {
    buf_done(&guest->visitor.body);
    arena_done(&guest->arena);
}

/* He has been told so, and nobody else has seen his request. */
static inline void is_refused(struct world *world, const struct ask *ask, enum http_error error) {
    struct guest guest;
    size_t sent = world->sent_count;
    asks(world, &guest, ask);
    if (guest.visitor.error != error || !guest.visitor.ended || world->sent_count != sent)
        fail_msg("%s: %d, not %d", ask->target, guest.visitor.error, error);
    assert_int_equal(guest.visitor.status, http_error_status(error));
    assert_true(view_eq(told(&guest, "x-tunnel-error"), http_error_code(error)));
    forget(&guest);
}

/* The agent has the request now; the answer is still to come. */
static inline struct v1_message *is_let_in(struct world *world, struct guest *guest, const struct ask *ask) {
    size_t sent = world->sent_count;
    asks(world, guest, ask);
    if (world->sent_count != sent + 1 || last_sent(world)->type != V1_HTTP_REQUEST)
        fail_msg("%s: %d", ask->target, guest->visitor.status);
    return last_sent(world);
}

static inline void is_answered(struct world *world, struct guest *guest, const char *more) {
    agent_answers(world, "one", last_sent(world)->request_id, 204, more);
    assert_int_equal(guest->visitor.status, 204);
    assert_true(guest->visitor.ended);
}

static inline void comes_in(struct world *world, const struct ask *ask) {
    struct guest guest;
    is_let_in(world, &guest, ask);
    is_answered(world, &guest, "");
    forget(&guest);
}

/* An agent, "one", whose tunnel has these rules for its visitors. */
static inline int agent_with_rules(struct world *world, const char *target, const char *rules) {
    struct arena arena;
    struct headers headers;
    arena_init(&arena, 65536);
    headers_init(&headers, &arena);
    if (rules) headers_add(&headers, VIEW("x-tunnel-policy"), view_from_cstr(rules));
    struct connect_event event = {
        .connection_id = VIEW("one"), .target = view_from_cstr(target), .headers = &headers};
    world->connect_status = 0;
    core_connect(world->core, &event, on_connected, world);
    settle(world);
    arena_done(&arena);
    if (world->connect_status == 200) agent_says(world, "one", "{\"type\":\"ready\"}");
    return world->connect_status;
}

#endif
