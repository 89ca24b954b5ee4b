/* Holds a request back before dispatch until its body is here, because a rule for visitors (visitor_policy.c)
 * must have read it. Then dispatch begins anew, with the body where deliveries take it from. */
#include "handler/core_state.h"

static void wait_for_more(struct exchange *exchange) {
    timer_start(exchange->core->ports.clock.timers, &exchange->timer,
                exchange->core->settings.body_idle_timeout_ms);
}

static void on_nothing(struct exchange *exchange) {
    (void)exchange;
}

static void on_credit(struct exchange *exchange, size_t bytes) {
    (void)exchange, (void)bytes;
}

static void on_body(struct exchange *exchange, struct view data) {
    bool fits = exchange->body.len + data.len <= exchange->door.held_most;
    if (fits && buf_append_view(&exchange->body, data)) {
        wait_for_more(exchange);
        return;
    }
    exchange_stop_waiting(exchange);
    exchange_fail_later(exchange, HTTP_ERROR_BODY_TOO_LARGE);
}

static void on_body_end(struct exchange *exchange) {
    if (exchange->state == EXCHANGE_READING) tasks_post(exchange->core->ports.clock.tasks, &exchange->task);
}

static void go_on(struct exchange *exchange) {
    exchange_stop_waiting(exchange);
    exchange->delivery = &mailbox_delivery;
    exchange->door.is_held = true;
    exchange->verdict.expects_continue = false; /* it has been granted */
    headers_remove(&exchange->headers, VIEW("expect"));
    dispatch_start(exchange);
}

static const struct delivery held_delivery = {.start = on_nothing,
                                              .body = on_body,
                                              .body_end = on_body_end,
                                              .credit = on_credit,
                                              .go_on = go_on,
                                              .stop = on_nothing};

void dispatch_hold(struct exchange *exchange, size_t most_bytes) {
    const struct gate_verdict *verdict = &exchange->verdict;
    if (verdict->framing == BODY_LENGTH && verdict->content_length > most_bytes) {
        exchange_fail(exchange, HTTP_ERROR_BODY_TOO_LARGE);
        return;
    }
    exchange->state = EXCHANGE_READING;
    exchange->delivery = &held_delivery;
    exchange->door.held_most = most_bytes;
    if (verdict->framing == BODY_NONE) exchange->body_complete = true;
    if (exchange->body_complete) {
        on_body_end(exchange);
        return;
    }
    wait_for_more(exchange);
    exchange_grant(exchange, (uint64_t)most_bytes + 1); /* so that one too many is seen */
}
