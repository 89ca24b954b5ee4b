/* See chain_turns.h. One at a time is called, for it may be the last of its tunnel, which is gone then. */
#include "handler/chain_turns.h"

#include "handler/core_state.h"

static struct chain_turns *turns_of(const struct exchange *exchange) {
    return &exchange->share.tunnel->turns;
}

unsigned chain_turns_may(const struct exchange *exchange) {
    struct chain_turns *turns = turns_of(exchange);
    uint64_t now_ms = core_now_ms(exchange->core);
    if (turns->at_ms != now_ms) turns->steps_left = CHAIN_TUNNEL_STEPS;
    turns->at_ms = now_ms;
    return turns->steps_left < CHAIN_TURN_STEPS ? turns->steps_left : CHAIN_TURN_STEPS;
}

void chain_turns_made(const struct exchange *exchange, unsigned steps) {
    turns_of(exchange)->steps_left -= steps;
}

static void on_turn(struct timer *timer) {
    struct chain_turns *turns = LIST_ENTRY(timer, struct chain_turns, timer);
    if (list_empty(&turns->waiting)) return; /* who waited has gone */
    struct exchange *exchange = LIST_ENTRY(turns->waiting.next, struct exchange, answer.turn_node);
    bool may = chain_turns_may(exchange) > 0;
    if (may) list_remove(&exchange->answer.turn_node);
    if (!list_empty(&turns->waiting)) timer_start(exchange->core->ports.clock.timers, timer, may ? 0 : 1);
    if (may) answer_go_on(exchange);
}

void chain_turns_init(struct chain_turns *turns) {
    *turns = (struct chain_turns){.steps_left = CHAIN_TUNNEL_STEPS};
    list_init(&turns->waiting);
    timer_init(&turns->timer, on_turn);
}

void chain_turns_wait(struct exchange *exchange) {
    struct chain_turns *turns = turns_of(exchange);
    list_append(&turns->waiting, &exchange->answer.turn_node);
    if (!timer_armed(&turns->timer)) timer_start(exchange->core->ports.clock.timers, &turns->timer, 1);
}

bool chain_turns_is_waiting(const struct exchange *exchange) {
    return !list_empty(&exchange->answer.turn_node);
}
