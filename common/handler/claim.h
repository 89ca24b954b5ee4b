/* A claim says who owns a tunnel id and which connection serves it. It is the only truth about a tunnel: a
 * lookup never goes by "some connection with that id". Claims change by compare-and-set on the epoch alone
 * (docs/PROTOCOL.md). */
#ifndef HANDLER_CLAIM_H
#define HANDLER_CLAIM_H

#include "auth/allowance.h"
#include "base/view.h"

#define TUNNEL_NAME_MAX 63
#define OWNER_MAX 160
#define CONNECTION_ID_MAX 128
#define GATEWAY_MAX 255

enum link_protocol { LINK_V1, LINK_V2 };

/* Where an agent can be reached. */
struct link {
    char gateway[GATEWAY_MAX + 1]; /* peer URL of the gateway that holds the socket; empty: this process */
    char connection[CONNECTION_ID_MAX + 1]; /* unique for ever */
    enum link_protocol protocol;
};

enum claim_state {
    CLAIM_CONNECTING = 1, /* accepted, `ready` not yet heard */
    CLAIM_READY = 2,
    CLAIM_OFFLINE = 4, /* the connection ended; the name is kept for its owner until expires_ms */
};

/* One agent of a name: the connection that serves it. */
struct member {
    struct link link;
    enum claim_state state;
    uint64_t epoch;              /* the claim's, when this connection was accepted */
    unsigned capabilities;       /* enum v1_capability, agreed at ready */
    uint32_t request_timeout_ms; /* what the agent asked for; 0: the gateway's default */
    uint64_t changed_ms;         /* wall clock, of the last change of state */
    struct allowance allowance;  /* of the token it came with */
    uint64_t until_ms; /* wall clock: then its token ends, and it serves no more; 0: never. Not in Redis, as
                          the gateway that holds the connection knows it (expire.c) */
};

/* A name, and who serves it: one member for now. What belongs to the name stays when another connection of
 * its owner takes it over; what belongs to the member goes with its connection. */
struct claim {
    char tunnel_id[TUNNEL_NAME_MAX + 1];
    char owner[OWNER_MAX + 1]; /* "sub:<subject>" or "anon:<32 hex digits>" */
    uint64_t epoch;            /* grows by one with each connection */
    uint64_t expires_ms;       /* wall clock; after it the claim does not exist */
    struct member member;
};

/* What the owner wants of his name: the place for who may visit it, labels, and the like. Text of one line,
 * without NUL, that no store reads. A claim does not hold them, because hardly any has some: they come and go
 * beside it (ports.h), and stay with the name until somebody says others. */
#define CLAIM_OPTIONS_MAX 1024

/* Also what is absent. */
bool claim_options_valid(struct view options);
/* Makes *kept, a malloc'ed text or NULL for none, a copy of `options`. False, and no change, without memory.
 */
bool claim_options_keep(char **kept, struct view options);
/* Never absent. */
static inline struct view claim_options_view(const char *kept) {
    return view_from_cstr(kept ? kept : "");
}

/* Is this id as we make them, for whom asked for no name? (A few names that people choose are, too.) */
bool claim_id_is_generated(struct view tunnel_id);

static inline bool claim_is_anonymous(const struct claim *claim) {
    return strncmp(claim->owner, "anon:", 5) == 0;
}

#endif
