/* What both ends of a peer link agree on (docs/PROTOCOL.md, Peers). */
#ifndef CLUSTER_PEER_PROTOCOL_H
#define CLUSTER_PEER_PROTOCOL_H

#include "http/limits.h"

#define PEER_SUBPROTOCOL "http-tunnel.peer.v1"

/* Of the handshake: who asks, and the proofs of auth/peer.h. */
#define PEER_FROM "x-tunnel-peer"
#define PEER_PROOF "x-tunnel-peer-proof"
#define PEER_REPLY "x-tunnel-peer-reply"

/* Fields of each request on the link. */
#define PEER_TUNNEL "x-tunnel-id"
#define PEER_EPOCH "x-tunnel-epoch"
#define PEER_LET_IN "x-tunnel-let-in" /* "1": the tunnel's rules for visitors were held */
#define PEER_VISITOR                                                                                         \
    "x-tunnel-visitor" /* whose share of the tunnel's places it is (event.h); absent: nobody's */
#define PEER_HOP "x-tunnel-hop"

/* The links of two gateways carry the requests for all agents of both, and as many resets and 100s
 * (Continue). A head has passed one gateway's limits, and has some fields more now. */
#define PEER_LINK_LIMITS                                                                                     \
    {                                                                                                        \
        .window_bytes = 256 * 1024, .window_max_bytes = 8 * 1024 * 1024, .streams_max = 65536,               \
        .headers_bytes = HTTP_HEAD_MOST + HTTP_HEAD_SLACK, .headers_count = 288,                             \
        .message_bytes = 256 * 1024, .resets_per_second = 10000, .noise_per_second = 10000                   \
    }

#endif
