/* Lets in those who ask at the agent port to be peers, or says why not: they prove that they have our secret,
 * mean this gateway, and have not said the same before. */
#ifndef CLUSTER_PEER_GUARD_H
#define CLUSTER_PEER_GUARD_H

#include "auth/peer.h"
#include "base/list.h"
#include "base/table.h"
#include "http/headers.h"

struct peer_guard {
    char url[256]; /* ours */
    unsigned char key[SECRET_LEN];
    struct table seen; /* struct seen by nonce */
    struct list ages;  /* of them, the oldest first */
};

void peer_guard_init(struct peer_guard *guard, const char *url);
void peer_guard_done(struct peer_guard *guard);
void peer_guard_set_key(struct peer_guard *guard, const unsigned char key[SECRET_LEN]);

/* Does this handshake ask for a peer link? */
bool peer_guard_is_meant(const struct headers *headers);
/* 101, and the reply for the answer's PEER_REPLY field; or the status to refuse it with, and *ret_text says
 * why (static). */
int peer_guard_check(struct peer_guard *guard, const struct headers *headers, uint64_t wall_ms,
                     char ret_reply[PEER_REPLY_LEN + 1], struct view *ret_text);

#endif
