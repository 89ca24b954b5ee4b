/* See agent_accept.h. */
#include "agents/agent_accept.h"

#include <stdlib.h>

#include "agents/agent_streams.h"
#include "agents/peer_protocol.h"
#include "base/ids.h"
#include "base/log.h"
#include "sockets/behind_proxy.h"
#include "sockets/tls_subject.h"

struct agent_accept {
    struct ws_candidates candidates;
    struct core *core;
    struct agent_ws *ws;
    struct clients *proxied;
    char gateway[GATEWAY_MAX + 1];
    bool speaks_v1, speaks_v2;
    struct peer_guard *guard; /* NULL: no peers */
};

static struct agent_accept *side_of(struct ws_candidate *candidate) {
    return LIST_ENTRY(candidate->set, struct agent_accept, candidates);
}

static enum link_protocol protocol_of(struct ws_candidate *candidate) {
    const struct headers *headers = &candidate->handshake.head.headers;
    bool offers_v2 = headers_has_token(headers, VIEW("sec-websocket-protocol"), VIEW(AGENT_SUBPROTOCOL_V2));
    return offers_v2 && side_of(candidate)->speaks_v2 ? LINK_V2 : LINK_V1;
}

static struct agent_card card_of(const struct ws_candidate *candidate,
                                 const struct connect_outcome *outcome) {
    if (!outcome) return (struct agent_card){0};
    const struct headers *headers = &candidate->handshake.head.headers;
    return (struct agent_card){.tunnel = outcome->tunnel_id,
                               .owner = outcome->owner,
                               .token_id = outcome->token_id,
                               .token_issued_s = outcome->token_issued_s,
                               .shown = outcome->by_certificate ? candidate->conn.tls : NULL,
                               .address = view_from_cstr(ws_candidate_address(candidate)),
                               .software = headers_get(headers, VIEW("user-agent"))};
}

static void hand_on(struct ws_candidate *candidate, const struct connect_outcome *outcome,
                    struct view peer_reply) {
    const struct agent_card card = card_of(candidate, outcome); /* before its connection is taken */
    const struct agent_socket socket = {
        .card = card,
        .socket = ws_candidate_take(candidate),
        .protocol = peer_reply.ptr ? LINK_V2 : protocol_of(candidate),
        .behind = candidate->behind,
        .peer_reply = peer_reply,
        .connection_id = view_from_cstr(candidate->id),
        .until_ms = outcome ? outcome->until_ms : 0,
    };
    candidate->behind = NULL;
    agent_ws_adopt(side_of(candidate)->ws, &socket);
    ws_candidate_free(candidate);
}

/* Who has registered what, or was refused it, and whence. */
static void audit(const struct ws_candidate *candidate, const struct connect_outcome *outcome) {
    struct view from = view_from_cstr(ws_candidate_address(candidate));
    if (outcome->status == 200)
        log_from(LOG_LEVEL_INFO, LOG_AUDIT, from, "%s tunnel=%.*s owner=%.*s token=%.*s connection=%s",
                 outcome->took_over ? "takeover" : "registration", VIEW_ARG(outcome->tunnel_id),
                 VIEW_ARG(outcome->owner), VIEW_ARG(outcome->token_id), candidate->id);
    else
        log_from(LOG_LEVEL_INFO, LOG_AUDIT, from, "refusal status=%d tunnel=%.*s owner=%.*s token=%.*s: %s",
                 outcome->status, VIEW_ARG(outcome->tunnel_id), VIEW_ARG(outcome->owner),
                 VIEW_ARG(outcome->token_id), outcome->reason ? outcome->reason : "");
}

static void on_outcome(void *ctx, const struct connect_outcome *outcome) {
    struct ws_candidate *candidate = ctx;
    if (candidate->set->is_stopped) {
        if (outcome->status == 200)
            core_disconnect(side_of(candidate)->core, view_from_cstr(candidate->id), NULL, NULL);
        ws_candidate_free(candidate);
        return;
    }
    audit(candidate, outcome);
    if (outcome->status != 200) {
        ws_candidate_refuse(candidate, outcome->status,
                            view_from_cstr(outcome->reason ? outcome->reason : ""));
        return;
    }
    log_from(LOG_LEVEL_INFO, "agent", outcome->tunnel_id, "connected as %s from %s, protocol %s",
             candidate->id, ws_candidate_address(candidate), protocol_of(candidate) == LINK_V2 ? "v2" : "v1");
    hand_on(candidate, outcome, (struct view){0});
}

static void ask_core(struct agent_accept *side, struct ws_candidate *candidate) {
    struct tls_subject subject = {0};
    const char *fault = NULL;
    bool is_known = candidate->conn.tls && tls_subject(candidate->conn.tls, &subject, &fault);
    ws_candidate_wait(candidate);
    ids_uuid4(candidate->id);
    struct connect_event event = {
        .connection_id = view_from_cstr(candidate->id),
        .gateway = view_from_cstr(side->gateway),
        .target = candidate->handshake.head.target,
        .headers = &candidate->handshake.head.headers,
        .client = view_from_cstr(ws_candidate_address(candidate)),
        .protocol = protocol_of(candidate),
        .subject = view_from_cstr(is_known ? subject.name : NULL),
        .subject_end_ms = subject.end_ms,
        .subject_begin_s = subject.begin_s,
        .subject_fault = view_from_cstr(fault),
    };
    core_connect(side->core, &event, on_outcome, candidate);
}

/* Who came through a trusted proxy counts by the address that it says. False: that one has too many, or comes
 * too often. */
static bool count_behind(struct agent_accept *side, struct ws_candidate *candidate) {
    struct sockaddr_storage address;
    size_t hops;
    if (!candidate->client->is_proxy ||
        !behind_proxy(&candidate->handshake.head.headers, candidate->client->clients, &address, &hops))
        return true;
    candidate->behind = clients_take(side->proxied, (const struct sockaddr *)&address);
    return candidate->behind;
}

/* Another gateway, which needs no claim. */
static void take_peer(struct agent_accept *side, struct ws_candidate *candidate) {
    const struct headers *headers = &candidate->handshake.head.headers;
    char reply[PEER_REPLY_LEN + 1];
    struct view text = VIEW("This gateway shares its store with no other.");
    int status =
        side->guard ? peer_guard_check(side->guard, headers, candidate->ready_ms, reply, &text) : 404;
    if (status != 101) {
        log_from(LOG_LEVEL_WARN, "peer", view_from_cstr(candidate->client->text), "refused a peer link");
        ws_candidate_refuse(candidate, status, text);
        return;
    }
    ids_uuid4(candidate->id);
    log_from(LOG_LEVEL_INFO, "peer", view_from_cstr(candidate->client->text), "link %s is gateway %.*s's",
             candidate->id, VIEW_ARG(headers_get(headers, VIEW(PEER_FROM))));
    hand_on(candidate, NULL, view_of(reply, PEER_REPLY_LEN));
}

static void on_ready(void *ctx, struct ws_candidate *candidate) {
    struct agent_accept *side = ctx;
    if (peer_guard_is_meant(&candidate->handshake.head.headers))
        take_peer(side, candidate);
    else if (protocol_of(candidate) == LINK_V1 && !side->speaks_v1)
        ws_candidate_refuse(candidate, 400,
                            VIEW("This gateway speaks protocol v2 only: a newer agent is needed."));
    else if (!count_behind(side, candidate))
        ws_candidate_refuse(candidate, 429,
                            VIEW("This address has too many agents, or connects them too fast."));
    else
        ask_core(side, candidate);
}

struct agent_accept *agent_accept_new(struct loop *loop, struct core *core, struct agent_ws *ws,
                                      const char *gateway, bool speaks_v1, bool speaks_v2,
                                      uint64_t header_timeout_ms, struct clients *proxied) {
    struct agent_accept *side = calloc(1, sizeof(*side));
    if (!side) return NULL;
    *side = (struct agent_accept){
        .core = core, .ws = ws, .proxied = proxied, .speaks_v1 = speaks_v1, .speaks_v2 = speaks_v2};
    view_copy_to(view_from_cstr(gateway), side->gateway, sizeof(side->gateway));
    const struct ws_candidates_settings candidates = {
        .loop = loop, .name = "agent", .head_timeout_ms = header_timeout_ms, .ready = on_ready, .ctx = side};
    ws_candidates_init(&side->candidates, &candidates);
    return side;
}

void agent_accept_peers(struct agent_accept *side, struct peer_guard *guard) {
    side->guard = guard;
}

void agent_accept_take(void *ctx, const struct conn *conn, struct client *client,
                       const struct sockaddr *address, socklen_t len) {
    struct agent_accept *side = ctx;
    ws_candidates_accept(&side->candidates, conn, client, address, len);
}

bool agent_accept_spare(void *ctx) {
    struct agent_accept *side = ctx;
    return ws_candidates_spare(&side->candidates);
}

void agent_accept_stop(struct agent_accept *side) {
    if (side) ws_candidates_stop(&side->candidates);
}

void agent_accept_free(struct agent_accept *side) {
    if (!side) return;
    ws_candidates_done(&side->candidates);
    free(side);
}
