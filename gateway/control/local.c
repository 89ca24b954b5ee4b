/* See local.h. Printed straight into the answer: 1000 tunnels take a millisecond or two. */
#include "control/local.h"

#include <stdio.h>
#include <time.h>

#include "protocol/json_text.h"

#define ROWS_SPARED_BYTES ((size_t)16 * 1024) /* a row is never as long */

static void put_text(struct buf *out, const char *name, struct view text) {
    buf_printf(out, ",\"%s\":", name);
    json_text_string(out, text.ptr ? text : VIEW(""));
}

static void put_number(struct buf *out, const char *name, uint64_t number) {
    buf_printf(out, ",\"%s\":", name);
    buf_append_number(out, number);
}

static void put_time(struct buf *out, const char *name, uint64_t wall_ms) {
    char text[32];
    struct tm tm;
    time_t seconds = (time_t)(wall_ms / 1000);
    gmtime_r(&seconds, &tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    buf_printf(out, ",\"%s\":\"%s\"", name, text);
}

/* ---- tunnels ---- */

struct listing {
    const struct control_settings *settings;
    const struct question *question;
    struct buf *rows;
    struct answer_text *answer;
};

static void put_tunnel(const struct listing *listing, const struct agent_card *card) {
    struct buf *out = listing->rows;
    if (listing->answer->count++) buf_append_byte(out, ',');
    buf_append_view(out, VIEW("{\"tunnel\":"));
    json_text_string(out, card->tunnel);
    put_text(out, "owner", card->owner);
    put_text(out, "token", card->token_id);
    put_text(out, "state", card->is_leaving ? VIEW("leaving") : VIEW("online"));
    put_text(out, "gateway", view_from_cstr(listing->settings->gateway));
    put_text(out, "address", card->address);
    put_text(out, "software", card->software);
    put_text(out, "protocol", card->protocol == LINK_V2 ? VIEW("v2") : VIEW("v1"));
    put_time(out, "since", card->since_ms);
    put_number(out, "requests", card->requests);
    put_number(out, "request_bytes", card->request_bytes);
    put_number(out, "answer_bytes", card->answer_bytes);
    buf_printf(out, ",\"rate\":%.2f}", card->rate);
}

static bool is_meant(const struct question *question, const struct agent_card *card) {
    return (!question->name.len || view_eq(question->name, card->tunnel)) &&
           (!question->owner.len || view_eq(question->owner, card->owner));
}

static bool list_one(void *ctx, const struct agent_card *card) {
    struct listing *listing = ctx;
    if (!is_meant(listing->question, card)) return true;
    if (listing->answer->count == listing->question->limit) return false;
    put_tunnel(listing, card);
    listing->answer->next = card->number;
    return true;
}

static void list_tunnels(struct listing *listing) {
    agent_ws_each(listing->settings->agents, listing->question->after, list_one, listing);
    if (listing->answer->count < listing->question->limit) listing->answer->next = 0;
}

/* ---- the busiest ---- */

#define BUSY_MAX 100

struct busy {
    const struct agent_card *cards[BUSY_MAX];
    size_t count, limit;
};

static bool weigh_one(void *ctx, const struct agent_card *card) {
    struct busy *busy = ctx;
    size_t at = busy->count;
    while (at > 0 && busy->cards[at - 1]->rate < card->rate) at--;
    if (at == busy->limit) return true;
    size_t moved = (busy->count < busy->limit ? busy->count : busy->limit - 1) - at;
    memmove(&busy->cards[at + 1], &busy->cards[at], moved * sizeof(busy->cards[0]));
    busy->cards[at] = card;
    if (busy->count < busy->limit) busy->count++;
    return true;
}

static void list_busiest(struct listing *listing) {
    struct busy busy = {.limit = listing->question->limit < BUSY_MAX ? listing->question->limit : BUSY_MAX};
    agent_ws_each(listing->settings->agents, 0, weigh_one, &busy);
    for (size_t i = 0; i < busy.count; i++) put_tunnel(listing, busy.cards[i]);
}

/* ---- the gateway ---- */

struct sums {
    double rate;
    uint64_t requests, bytes;
};

static bool add_one(void *ctx, const struct agent_card *card) {
    struct sums *sums = ctx;
    sums->rate += card->rate;
    sums->requests += card->requests;
    sums->bytes += card->request_bytes + card->answer_bytes;
    return true;
}

static void put_gateway(struct listing *listing) {
    const struct control_settings *settings = listing->settings;
    struct buf *out = listing->rows;
    struct sums sums = {.rate = 0};
    agent_ws_each(settings->agents, 0, add_one, &sums);
    buf_append_view(out, VIEW("{\"gateway\":"));
    json_text_string(out, view_from_cstr(settings->gateway));
    put_text(out, "version", VIEW(TTF_VERSION));
    put_text(out, "state", settings->is_draining(settings->ctx) ? VIEW("draining") : VIEW("ready"));
    put_number(out, "agents", agent_ws_count(settings->agents));
    put_number(out, "in_flight", core_exchange_count(settings->core));
    put_number(out, "requests", sums.requests);
    put_number(out, "bytes", sums.bytes);
    buf_printf(out, ",\"rate\":%.2f}", sums.rate);
    listing->answer->count = 1;
}

/* ---- kick ---- */

static const char *why_kick(void *ctx, const struct agent_card *card) {
    return is_meant(ctx, card) ? "the gateway's administration has ended this connection" : NULL;
}

bool local_answer(const struct control_settings *settings, const struct question *question, struct buf *rows,
                  struct answer_text *ret_answer) {
    struct question meant = *question;
    struct listing listing = {settings, question, rows, ret_answer};
    *ret_answer = (struct answer_text){.next = 0};
    switch (question->verb) {
    case QUESTION_TUNNELS: list_tunnels(&listing); break;
    case QUESTION_BUSY: list_busiest(&listing); break;
    case QUESTION_GATEWAY: put_gateway(&listing); break;
    case QUESTION_KICK: ret_answer->count = agent_ws_kick(settings->agents, why_kick, &meant); break;
    case QUESTION_DRAIN:
        settings->drain(settings->ctx);
        ret_answer->count = 1;
        break;
    }
    return !rows->failed;
}
