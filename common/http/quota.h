/* The quotas that can be met: one list of name and text. An answer of ours that was made because of one
 * carries `x-tunnel-quota: <name>` (docs/QUOTAS.md). */
#ifndef HTTP_QUOTA_H
#define HTTP_QUOTA_H

#include "base/view.h"

/* Those that visitors meet come first. */
#define QUOTA_LIST(X)                                                                                        \
    X(TUNNEL_RATE, "tunnel-rate", "requests a second of this tunnel")                                        \
    X(OWNER_RATE, "owner-rate", "requests a second of all tunnels of its owner")                             \
    X(VISITOR_RATE, "visitor-rate", "requests a second of one visitor's address")                            \
    X(TUNNEL_BANDWIDTH, "tunnel-bandwidth", "bytes a second of this tunnel")                                 \
    X(OWNER_BANDWIDTH, "owner-bandwidth", "bytes a second of all tunnels of its owner")                      \
    X(OWNER_REQUESTS, "owner-requests", "requests and WebSockets at once of all tunnels of its owner")       \
    X(OWNER_TUNNELS, "owner-tunnels", "tunnels at once of one owner")                                        \
    X(OWNER_NEW_TUNNELS, "owner-new-tunnels", "new tunnels a day of one owner")                              \
    X(OWNER_CONNECTS, "owner-connects", "connects a minute of one owner")                                    \
    X(TOKEN_NAMES, "token-names", "the names that a token is for")

enum quota {
    QUOTA_NONE = 0,
#define X(id, name, text) QUOTA_##id,
    QUOTA_LIST(X)
#undef X
        QUOTA_END
};

/* Empty for QUOTA_NONE. */
struct view quota_name(enum quota quota);
struct view quota_text(enum quota quota);
/* QUOTA_NONE for a name that is none of ours. */
enum quota quota_from_name(struct view name);

#endif
