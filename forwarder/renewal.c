/* See renewal.h. */
#include "renewal.h"

#include <stdlib.h>

#include "base/log.h"

#define AHEAD_MAX_MS 60000 /* so long before the end, or a quarter of the time, it is looked first */
#define LOOK_MIN_MS 500
#define LATE_MS 2000 /* the gateway, if it will say so, has said by then that the token has ended */
#define TOKEN_S_MAX 1000000000ull

static bool is_another(const struct renewal *renewal) {
    const char *text = token_text(renewal->token);
    return text && (!renewal->shown || strcmp(text, renewal->shown) != 0);
}

static bool has_ended(const struct renewal *renewal) {
    return loop_now(renewal->loop) >= renewal->end_ms;
}

static void look_later(struct renewal *renewal) {
    uint64_t left = renewal->end_ms - loop_now(renewal->loop);
    timer_start(&renewal->loop->timers, &renewal->timer, left / 2 > LOOK_MIN_MS ? left / 2 : left);
}

static void looked(struct renewal *renewal, const char *error) {
    if (error) log_warn("tunnel", "the token ends soon: %s", error);
    if (!error && is_another(renewal))
        renewal->renewed(renewal);
    else if (has_ended(renewal))
        renewal->ended(renewal);
    else
        look_later(renewal);
}

static void on_token(struct token_wait *wait, const char *error) {
    looked(LIST_ENTRY(wait, struct renewal, wait), error);
}

static void on_timer(struct timer *timer) {
    struct renewal *renewal = LIST_ENTRY(timer, struct renewal, timer);
    char error[512];
    if (has_ended(renewal))
        renewal->ended(renewal);
    else if (renewal->command)
        token_command_ask(renewal->command, &renewal->wait);
    else
        looked(renewal, token_refresh(renewal->token, error, sizeof(error)) ? NULL : error);
}

void renewal_init(struct renewal *renewal, struct loop *loop, struct token *token,
                  struct token_command *command, void (*renewed)(struct renewal *renewal),
                  void (*ended)(struct renewal *renewal)) {
    *renewal = (struct renewal){
        .loop = loop, .token = token, .command = command, .renewed = renewed, .ended = ended};
    timer_init(&renewal->timer, on_timer);
    token_wait_init(&renewal->wait, on_token);
}

static void forget(struct renewal *renewal) {
    if (renewal->shown) explicit_bzero(renewal->shown, strlen(renewal->shown));
    free(renewal->shown);
    renewal->shown = NULL;
}

void renewal_note(struct renewal *renewal) {
    const char *text = token_text(renewal->token);
    forget(renewal);
    renewal->shown = text ? view_to_cstr(view_from_cstr(text)) : NULL;
}

void renewal_start(struct renewal *renewal, uint64_t token_s) {
    renewal_stop(renewal);
    if (!token_s) return;
    uint64_t left = (token_s < TOKEN_S_MAX ? token_s : TOKEN_S_MAX) * 1000;
    uint64_t ahead = left / 4 < AHEAD_MAX_MS ? left / 4 : AHEAD_MAX_MS;
    renewal->end_ms = loop_now(renewal->loop) + left + LATE_MS;
    timer_start(&renewal->loop->timers, &renewal->timer,
                token_is_renewed(renewal->token) ? left - ahead : left + LATE_MS);
}

void renewal_stop(struct renewal *renewal) {
    timer_stop(&renewal->loop->timers, &renewal->timer);
    token_wait_cancel(&renewal->wait);
}

void renewal_done(struct renewal *renewal) {
    forget(renewal);
}
