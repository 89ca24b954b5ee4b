/* See agent_accept.h. */
#include "agent_accept.h"
#include "agent_streams.h"
#include "cluster/peer_protocol.h"
#include "handshake.h"

#include "base/ids.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINGER_MS 2000

struct agent_accept {
    struct loop *loop;
    struct core *core;
    struct agent_ws *ws;
    char gateway[GATEWAY_MAX + 1];
    bool speaks_v1, speaks_v2;
    uint64_t header_timeout_ms;
    struct peer_guard *guard; /* NULL: no peers */
    struct list all;
    bool stopped;
};

enum candidate_phase {
    CANDIDATE_READING, /* its request comes in */
    CANDIDATE_ASKED,   /* the core thinks about it; nothing polls */
    CANDIDATE_LINGER,  /* refused; until it has read that */
};

struct candidate {
    struct list all;
    struct agent_accept *side;
    enum candidate_phase phase;
    struct peer *peer;
    int fd; /* -1: handed on, or closed */
    uv_poll_t *poll;
    struct timer deadline;
    struct buf bytes;
    struct arena arena;
    struct handshake handshake;
    char id[UUID_LEN + 1];
};

static void on_poll_closed(uv_handle_t *handle) {
    free(handle);
}

static void stop_poll(struct candidate *candidate) {
    if (!candidate->poll) return;
    uv_poll_stop(candidate->poll);
    uv_close((uv_handle_t *)candidate->poll, on_poll_closed);
    candidate->poll = NULL;
}

static void candidate_free(struct candidate *candidate) {
    stop_poll(candidate);
    timer_stop(&candidate->side->loop->timers, &candidate->deadline);
    list_remove(&candidate->all);
    if (candidate->fd >= 0) {
        close(candidate->fd);
        peer_release(candidate->peer);
    }
    buf_done(&candidate->bytes);
    arena_done(&candidate->arena);
    free(candidate);
}

static void on_readable(uv_poll_t *poll, int status, int events);

static bool start_poll(struct candidate *candidate) {
    candidate->poll = malloc(sizeof(*candidate->poll));
    if (!candidate->poll) return false;
    if (uv_poll_init(&candidate->side->loop->uv, candidate->poll, candidate->fd) != 0) {
        free(candidate->poll);
        candidate->poll = NULL;
        return false;
    }
    candidate->poll->data = candidate;
    uv_poll_start(candidate->poll, UV_READABLE, on_readable);
    return true;
}

static enum link_protocol protocol_of(const struct candidate *candidate) {
    const struct headers *headers = &candidate->handshake.head.headers;
    bool offers_v2 = headers_has_token(headers, VIEW("sec-websocket-protocol"), VIEW(AGENT_SUBPROTOCOL_V2));
    return offers_v2 && candidate->side->speaks_v2 ? LINK_V2 : LINK_V1;
}

/* Writes the answer and waits a little for the other side to close: closing first, with bytes unread, would
 * take the answer back (RST). */
static void refuse(struct candidate *candidate, int status, struct view text) {
    struct buf out;
    buf_init(&out, 8192);
    handshake_print_refusal(&out, status, text);
    bool sent =
        !out.failed && send(candidate->fd, buf_view(&out).ptr, out.len, MSG_NOSIGNAL) == (ssize_t)out.len;
    buf_done(&out);
    log_info("agent", "%s: refused with %d: %.*s", candidate->peer->text, status, VIEW_ARG(text));
    shutdown(candidate->fd, SHUT_WR);
    candidate->phase = CANDIDATE_LINGER;
    if (!sent || (!candidate->poll && !start_poll(candidate))) {
        candidate_free(candidate);
        return;
    }
    timer_start(&candidate->side->loop->timers, &candidate->deadline, LINGER_MS);
}

static void hand_on(struct candidate *candidate, struct view peer_reply) {
    struct agent_socket socket = {
        .fd = candidate->fd,
        .peer = candidate->peer,
        .key = candidate->handshake.key,
        .protocol = peer_reply.ptr ? LINK_V2 : protocol_of(candidate),
        .peer_reply = peer_reply,
        .early = view_skip(buf_view(&candidate->bytes), candidate->handshake.len),
        .connection_id = view_from_cstr(candidate->id),
    };
    candidate->fd = -1;
    agent_ws_adopt(candidate->side->ws, &socket);
    candidate_free(candidate);
}

static void on_outcome(void *ctx, const struct connect_outcome *outcome) {
    struct candidate *candidate = ctx;
    struct agent_accept *side = candidate->side;
    if (side->stopped) {
        if (outcome->status == 200) core_disconnect(side->core, view_from_cstr(candidate->id), NULL, NULL);
        candidate_free(candidate);
        return;
    }
    if (outcome->status != 200) {
        refuse(candidate, outcome->status, view_from_cstr(outcome->reason ? outcome->reason : ""));
        return;
    }
    log_info("agent", "%s: connected as %s for tunnel %.*s, protocol %s", candidate->peer->text,
             candidate->id, VIEW_ARG(outcome->tunnel_id), protocol_of(candidate) == LINK_V2 ? "v2" : "v1");
    hand_on(candidate, (struct view){0});
}

static void ask_core(struct candidate *candidate) {
    struct agent_accept *side = candidate->side;
    stop_poll(candidate);
    timer_stop(&side->loop->timers, &candidate->deadline);
    candidate->phase = CANDIDATE_ASKED;
    ids_uuid4(candidate->id);
    struct connect_event event = {
        .connection_id = view_from_cstr(candidate->id),
        .gateway = view_from_cstr(side->gateway),
        .target = candidate->handshake.head.target,
        .headers = &candidate->handshake.head.headers,
        .peer = view_from_cstr(candidate->peer->text),
        .protocol = protocol_of(candidate),
    };
    core_connect(side->core, &event, on_outcome, candidate);
}

/* Another gateway, which needs no claim. */
static void take_peer(struct candidate *candidate) {
    struct agent_accept *side = candidate->side;
    const struct headers *headers = &candidate->handshake.head.headers;
    char reply[PEER_REPLY_LEN + 1];
    struct view text = VIEW("This gateway shares its store with no other.");
    int status = side->guard ? peer_guard_check(side->guard, headers, loop_wall_ms(NULL), reply, &text) : 404;
    if (status != 101) {
        log_warn("peer", "%s: refused a peer link", candidate->peer->text);
        refuse(candidate, status, text);
        return;
    }
    stop_poll(candidate);
    timer_stop(&side->loop->timers, &candidate->deadline);
    ids_uuid4(candidate->id);
    log_info("peer", "%s: link %s is gateway %.*s's", candidate->peer->text, candidate->id,
             VIEW_ARG(headers_get(headers, VIEW(PEER_FROM))));
    hand_on(candidate, view_of(reply, PEER_REPLY_LEN));
}

static void look_at_head(struct candidate *candidate) {
    struct view text;
    int status =
        handshake_check(buf_view(&candidate->bytes), &candidate->arena, &candidate->handshake, &text);
    if (status == 0) return; /* more to come */
    if (status == 101 && peer_guard_is_meant(&candidate->handshake.head.headers))
        take_peer(candidate);
    else if (status == 101 && protocol_of(candidate) == LINK_V1 && !candidate->side->speaks_v1)
        refuse(candidate, 400, VIEW("This gateway speaks protocol v2 only: a newer agent is needed."));
    else if (status == 101)
        ask_core(candidate);
    else
        refuse(candidate, status, text);
}

static void on_readable(uv_poll_t *poll, int status, int events) {
    (void)status, (void)events;
    struct candidate *candidate = poll->data;
    char bytes[4096];
    ssize_t len = recv(candidate->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (len < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (len <= 0) {
        candidate_free(candidate);
        return;
    }
    if (candidate->phase == CANDIDATE_LINGER) return; /* thrown away */
    if (!buf_append(&candidate->bytes, bytes, (size_t)len))
        refuse(candidate, 431, VIEW("The request's head is too large."));
    else
        look_at_head(candidate);
}

static void on_deadline(struct timer *timer) {
    struct candidate *candidate = LIST_ENTRY(timer, struct candidate, deadline);
    if (candidate->phase == CANDIDATE_READING && candidate->bytes.len)
        refuse(candidate, 408, VIEW("The request did not arrive in time."));
    else
        candidate_free(candidate);
}

struct agent_accept *agent_accept_new(struct loop *loop, struct core *core, struct agent_ws *ws,
                                      const char *gateway, bool speaks_v1, bool speaks_v2,
                                      uint64_t header_timeout_ms) {
    struct agent_accept *side = calloc(1, sizeof(*side));
    if (!side) return NULL;
    *side = (struct agent_accept){.loop = loop,
                                  .core = core,
                                  .ws = ws,
                                  .speaks_v1 = speaks_v1,
                                  .speaks_v2 = speaks_v2,
                                  .header_timeout_ms = header_timeout_ms};
    view_copy_to(view_from_cstr(gateway), side->gateway, sizeof(side->gateway));
    list_init(&side->all);
    return side;
}

void agent_accept_peers(struct agent_accept *side, struct peer_guard *guard) {
    side->guard = guard;
}

void agent_accept_take(void *ctx, int fd, struct peer *peer, const struct sockaddr *address, socklen_t len) {
    (void)address, (void)len;
    struct agent_accept *side = ctx;
    struct candidate *candidate = calloc(1, sizeof(*candidate));
    if (!candidate) {
        close(fd);
        peer_release(peer);
        return;
    }
    candidate->side = side;
    candidate->fd = fd;
    candidate->peer = peer;
    buf_init(&candidate->bytes, HANDSHAKE_BYTES_MAX);
    arena_init(&candidate->arena, HANDSHAKE_BYTES_MAX * 8);
    timer_init(&candidate->deadline, on_deadline);
    list_append(&side->all, &candidate->all);
    if (!start_poll(candidate) ||
        !timer_start(&side->loop->timers, &candidate->deadline, side->header_timeout_ms))
        candidate_free(candidate);
}

void agent_accept_stop(struct agent_accept *side) {
    if (!side) return;
    side->stopped = true;
    for (struct list *node = side->all.next, *next; node != &side->all; node = next) {
        next = node->next;
        struct candidate *candidate = LIST_ENTRY(node, struct candidate, all);
        if (candidate->phase != CANDIDATE_ASKED) candidate_free(candidate);
    }
}

void agent_accept_free(struct agent_accept *side) {
    if (!side) return;
    while (!list_empty(&side->all)) candidate_free(LIST_ENTRY(side->all.next, struct candidate, all));
    free(side);
}
