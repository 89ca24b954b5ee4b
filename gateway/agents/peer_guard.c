/* See peer_guard.h. Numbers are remembered for as long as their proofs hold. */
#include "agents/peer_guard.h"

#include <stdio.h>
#include <stdlib.h>

#include "agents/peer_protocol.h"

#define SEEN_MAX 16384

struct seen {
    struct table_node node;
    struct list age;
    uint64_t until_ms;
    char nonce[PEER_NONCE_LEN];
};

static void forget(struct peer_guard *guard, struct seen *seen) {
    table_remove(&guard->seen, &seen->node);
    list_remove(&seen->age);
    free(seen);
}

void peer_guard_init(struct peer_guard *guard, const char *url) {
    *guard = (struct peer_guard){.key = {0}};
    snprintf(guard->url, sizeof(guard->url), "%s", url);
    table_init(&guard->seen);
    list_init(&guard->ages);
}

void peer_guard_done(struct peer_guard *guard) {
    while (!list_empty(&guard->ages)) forget(guard, LIST_ENTRY(guard->ages.next, struct seen, age));
    table_done(&guard->seen);
}

void peer_guard_set_key(struct peer_guard *guard, const unsigned char key[SECRET_LEN]) {
    memcpy(guard->key, key, SECRET_LEN);
}

bool peer_guard_is_meant(const struct headers *headers) {
    return headers_has_token(headers, VIEW("sec-websocket-protocol"), VIEW(PEER_SUBPROTOCOL));
}

static void forget_old(struct peer_guard *guard, uint64_t wall_ms) {
    while (!list_empty(&guard->ages)) {
        struct seen *oldest = LIST_ENTRY(guard->ages.next, struct seen, age);
        if (oldest->until_ms >= wall_ms) return;
        forget(guard, oldest);
    }
}

/* True the first time. */
static bool is_new(struct peer_guard *guard, struct view nonce, uint64_t wall_ms) {
    forget_old(guard, wall_ms);
    if (guard->seen.count >= SEEN_MAX || table_get(&guard->seen, nonce)) return false;
    struct seen *seen = calloc(1, sizeof(*seen));
    if (!seen) return false;
    memcpy(seen->nonce, nonce.ptr, PEER_NONCE_LEN);
    seen->until_ms = wall_ms + 2 * PEER_WINDOW_MS;
    list_init(&seen->age);
    if (table_put(&guard->seen, &seen->node, view_of(seen->nonce, PEER_NONCE_LEN))) {
        list_append(&guard->ages, &seen->age);
        return true;
    }
    free(seen);
    return false;
}

int peer_guard_check(struct peer_guard *guard, const struct headers *headers, uint64_t wall_ms,
                     char ret_reply[PEER_REPLY_LEN + 1], struct view *ret_text) {
    struct view proof = headers_get(headers, VIEW(PEER_PROOF));
    struct peer_greeting greeting = {.from = headers_get(headers, VIEW(PEER_FROM)),
                                     .to = view_from_cstr(guard->url)};
    *ret_text = VIEW("A peer shows one " PEER_PROOF " and one " PEER_FROM ".");
    if (headers_count(headers, VIEW(PEER_PROOF)) != 1 || headers_count(headers, VIEW(PEER_FROM)) != 1)
        return 401;
    switch (peer_proof_check(proof, guard->key, wall_ms, &greeting)) {
    case PEER_PROVED: break;
    case PEER_MALFORMED: *ret_text = VIEW("The peer's proof is malformed."); return 400;
    case PEER_FOREIGN:
        *ret_text = VIEW("The peer's proof was made with another TUNNEL_SECRET, or for another PEER_URL.");
        return 401;
    case PEER_LATE: *ret_text = VIEW("The peer's clock and ours are more than 30 s apart."); return 401;
    }
    *ret_text = VIEW("The peer's proof has been used before.");
    if (!is_new(guard, greeting.nonce, wall_ms)) return 401;
    *ret_text = VIEW("");
    return peer_reply_encode(ret_reply, &greeting, guard->key) ? 101 : 500;
}
