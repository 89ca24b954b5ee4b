/* See local.h. Printed straight into the answer: 1000 tunnels take a millisecond or two. */
#include "control/local.h"

#include <stdio.h>
#include <time.h>

#include "protocol/json_text.h"

#define ROWS_SPARED_BYTES ((size_t)16 * 1024) /* a row is never as long */

/* Between a member and the one before it. */
#define MEMBER(name) VIEW(",\"" name "\":")

static void put_text(struct buf *out, struct view member, struct view text) {
    buf_append_view(out, member);
    json_text_string(out, text.ptr ? text : VIEW(""));
}

static void put_number(struct buf *out, struct view member, uint64_t number) {
    buf_append_view(out, member);
    buf_append_number(out, number);
}

static void put_time(struct buf *out, struct view member, uint64_t wall_ms) {
    char text[32];
    struct tm tm;
    time_t seconds = (time_t)(wall_ms / 1000);
    gmtime_r(&seconds, &tm);
    size_t len = strftime(text, sizeof(text), "\"%Y-%m-%dT%H:%M:%SZ\"", &tm);
    buf_append_view(out, member);
    buf_append(out, text, len);
}

/* Hundredths. */
static void put_rate(struct buf *out, double rate) {
    uint64_t number = (uint64_t)(rate * 100 + 0.5);
    const char digits[2] = {(char)('0' + number % 100 / 10), (char)('0' + number % 10)};
    put_number(out, MEMBER("rate"), number / 100);
    buf_append_byte(out, '.');
    buf_append(out, digits, sizeof(digits));
    buf_append_byte(out, '}');
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
    put_text(out, MEMBER("owner"), card->owner);
    put_text(out, MEMBER("token"), card->token_id);
    put_text(out, MEMBER("state"), card->is_leaving ? VIEW("leaving") : VIEW("online"));
    put_text(out, MEMBER("gateway"), view_from_cstr(listing->settings->gateway));
    put_text(out, MEMBER("address"), card->address);
    put_text(out, MEMBER("software"), card->software);
    put_text(out, MEMBER("protocol"), card->protocol == LINK_V2 ? VIEW("v2") : VIEW("v1"));
    put_time(out, MEMBER("since"), card->since_ms);
    put_number(out, MEMBER("requests"), card->requests);
    put_number(out, MEMBER("request_bytes"), card->request_bytes);
    put_number(out, MEMBER("answer_bytes"), card->answer_bytes);
    put_rate(out, card->rate);
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
    put_text(out, MEMBER("version"), VIEW(TTF_VERSION));
    put_text(out, MEMBER("state"), settings->is_draining(settings->ctx) ? VIEW("draining") : VIEW("ready"));
    put_number(out, MEMBER("agents"), agent_ws_count(settings->agents));
    put_number(out, MEMBER("in_flight"), core_exchange_count(settings->core));
    put_number(out, MEMBER("requests"), sums.requests);
    put_number(out, MEMBER("bytes"), sums.bytes);
    put_rate(out, sums.rate);
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
