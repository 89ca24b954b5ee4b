/* What is known of an agent that is connected here: whose it is, where it comes from, what it has carried.
 * For those who look after the gateway. */
#ifndef GATEWAY_AGENT_CARD_H
#define GATEWAY_AGENT_CARD_H

#include "base/view.h"
#include "handler/claim.h"

/* Views live as long as the card, and are never absent. */
struct ssl_st;

struct agent_card {
    uint64_t number; /* in the order in which they came; from 1 */
    struct view tunnel, owner;
    struct view token_id; /* `jti`; empty: none */
    uint64_t token_issued_s;
    const struct ssl_st *shown; /* its connection, if it is known by the certificate shown there; NULL: not */
    struct view address;        /* without its port */
    struct view software;       /* its User-Agent, as "ttf/1.2.0"; whoever connects chooses it */
    enum link_protocol protocol;
    uint64_t since_ms; /* wall clock */
    bool is_leaving;   /* another connection has its tunnel, or it is being closed */

    /* On this connection. Bytes are those of the messages that carried requests and answers. */
    uint64_t requests, request_bytes, answer_bytes;
    double rate; /* requests a second, of about the last 10 s */

    uint64_t rated_requests, rated_ms;
    char *texts;
};

/* Copies the texts of `said`, cut at AGENT_CARD_TEXT_MAX, and its number, protocol and dates. False without
 * memory. */
#define AGENT_CARD_TEXT_MAX ((size_t)255)
bool agent_card_init(struct agent_card *card, const struct agent_card *said);
void agent_card_done(struct agent_card *card);
/* To be called each second or oftener; `now_ms` is monotonic. */
void agent_card_tick(struct agent_card *card, uint64_t now_ms);

#endif
