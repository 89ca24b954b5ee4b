/* What the parts of the local client share: local_client.c (life, connections wanted and kept, deadlines),
 * local_connection.c and local_tls.c (one socket), local_request.c (one request and its answer), local_head.c
 * (how it is said), local_send.c (its way out).
 *
 * Who ends what: a request is taken out of everything by request_detach(), goes to `grave` while an event is
 * under way, and its memory is used again afterwards. A connection closed lives until libuv lets go of its
 * handle. */
#ifndef FORWARDER_LOCAL_STATE_H
#define FORWARDER_LOCAL_STATE_H

#include <sys/types.h>
#include <sys/uio.h>

#include "base/buf.h"
#include "base/list.h"
#include "http/gate.h"
#include "local/local_answer.h"
#include "local/local_client.h"
#include "net/resolver.h"

#define LOCAL_REQUEST_MAGIC 0x6c6f6371u
#define LOCAL_CONNECTION_MAGIC 0x6c6f636eu
#define LOCAL_NAME_MAX ((size_t)256)
#define LOCAL_UPGRADE_MAX ((size_t)HTTP_UPGRADE_MAX)
#define LOCAL_REPLAY_MAX ((size_t)64 * 1024)

struct ssl_st;
struct ssl_ctx_st;

struct local_client {
    struct loop *loop;
    char *host, *unix_path;
    struct local_dialler dialler; /* dial NULL: none */
    uint16_t port;
    struct ssl_ctx_st *tls; /* NULL: no TLS */
    uint64_t connect_timeout_ms;
    char host_field[300]; /* for requests that have none */

    struct list requests;  /* all */
    struct list waiting;   /* those that wait for a connection */
    struct list expecting; /* those whose body waits for a 100, oldest first */
    struct list restless;  /* those with something to do from a safe point */
    struct list grave;     /* ended within an event */
    struct list spare_requests;
    size_t spare_requests_count;
    struct list late;         /* connections with something to read, for which there was no room in a turn */
    struct loop_hook on_turn; /* in the loop's list while there are such */
    const struct turn_taker *taker;
    int depth; /* events under way */
    bool shut, pumps;
    bool freed;             /* goes with the last socket */
    bool lacks_descriptors; /* no new connection before another has closed */

    struct list connecting, idle; /* connections; idle: newest first. One that is used is its request's */
    struct list spare_connections;
    size_t spare_connections_count;
    size_t open, closing;

    struct addresses addresses;
    size_t first_address; /* the one that worked last */
    enum local_clue clue;
    bool answered;                         /* once, or a handshake was done: no clue is needed */
    bool addresses_known, addresses_fixed; /* fixed: not of a name that could change */
    uint64_t addresses_ms;                 /* when they were looked up */
    struct resolver_job *lookup;

    struct task chores;
    struct timer tick; /* armed for the earliest deadline of all */
    char read_bytes[LOCAL_READ_BYTES];
};

enum connection_stage {
    CONNECTION_NEW,
    CONNECTION_DIALS,
    CONNECTION_SHAKES_HANDS,
    CONNECTION_UP,
    CONNECTION_CLOSED
};

struct local_connection {
    unsigned magic;
    struct list node, late_node;
    struct local_client *client;
    struct local_request *request; /* NULL: idle */
    enum connection_stage stage;
    int fd; /* -1: none yet */
    uv_poll_t poll;
    bool polled; /* `poll` is initialised */
    int mask;    /* what it is polled for */
    struct ssl_st *tls;
    bool tls_wants_write; /* its reading side does */
    bool used;            /* has carried an exchange before this one */
    bool blocked;         /* the socket takes no more for now */
    bool broken;          /* nor ever */
    bool half_closed;
    bool looked_up;                                      /* its addresses are fresh ones */
    char tls_name[LOCAL_NAME_MAX];                       /* that the service was told; empty: none */
    size_t address, addresses_left;                      /* to be tried; not those behind `address` */
    uint64_t deadline_ms, attempt_deadline_ms, again_ms; /* of connecting; again_ms 0: no pause */
    uint64_t idle_since_ms;
    struct buf held; /* bytes read that a paused request does not take */
};

/* How far a request is. */
enum request_life {
    REQUEST_RUNS,
    REQUEST_FAILED, /* it ends from the next safe point */
    REQUEST_ENDED,  /* its owner has heard, or has cancelled it */
};

/* What becomes of the bytes of its body that the owner gives. AWAITS_100 and CORKED end in FLOWS, each state
 * may end in DROPPED. */
enum body_way {
    BODY_FLOWS,
    BODY_CORKED,     /* nothing leaves, not even the head, before there is more of it, or the turn is over */
    BODY_AWAITS_100, /* from the service, or its silence for LOCAL_CONTINUE_MAX_MS */
    BODY_AWAITS_SWITCH, /* given early, for the other protocol */
    BODY_DROPPED,       /* the service takes no more: what is given counts as sent */
};

/* What becomes of bytes that have left. From each to the next ones only. */
enum body_memory {
    SENT_KEPT,   /* all are held, at the front of `body`, for the request may be sent again */
    SENT_LET_GO, /* what leaves now is not held any more; until now nothing was lost */
    SENT_LOST,   /* some is gone: it cannot be sent again */
};

enum chunking { CHUNKED_NOT, CHUNKED_OPEN, CHUNKED_ENDED /* the last chunk has left, or is in `lead` */ };
enum upgrade_way { UPGRADE_NONE, UPGRADE_OFFERED, UPGRADE_DONE /* bytes both ways */ };
enum reading { READS, READS_NOT /* paused */, READS_SOON /* from the next safe point */ };

struct local_request {
    unsigned magic;
    struct list node, waiting_node, expecting_node, restless_node;
    struct local_client *client;
    struct local_connection *connection; /* NULL: waits, or has ended */
    struct local_events events;
    void *ctx;
    enum request_life life;

    /* how it is sent */
    bool safe, retried;
    enum body_way way;
    enum body_memory memory;
    enum chunking chunking;
    enum upgrade_way upgrading;
    uint64_t continue_deadline_ms;
    int64_t body_bytes;
    uint64_t given;  /* of the body */
    bool body_ended; /* all was given */

    /* how far it is sent */
    struct buf head;
    size_t head_sent;
    char lead[40]; /* framing that goes before more of the body */
    size_t lead_len;
    struct buf body;
    size_t body_kept;    /* bytes at the front of `body` that were sent and are kept to be sent again */
    uint64_t chunk_left; /* of the chunk being sent */
    uint64_t wire_bytes; /* sent in this try */
    uint64_t sent, told; /* bytes of the body: sent in this try, told to the owner */

    /* the answer */
    struct local_answer answer;
    enum reading reading;
    enum local_error failure; /* FAILED, with `detail` */
    char detail[200];
    char upgrade[LOCAL_UPGRADE_MAX], accept[32]; /* what must come back */
    char tls_name[LOCAL_NAME_MAX];               /* set for TLS only */
};

static inline bool request_holds_body(const struct local_request *request) {
    return request->way == BODY_AWAITS_100 || request->way == BODY_AWAITS_SWITCH;
}

/* ---- local_client.c ---- */

/* Puts a fresh connection, or a kept one, under the request, or makes it wait. */
void client_dispatch(struct local_client *client, struct local_request *request, bool fresh);
/* A connection has become free, or there is room for another. */
void client_pump(struct local_client *client);
void client_want_tick(struct local_client *client, uint64_t deadline_ms);
/* Asks for the addresses; connection_dial_ready() is called on all that connect when they are there. */
void client_lookup(struct local_client *client);
void client_want_chores(struct local_request *request);
void client_enter(struct local_client *client);
void client_leave(struct local_client *client);

struct local_connection *client_connection_new(struct local_client *client);
/* Its memory is used again or freed; nothing refers to it. */
void client_connection_reuse(struct local_connection *connection);
void client_destroy(struct local_client *client);
struct local_request *client_request_new(struct local_client *client);
void client_request_reuse(struct local_request *request);
void client_request_free(struct local_request *request);

/* Of a taker with a share: is it to be read later, because others come first or its tunnel has had its turn?
 */
bool client_reads_later(struct local_connection *connection);

/* ---- local_connection.c ---- */

/* Opens one for the request. Failures are told to the request from a safe point. */
void connection_open(struct local_client *client, struct local_request *request);
/* The addresses are there (error 0) or not. From an event. */
void connection_on_addresses(struct local_connection *connection, int error);
/* A deadline of connecting has passed. From an event. */
void connection_on_deadline(struct local_connection *connection, uint64_t now_ms);
void connection_use(struct local_connection *connection, struct local_request *request);
/* Reads what the service has sent. From an event. */
void connection_read(struct local_connection *connection);
/* The exchange is over and whole: keeps it. */
void connection_release(struct local_connection *connection);
void connection_close(struct local_connection *connection);
/* Is nothing there to be read, not even an end? For a kept one, before it is used. */
bool connection_is_quiet(struct local_connection *connection);
/* Bytes taken, or -1. Sets `blocked` when the socket would not take all, `broken` when it takes no more. */
ssize_t connection_write(struct local_connection *connection, const struct iovec *pieces, int count);
void connection_shut_write(struct local_connection *connection);
/* Sets what the socket is polled for to what the connection can use now. */
void connection_arm(struct local_connection *connection);
/* A pause has ended: what is held, then what is to be read. From an event. */
void connection_resume(struct local_connection *connection);

/* ---- local_tls.c ---- */

struct ssl_ctx_st *tls_context_new(void);
void tls_context_free(struct ssl_ctx_st *context);
/* The name that the service expects to be asked for, by the Host field; empty: none. */
void tls_name_of(const struct local_client *client, const struct headers *headers, char *out, size_t size);
bool tls_begin(struct local_connection *connection);
void tls_end(struct local_connection *connection);
enum tls_progress { TLS_DONE, TLS_WANTS_READ, TLS_WANTS_WRITE, TLS_FAILED };
enum tls_progress tls_shake_hands(struct local_connection *connection);
/* As read(2) and writev(2) with -1 and errno; sets tls_wants_write. */
ssize_t tls_read(struct local_connection *connection, char *bytes, size_t len);
ssize_t tls_write(struct local_connection *connection, const struct iovec *pieces, int count);
/* Are there decrypted bytes, which polling the socket does not show? */
bool tls_holds_bytes(const struct local_connection *connection);
bool tls_is_quiet(struct local_connection *connection);
void tls_shut_write(struct local_connection *connection);
/* Why it failed; a text for the log. */
void tls_error(char *out, size_t size);

/* ---- local_send.c ---- */

/* Sends what may leave now. Safe from anywhere: no events. */
void request_send(struct local_request *request);
/* Has all of it left, so that the connection may carry another? */
bool request_is_sent(const struct local_request *request);
/* No more of the body is sent; what is given still is told as sent. */
void request_drop_body(struct local_request *request);
/* Lets go of the bytes kept for a second try, and keeps no more: the request will not be sent again. */
void request_keep_no_body(struct local_request *request);

/* ---- local_request.c ---- */

/* Bytes have come for it. False: the connection is not the request's any more (and perhaps gone). */
bool request_take(struct local_connection *connection, struct view *bytes);
/* The service has closed (error 0), or the socket failed. */
void request_on_eof(struct local_connection *connection, int error);
/* The socket takes bytes again. */
void request_on_writable(struct local_request *request);
/* The service has not said whether it wants the body for so long that it is sent anyway. */
void request_on_continue_deadline(struct local_request *request);
void request_chores(struct local_request *request);
/* Ends it from an event; `connection_usable` says what becomes of its connection. */
void request_end(struct local_request *request, enum local_error error, const char *detail,
                 bool connection_usable);
/* Ends it from a safe point. Its connection, if any, is closed now. */
void request_fail_soon(struct local_request *request, enum local_error error, const char *detail);

/* ---- local_head.c ---- */

enum head_said { HEAD_SAID, HEAD_CANNOT_BE_SAID, HEAD_NO_MEMORY };
/* Writes request->head, and what the answer to an upgrade must hold to `ret_to`. */
enum head_said request_say_head(struct local_request *request, const struct local_head *head,
                                struct answer_to *ret_to);

#endif
