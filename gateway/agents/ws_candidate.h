/* A socket that is to become a WebSocket: its handshake's request is read, within a bound and a time, and
 * checked; then it is for its owner to say whether it is let in, at once or later. Agents, peers and the
 * clients of the stand-in for API Gateway come in through here. */
#ifndef GATEWAY_WS_CANDIDATE_H
#define GATEWAY_WS_CANDIDATE_H

#include "agents/handshake.h"
#include "sockets/listener.h"
#include "sockets/porch.h"

#define WS_CANDIDATE_ID_MAX 40

enum ws_candidate_phase {
    WS_CANDIDATE_PEEKING,   /* whose it is, is still to be seen */
    WS_CANDIDATE_READING,   /* its request comes in */
    WS_CANDIDATE_WAITING,   /* its owner thinks about it; nothing polls */
    WS_CANDIDATE_LINGERING, /* refused; until it has read that */
};

struct ws_candidate {
    struct list all;
    struct ws_candidates *set;
    enum ws_candidate_phase phase;
    struct client *client;
    struct client *behind; /* whose it is, when a trusted proxy says that; NULL: the client's */
    struct conn conn;      /* handed on, or closed: none */
    struct sockaddr_storage address;
    socklen_t address_len;
    uv_poll_t *poll;
    struct timer deadline, again;
    struct buf bytes;
    struct arena arena;
    struct handshake handshake;   /* once it is ready */
    uint64_t ready_ms;            /* wall clock; when that was */
    char id[WS_CANDIDATE_ID_MAX]; /* its owner's name for it */
};

struct ws_candidates_settings {
    struct loop *loop;
    const char *name; /* in the log */
    uint64_t head_timeout_ms;
    /* The handshake is there, and right: to be refused, taken, or waited with, now. */
    void (*ready)(void *ctx, struct ws_candidate *candidate);
    /* Requests whose line (or the first bytes of a long one) is not ours go to another server of the same
     * port, their bytes still in the socket; without TLS only. NULL: all are ours. */
    bool (*is_foreign)(struct view line);
    listener_fn *foreign;
    void *ctx;
};

struct ws_candidates {
    struct ws_candidates_settings settings;
    struct list all;
    bool is_stopped;
};

/* What of a candidate becomes a connection. */
struct ws_socket {
    struct conn conn;      /* moved */
    struct client *client; /* moved */
    struct view key;       /* Sec-WebSocket-Key */
    struct view early;     /* bytes that came behind the handshake */
};

static inline const char *ws_candidate_address(const struct ws_candidate *candidate) {
    return (candidate->behind ? candidate->behind : candidate->client)->text;
}

void ws_candidates_init(struct ws_candidates *set, const struct ws_candidates_settings *settings);
/* As porch_fn. */
void ws_candidates_accept(struct ws_candidates *set, const struct conn *conn, struct client *client,
                          const struct sockaddr *address, socklen_t len);
/* Drops the oldest of those whose request has not come yet, or who were refused; false when there is none. */
bool ws_candidates_spare(struct ws_candidates *set);
/* Drops who has not got through yet. Those that are waited with are left to their owner, who sees
 * `is_stopped` when he has his answer, and frees them. */
void ws_candidates_stop(struct ws_candidates *set);
/* Frees what is left; the loop runs the close callbacks afterwards. */
void ws_candidates_done(struct ws_candidates *set);

/* Its owner will say later; nothing ends it meanwhile. */
void ws_candidate_wait(struct ws_candidate *candidate);
/* Answers and lets it go; it may be freed already when this returns. */
void ws_candidate_refuse(struct ws_candidate *candidate, int status, struct view text);
/* Nothing here touches the socket any more. Views live until ws_candidate_free(), which is next. */
struct ws_socket ws_candidate_take(struct ws_candidate *candidate);
void ws_candidate_free(struct ws_candidate *candidate);

#endif
