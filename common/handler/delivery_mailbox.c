/* Mailbox delivery (protocol v1): a pending record, a message to the agent, and being woken when the record
 * is completed. The body is complete when it starts; the answer is whole when it comes. */
#include <stdlib.h>

#include "base/log.h"
#include "handler/core_state.h"

static void fail_sending(struct exchange *exchange, enum status status) {
    switch (status) {
    case STATUS_GONE:
    case STATUS_NOT_FOUND:
        claim_gone(exchange->core, &exchange->claim);
        dispatch_undelivered(exchange);
        break;
    case STATUS_UNHEARD: dispatch_unreached(exchange); break;
    case STATUS_TOO_LARGE: exchange_fail(exchange, HTTP_ERROR_BODY_TOO_LARGE); break;
    default: exchange_fail(exchange, HTTP_ERROR_OVERLOADED); break;
    }
}

/* The messages of one request, until the agent port has told of each. The exchange may meanwhile have ended,
 * or be under way to another agent under another request id. */
struct sending {
    struct operation operation;
    uint64_t ticket;
    size_t left;
    char request_id[V1_REQUEST_ID_MAX + 1];
};

static void sending_drop(struct operation *operation) {
    free(operation);
}

static void on_sent(void *target, uint64_t ticket, enum status status) {
    (void)ticket;
    struct sending *sending = target;
    struct exchange *exchange = exchange_find(sending->operation.core, sending->ticket);
    bool is_its = exchange && strcmp(exchange->mail.request_id, sending->request_id) == 0;
    bool is_last = --sending->left == 0;
    if (is_last) {
        operation_end(&sending->operation);
        free(sending);
    }
    if (is_its && is_last) exchange->mail.is_sending = false;
    if (is_its && status != STATUS_OK)
        exchange->mail.sent = status; /* for not_taken(), if an answer is asked for */
    if (!is_its || exchange->state != EXCHANGE_SENT) return;
    if (status != STATUS_OK)
        fail_sending(exchange, status);
    else if (is_last && exchange->mail.is_gone)
        mailbox_delivery_agent_gone(exchange);
}

static void send_message(struct sending *sending, const struct exchange *exchange, struct view text) {
    struct agents *agents = &exchange->core->ports.agents;
    sending->left++;
    agents->send(agents->ctx, &exchange->claim.member.link, text, on_sent, sending, 0);
}

/* An agent that can join them gets a long message in pieces. */
static bool send_pieces(struct sending *sending, const struct exchange *exchange, struct view text) {
    struct chunk_cutter cutter;
    struct buf piece;
    if (!chunk_cutter_init(&cutter, view_from_cstr(exchange->mail.request_id), text, CHUNKS_MESSAGE_MAX))
        return false;
    buf_init(&piece, CHUNKS_MESSAGE_MAX);
    while (chunk_cutter_next(&cutter, &piece)) {
        send_message(sending, exchange, buf_view(&piece));
        buf_clear(&piece);
    }
    bool ok = !piece.failed;
    buf_done(&piece);
    return ok;
}

static bool send_text(struct exchange *exchange, struct view text) {
    struct sending *sending = calloc(1, sizeof(*sending));
    if (!sending) return false;
    bool in_pieces = (exchange->claim.member.capabilities & V1_CAP_CHUNKS) && text.len > CHUNKS_MESSAGE_MAX,
         ok = true;
    operation_start(exchange->core, &sending->operation, sending_drop);
    sending->ticket = exchange->ticket;
    memcpy(sending->request_id, exchange->mail.request_id, sizeof(sending->request_id));
    if (in_pieces)
        ok = send_pieces(sending, exchange, text);
    else
        send_message(sending, exchange, text);
    if (sending->left == 0) {
        operation_end(&sending->operation);
        free(sending);
    }
    return ok;
}

static bool encode_request(struct exchange *exchange, struct buf *out) {
    struct v1_request request = {.request_id = view_from_cstr(exchange->mail.request_id),
                                 .method = exchange->method,
                                 .uri = exchange->route.target,
                                 .headers = &exchange->headers,
                                 .body = buf_view(&exchange->body),
                                 .timestamp_ms = core_wall_ms(exchange->core)};
    return v1_encode_request(out, &request);
}

static void send_request(struct exchange *exchange) {
    struct core *core = exchange->core;
    struct buf text;
    buf_init(&text, core_message_max(core));
    exchange->link = link_use_get(core, &exchange->claim.member.link);
    if (!exchange->link || !encode_request(exchange, &text)) {
        buf_done(&text);
        exchange_fail(exchange, HTTP_ERROR_OVERLOADED);
        return;
    }
    list_append(&exchange->link->exchanges, &exchange->link_node);
    exchange->state = EXCHANGE_SENT;
    exchange->mail.is_sending = true;
    exchange->mail.is_gone = false;
    exchange->mail.sent = STATUS_OK;
    timer_start(core->ports.clock.timers, &exchange->timer, exchange_request_timeout_ms(exchange));
    dispatch_recheck_later(exchange);
    bool sent = send_text(exchange, buf_view(&text));
    buf_done(&text);
    if (!sent) exchange_fail(exchange, HTTP_ERROR_BODY_TOO_LARGE);
}

static void on_put(void *target, uint64_t ticket, enum status status, struct view request_id) {
    struct core *core = target;
    struct exchange *exchange = exchange_find(core, ticket);
    if (!exchange || exchange->state != EXCHANGE_POSTING) {
        if (status == STATUS_OK) core->ports.mailbox.remove(core->ports.mailbox.ctx, request_id);
        return;
    }
    if (status != STATUS_OK ||
        !view_copy_to(request_id, exchange->mail.request_id, sizeof(exchange->mail.request_id)) ||
        !table_put(&core->requests, &exchange->mail.node, view_from_cstr(exchange->mail.request_id))) {
        exchange->mail.request_id[0] = '\0';
        exchange_fail(exchange, HTTP_ERROR_OVERLOADED);
        return;
    }
    send_request(exchange);
}

static void post(struct exchange *exchange) {
    struct core *core = exchange->core;
    uint64_t timeout = exchange_request_timeout_ms(exchange) + core->settings.grace_ms;
    uint64_t keep = timeout > core->settings.pending_ms ? timeout : core->settings.pending_ms;
    struct pending pending = {.connection_id = view_from_cstr(exchange->claim.member.link.connection),
                              .expires_ms = core_wall_ms(core) + keep};
    exchange->state = EXCHANGE_POSTING;
    timer_stop(core->ports.clock.timers, &exchange->timer);
    core->ports.mailbox.put(core->ports.mailbox.ctx, &pending, on_put, core, exchange->ticket);
}

/* ---- the request's body: all of it, before it is sent ---- */

/* v1 carries no long paths and no large bodies. */
static enum http_error check_v1(const struct exchange *exchange) {
    const struct core_settings *settings = &exchange->core->settings;
    if (exchange->route.target.len > settings->limits.v1_path_bytes) return HTTP_ERROR_URI_TOO_LONG;
    if (exchange->headers.bytes > settings->limits.v1_headers_bytes + HTTP_HEAD_SLACK ||
        !gate_check_values(&exchange->headers, settings->limits.v1_value_bytes))
        return HTTP_ERROR_HEADERS_TOO_LARGE;
    if (exchange->verdict.framing == BODY_LENGTH &&
        exchange->verdict.content_length > settings->v1_body_bytes)
        return HTTP_ERROR_BODY_TOO_LARGE;
    return HTTP_ERROR_NONE;
}

static void start(struct exchange *exchange) {
    enum http_error error = check_v1(exchange);
    if (error != HTTP_ERROR_NONE) {
        exchange_fail(exchange, error);
        return;
    }
    exchange->verdict.is_upgrade = false; /* v1 has no offers: a server may ignore them (RFC 9110 7.8) */
    headers_remove(&exchange->headers, VIEW("expect"));
    if (exchange->verdict.framing == BODY_NONE)
        exchange->body_complete = true;
    else if (!exchange->body_complete) /* one byte more than may come, so that one too many is seen */
        exchange_grant(exchange, (uint64_t)exchange->core->settings.v1_body_bytes + 1);
    exchange->state = EXCHANGE_READING;
    if (exchange->body_complete)
        post(exchange);
    else
        timer_start(exchange->core->ports.clock.timers, &exchange->timer,
                    exchange->core->settings.body_idle_timeout_ms);
}

static void body(struct exchange *exchange, struct view data) {
    if (exchange->state == EXCHANGE_ANSWERING) return;
    if (!buf_append_view(&exchange->body, data)) {
        exchange_stop_waiting(exchange);
        exchange_fail_later(exchange, HTTP_ERROR_BODY_TOO_LARGE);
    } else if (exchange->state == EXCHANGE_READING) {
        timer_start(exchange->core->ports.clock.timers, &exchange->timer,
                    exchange->core->settings.body_idle_timeout_ms);
    }
}

static void body_end(struct exchange *exchange) {
    if (exchange->state == EXCHANGE_READING) tasks_post(exchange->core->ports.clock.tasks, &exchange->task);
}

/* ---- the end ---- */

static bool is_at_mailbox(const struct exchange *exchange) {
    return exchange->mail.node.key.ptr;
}

static void forget_request(struct exchange *exchange) {
    table_remove(&exchange->core->requests, &exchange->mail.node);
    exchange->mail.node.key = (struct view){0};
}

static void stop(struct exchange *exchange) {
    struct core *core = exchange->core;
    if (is_at_mailbox(exchange)) {
        core->ports.mailbox.remove(core->ports.mailbox.ctx, view_from_cstr(exchange->mail.request_id));
        forget_request(exchange);
    }
    if (exchange->link) {
        list_remove(&exchange->link_node);
        link_use_settle(exchange->link);
        exchange->link = NULL;
    }
    v1_message_free(exchange->mail.message);
    exchange->mail.message = NULL;
}

/* ---- the answer ---- */

static enum http_error error_of_agent(const struct v1_message *error) {
    if (view_eq(error->reason, VIEW(V1_REASON_RESPONSE_TOO_LARGE))) return HTTP_ERROR_RESPONSE_TOO_LARGE;
    if (view_eq(error->code, VIEW(V1_CODE_INVALID_REQUEST))) return HTTP_ERROR_BAD_REQUEST;
    if (view_eq(error->code, VIEW(V1_CODE_TIMEOUT))) return HTTP_ERROR_TIMEOUT;
    if (view_eq(error->code, VIEW(V1_CODE_LOCAL_SERVICE_UNAVAILABLE)))
        return HTTP_ERROR_LOCAL_SERVICE_UNAVAILABLE;
    return HTTP_ERROR_BAD_RESPONSE;
}

static void push(struct exchange *exchange) {
    struct view *rest = &exchange->mail.answer_rest;
    size_t room = answer_room(&exchange->answer), len = rest->len < room ? rest->len : room;
    if (len > 0) {
        struct view piece = view_slice(*rest, 0, len);
        *rest = view_skip(*rest, len);
        answer_write(exchange, piece);
    }
    if (rest->len == 0) exchange_end(exchange, NULL);
}

static bool is_taking(const struct exchange *exchange) {
    return exchange->state == EXCHANGE_TAKING || exchange->state == EXCHANGE_TAKING_LAST;
}

/* The store has lost the request, and the agent may have it: no answer will come of it. */
static void lost_by_store(struct exchange *exchange) {
    if (exchange->mail.is_sending && !dispatch_may_send_twice(exchange))
        exchange->mail.is_gone = true; /* it may be that it never got it: that is to be known first */
    else
        dispatch_severed(exchange);
}

static void not_taken(struct exchange *exchange, enum status status) {
    bool is_last =
        exchange->state == EXCHANGE_TAKING_LAST || (exchange->mail.is_gone && !exchange->mail.is_sending);
    exchange->state = EXCHANGE_SENT;
    if (exchange->mail.sent != STATUS_OK)
        fail_sending(exchange, exchange->mail.sent);
    else if (is_last)
        dispatch_agent_lost(exchange);
    else if (status == STATUS_GONE)
        lost_by_store(exchange);
}

static void take(struct exchange *exchange);

/* It came behind the question: the store said "not yet" before it was told of the answer. */
static bool take_again(struct exchange *exchange, enum status status) {
    if (!exchange->mail.is_woken || status == STATUS_GONE) return false;
    enum exchange_state asking = exchange->state;
    exchange->state = EXCHANGE_SENT;
    take(exchange);
    if (exchange->state == EXCHANGE_TAKING) exchange->state = asking;
    return true;
}

static void on_taken(void *target, uint64_t ticket, enum status status, struct v1_message *answer) {
    struct exchange *exchange = exchange_find(target, ticket);
    if (!exchange || !is_taking(exchange) || status != STATUS_OK) {
        v1_message_free(answer);
        if (exchange && is_taking(exchange) && !take_again(exchange, status)) not_taken(exchange, status);
        return;
    }
    forget_request(exchange); /* the mailbox has, too */
    stop(exchange);
    exchange->mail.message = answer;
    if (answer->type == V1_ERROR) {
        exchange_note_fault(exchange, error_of_agent(answer), answer->message);
        exchange_fail(exchange, error_of_agent(answer));
    } else if (answer->body_too_large) {
        exchange_fail(exchange, HTTP_ERROR_RESPONSE_TOO_LARGE);
    } else if (exchange_answer(exchange, answer->status, &answer->headers, answer->body.len)) {
        if (http_answer_has_body(exchange->method, answer->status)) exchange->mail.answer_rest = answer->body;
        push(exchange);
    }
}

static void take(struct exchange *exchange) {
    struct core *core = exchange->core;
    if (exchange->state != EXCHANGE_SENT) return;
    exchange->state = EXCHANGE_TAKING;
    exchange->mail.is_woken = false;
    core->ports.mailbox.take(core->ports.mailbox.ctx, view_from_cstr(exchange->mail.request_id), on_taken,
                             core, exchange->ticket);
}

void mailbox_delivery_completed(struct core *core, struct view request_id) {
    struct table_node *node = table_get(&core->requests, request_id);
    if (!node) return;
    struct exchange *exchange = TABLE_ENTRY(node, struct exchange, mail.node);
    exchange->mail.is_woken = is_taking(exchange);
    take(exchange);
}

void mailbox_delivery_agent_gone(struct exchange *exchange) {
    exchange->mail.is_gone = true;
    if (exchange->state == EXCHANGE_SENT && exchange->mail.is_sending)
        return; /* it may be that it never got it */
    take(exchange);
    if (exchange->state == EXCHANGE_TAKING) exchange->state = EXCHANGE_TAKING_LAST;
}

/* ---- the table ---- */

static void credit(struct exchange *exchange, size_t bytes) {
    (void)bytes; /* answer_room() knows */
    if (exchange->state == EXCHANGE_ANSWERING) tasks_post(exchange->core->ports.clock.tasks, &exchange->task);
}

static void go_on(struct exchange *exchange) {
    if (exchange->state == EXCHANGE_READING)
        post(exchange);
    else if (exchange->state == EXCHANGE_ANSWERING)
        push(exchange);
}

const struct delivery mailbox_delivery = {
    .start = start, .body = body, .body_end = body_end, .credit = credit, .go_on = go_on, .stop = stop};
