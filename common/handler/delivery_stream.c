/* Stream delivery (protocol v2): the request is one stream to the agent; bodies flow both ways as they come,
 * each side slowed by the other's windows. The beginning of the request's body is kept until the answer's
 * head, so that what was certainly not executed can be sent again: as much as may have come before the agent
 * has taken anything, which is a stream's first window and ours. */
#include "base/log.h"
#include "handler/core_state.h"
#include "handler/quotas.h"
#include "http/chars.h"

enum { BODY_WINDOW = 256 * 1024, BODY_KEPT = 256 * 1024 + BODY_WINDOW };

static struct timers *timers_of(const struct exchange *exchange) {
    return exchange->core->ports.clock.timers;
}

static struct agents *agents_of(const struct exchange *exchange) {
    return &exchange->core->ports.agents;
}

/* ---- deadlines: the first byte of the answer, then silence within a body; none for what may be silent for
 * hours ---- */

static void expect_progress(struct exchange *exchange) {
    if (!answer_may_idle(&exchange->answer))
        timer_start(timers_of(exchange), &exchange->timer, exchange->core->settings.body_idle_timeout_ms);
}

static void expect_answer(struct exchange *exchange) {
    timer_start(timers_of(exchange), &exchange->timer, exchange_request_timeout_ms(exchange));
}

/* ---- the request ---- */

/* The visitor may send what the agent has taken, and a window more. */
static void grant(struct exchange *exchange) {
    exchange_grant(exchange, exchange->stream.sent + BODY_WINDOW);
}

static void keep(struct exchange *exchange, struct view data) {
    if (exchange->body_unkept || exchange->from_peer) return;
    if (exchange->body.len + data.len <= BODY_KEPT && buf_append_view(&exchange->body, data)) return;
    exchange->body_unkept = true;
    buf_done(&exchange->body);
}

static void body(struct exchange *exchange, struct view data) {
    if (exchange->state != EXCHANGE_ANSWERING) keep(exchange, data);
    if (!exchange->stream.handle) return;
    agents_of(exchange)->write(exchange->stream.handle, data);
    expect_progress(exchange);
}

/* Behind an offer to switch the stream stays open: the other protocol goes that way. */
static bool stays_open(const struct exchange *exchange) {
    return exchange->verdict.is_upgrade && exchange->state == EXCHANGE_STREAMING;
}

static void body_end(struct exchange *exchange) {
    if (!exchange->stream.handle) return;
    if (!stays_open(exchange)) agents_of(exchange)->end(exchange->stream.handle);
    if (exchange->state == EXCHANGE_STREAMING) expect_answer(exchange);
}

static void credit(struct exchange *exchange, size_t bytes) {
    if (exchange->stream.handle) agents_of(exchange)->consumed(exchange->stream.handle, bytes);
    if (exchange->state == EXCHANGE_ANSWERING) expect_progress(exchange);
}

static void on_sent(void *ctx, size_t bytes) {
    struct exchange *exchange = ctx;
    exchange->stream.sent += bytes;
    if (!exchange->body_complete) grant(exchange);
}

/* ---- the answer ---- */

static void on_informational(void *ctx, int status) {
    struct exchange *exchange = ctx;
    if (status == 100 && !exchange->body_complete) grant(exchange);
}

/* Agents of before do not say to what: they were offered one protocol only. */
static struct view protocol_of(const struct exchange *exchange, const struct headers *headers) {
    struct view said = headers_get(headers, VIEW(STREAM_UPGRADE_FIELD));
    return http_is_upgrade(said) ? said : exchange->verdict.upgrade;
}

static void on_switched(struct exchange *exchange, struct headers *headers) {
    exchange_switch(exchange, headers, protocol_of(exchange, headers));
    exchange_long_lived(exchange);
    grant(exchange);
}

static void stop(struct exchange *exchange);
static void lose(struct exchange *exchange, enum stream_end why);

/* The agent speaks, or the gateway that holds it; not the service. */
static void on_error(struct exchange *exchange, enum http_error error) {
    bool is_stale = error == HTTP_ERROR_STALE_EPOCH;
    if (is_stale || error == HTTP_ERROR_AGENT_LOST) {
        stop(exchange);
        lose(exchange, is_stale ? STREAM_UNPROCESSED : STREAM_LOST);
    } else {
        exchange_fail(exchange, error);
    }
}

static void on_head(void *ctx, const struct stream_head *head) {
    struct exchange *exchange = ctx;
    struct view error = headers_get(head->headers, VIEW("x-tunnel-error"));
    if (error.ptr) {
        exchange_note_fault(exchange, http_error_from_code(error),
                            headers_get(head->headers, VIEW(STREAM_DETAIL_FIELD)));
        quota_heard(exchange, head->headers);
        on_error(exchange, http_error_from_code(error));
        return;
    }
    struct headers headers;
    headers_init(&headers, &exchange->arena);
    if (!headers_copy(&headers, head->headers)) {
        exchange_fail(exchange, HTTP_ERROR_BAD_RESPONSE);
        return;
    }
    if (exchange->verdict.is_upgrade && headers_get(&headers, VIEW(STREAM_UPGRADED_FIELD)).ptr) {
        on_switched(exchange, &headers);
        return;
    }
    if (!exchange_answer(exchange, head->status, &headers, length_declared(&headers))) return;
    buf_done(&exchange->body);
    if (exchange->answer.kind == ANSWER_EVENTS) exchange_long_lived(exchange);
    expect_progress(exchange);
}

static void on_data(void *ctx, struct view data) {
    struct exchange *exchange = ctx;
    answer_write(exchange, data);
    expect_progress(exchange);
}

static void on_end(void *ctx, const struct headers *trailers) {
    exchange_end(ctx, trailers);
}

/* What a peer sent is for the peer to send again. */
static bool may_send_again(const struct exchange *exchange, enum stream_end why) {
    if (exchange->from_peer) return why == STREAM_UNPROCESSED;
    if (exchange->body_unkept) return false;
    if (why == STREAM_UNPROCESSED || why == STREAM_UNREACHED) return true;
    return http_method_is_safe(exchange->method) && !exchange->verdict.is_upgrade;
}

static void lose(struct exchange *exchange, enum stream_end why) {
    if (exchange->state == EXCHANGE_ANSWERING)
        exchange_fail(exchange, HTTP_ERROR_BAD_RESPONSE);
    else if (why == STREAM_RESET || why == STREAM_BROKEN)
        exchange_fail(exchange, HTTP_ERROR_BAD_RESPONSE);
    else if (!may_send_again(exchange, why))
        exchange_fail(exchange, HTTP_ERROR_AGENT_LOST);
    else if (why == STREAM_UNPROCESSED)
        dispatch_undelivered(exchange);
    else if (why == STREAM_UNREACHED)
        dispatch_unreached(exchange);
    else if (why == STREAM_SEVERED)
        dispatch_severed(exchange);
    else
        dispatch_agent_lost(exchange);
}

static void on_lost(void *ctx, enum stream_end why) {
    struct exchange *exchange = ctx;
    exchange->stream.handle = NULL;
    lose(exchange, why);
}

static const struct stream_events stream_events = {.informational = on_informational,
                                                   .head = on_head,
                                                   .data = on_data,
                                                   .end = on_end,
                                                   .sent = on_sent,
                                                   .lost = on_lost};

/* ---- start and stop ---- */

static void replay(struct exchange *exchange) {
    if (exchange->body.len > 0)
        agents_of(exchange)->write(exchange->stream.handle, buf_view(&exchange->body));
    if (exchange->body_complete) body_end(exchange);
}

static bool wants_body(const struct exchange *exchange) {
    return exchange->verdict.is_upgrade || exchange->verdict.framing != BODY_NONE;
}

/* Can it be told as an extended CONNECT (RFC 8441), which has room for no method, no body and one protocol?
 */
static bool is_connect(const struct exchange *exchange) {
    const struct gate_verdict *verdict = &exchange->verdict;
    bool has_body = verdict->framing != BODY_NONE && verdict->content_length > 0;
    return view_eq(exchange->method, VIEW("GET")) && !has_body && http_is_token(verdict->upgrade);
}

/* The request's own fields with the offer. A length would be the whole direction's, which goes on behind it.
 */
static bool add_offer(struct exchange *exchange, struct headers *offering) {
    const struct headers *from = &exchange->headers;
    struct header *fields = arena_alloc(&exchange->arena, (from->count + 1) * sizeof(*fields));
    if (!fields) return false;
    for (size_t i = 0; i < from->count; i++) {
        fields[i] = from->fields[i];
        if (view_eq(fields[i].name, VIEW("content-length"))) fields[i].name = VIEW(STREAM_LENGTH_FIELD);
    }
    fields[from->count] = (struct header){VIEW(STREAM_UPGRADE_FIELD), exchange->verdict.upgrade};
    *offering = (struct headers){.fields = fields, .count = from->count + 1, .bytes = from->bytes};
    return true;
}

/* How the agent hears of an offer to switch: as it is, as a CONNECT, or, where it knows neither how this one
 * could be said, not at all. False without memory. */
static bool offer(struct exchange *exchange, struct stream_head *head, struct headers *offering) {
    if (!exchange->verdict.is_upgrade) return true;
    if (is_connect(exchange)) {
        headers_remove(&exchange->headers, VIEW("content-length")); /* no CONNECT has one */
        exchange->verdict.framing = BODY_NONE;
        head->method = VIEW("CONNECT");
        head->protocol = exchange->verdict.upgrade;
        return true;
    }
    head->headers = offering;
    if (exchange->claim.member.capabilities & V1_CAP_UPGRADES) return add_offer(exchange, offering);
    exchange->verdict.is_upgrade = false;
    head->headers = &exchange->headers;
    return true;
}

static void start(struct exchange *exchange) {
    struct stream_head head = {.method = exchange->method,
                               .scheme = VIEW("http"),
                               .authority = exchange->verdict.host_field,
                               .path = exchange->route.target,
                               .visitor = exchange->share.visitor,
                               .headers = &exchange->headers};
    struct headers offering;
    enum status status;
    if (!offer(exchange, &head, &offering)) {
        exchange_fail(exchange, HTTP_ERROR_OVERLOADED);
        return;
    }
    if (exchange->verdict.framing == BODY_NONE) exchange->body_complete = true;
    exchange->state = EXCHANGE_STREAMING;
    exchange->stream.sent = 0;
    exchange->stream.handle =
        agents_of(exchange)->open(agents_of(exchange)->ctx, &exchange->claim, &head, wants_body(exchange),
                                  &stream_events, exchange, &status);
    if (!exchange->stream.handle) {
        if (status == STATUS_GONE || status == STATUS_UNAVAILABLE) /* the agent is on its way elsewhere */
            dispatch_undelivered(exchange);
        else
            exchange_fail(exchange, HTTP_ERROR_OVERLOADED);
        return;
    }
    exchange->stream.link = link_use_stream(exchange->core, &exchange->claim.member.link);
    expect_answer(exchange);
    if (!wants_body(exchange)) return;
    if (exchange->body.len > 0 || exchange->body_complete) replay(exchange);
    if (!exchange->verdict.expects_continue && !exchange->body_complete) grant(exchange);
}

static void stop(struct exchange *exchange) {
    if (exchange->stream.handle) agents_of(exchange)->reset(exchange->stream.handle);
    exchange->stream.handle = NULL;
    if (exchange->stream.link) link_use_stream_ended(exchange->stream.link);
    exchange->stream.link = NULL;
}

/* It posts no task. */
static void go_on(struct exchange *exchange) {
    (void)exchange;
}

const struct delivery stream_delivery = {
    .start = start, .body = body, .body_end = body_end, .credit = credit, .go_on = go_on, .stop = stop};
