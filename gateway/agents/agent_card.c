/* See agent_card.h. */
#include "agents/agent_card.h"

#include <stdlib.h>

#define RATE_SPAN_MS 10000.0
#define RATE_STEP_MS 1000
#define RATE_LEAST 0.005

static struct view keep(char **at, struct view text) {
    struct view kept = view_of(*at, text.len);
    if (text.len) memcpy(*at, text.ptr, text.len);
    *at += text.len;
    return kept;
}

bool agent_card_init(struct agent_card *card, const struct agent_card *said) {
    const struct view texts[] = {said->tunnel, said->owner, said->token_id, said->address, said->software};
    struct view *const kept[] = {&card->tunnel, &card->owner, &card->token_id, &card->address,
                                 &card->software};
    size_t len = 1;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) len += texts[i].len;
    *card = (struct agent_card){.number = said->number,
                                .protocol = said->protocol,
                                .since_ms = said->since_ms,
                                .token_issued_s = said->token_issued_s,
                                .shown = said->shown,
                                .rated_ms = said->rated_ms,
                                .texts = malloc(len)};
    if (!card->texts) return false;
    char *at = card->texts;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        *kept[i] = keep(&at, view_slice(texts[i], 0, AGENT_CARD_TEXT_MAX));
    return true;
}

void agent_card_done(struct agent_card *card) {
    free(card->texts);
    card->texts = NULL;
}

void agent_card_tick(struct agent_card *card, uint64_t now_ms) {
    uint64_t passed_ms = now_ms - card->rated_ms;
    if (passed_ms < RATE_STEP_MS) return;
    double now = (double)(card->requests - card->rated_requests) * 1000.0 / (double)passed_ms;
    double weight = (double)passed_ms / RATE_SPAN_MS;
    card->rate += (now - card->rate) * (weight > 1 ? 1 : weight);
    if (card->rate < RATE_LEAST) card->rate = 0;
    card->rated_requests = card->requests;
    card->rated_ms = now_ms;
}
