/* Requests to the one local service, many at once, each streamed both ways: a lean HTTP/1.1 client on the
 * loop of ttf, over TCP, TLS or a unix socket. (libcurl, which stood here before, costs twice the CPU.)
 *
 * A request is sent as it is given: no header is added but Host (where missing), what frames the body, Expect
 * and Upgrade where asked for; none is changed, no redirect followed, nothing decoded but chunked.
 * Connections are kept and used again, newest first, never pipelined. A request on a kept connection that
 * ends before any byte of its answer came is sent once more on a fresh one if nothing of it had been sent, or
 * if its method is safe (http_method_is_safe) and the body is still held (64 KiB); no other request is ever
 * sent twice.
 *
 * One thread. No event comes from within a call of this header. The process ignores SIGPIPE. */
#ifndef FORWARDER_LOCAL_CLIENT_H
#define FORWARDER_LOCAL_CLIENT_H

#include "http/headers.h"
#include "net/turns.h"

enum local_error {
    LOCAL_OK,
    LOCAL_UNAVAILABLE, /* nothing listens, no such host, no route, no connection (TLS included) in time: not
                          executed */
    LOCAL_BROKEN,      /* cut, or not HTTP; the request may have been executed */
    LOCAL_NO_MEMORY,
    LOCAL_INVALID, /* the request given cannot be said in HTTP/1.1 (control bytes, ...): nothing was sent */
};

#define LOCAL_BODY_NONE (-1)    /* neither Content-Length nor Transfer-Encoding */
#define LOCAL_BODY_UNKNOWN (-2) /* chunked */

#define LOCAL_CONNECTIONS_MAX 1024 /* at once; further requests wait, first come first served */
#define LOCAL_LOOKUP_MAX_MS                                                                                  \
    10000u /* a connection opened later looks the service's name up anew, and any where                      \
              connecting failed, once more within the request */
#define LOCAL_IDLE_MAX_MS 30000u              /* a connection kept without use */
#define LOCAL_CONTINUE_MAX_MS 1000u           /* silence after which a body that expects 100 is sent anyway */
#define LOCAL_HEAD_MAX (208u * 1024)          /* bytes of an answer's head; 256 fields */
#define LOCAL_READ_BYTES ((size_t)192 * 1024) /* of a service, at one go */
#define LOCAL_BODY_HELD_MAX (9u * 1024 * 1024) /* bytes of one request's body that wait */

/* Gives sockets that are connected already, non-blocking and the client's; -1 and errno otherwise. */
struct local_dialler {
    int (*dial)(void *ctx);
    void *ctx;
};

/* Where the service is; copied. */
struct local_target {
    const char *host; /* name or IP literal, no brackets; never NULL */
    uint16_t port;
    const char *unix_path;        /* or NULL; host and port then only make the Host field */
    struct local_dialler dialler; /* `dial`: it connects, in place of `unix_path`, which is its name alone */
    bool tls; /* any certificate will do: this is the developer's own service. TLS's server name
                 is that of the request's Host field, for services refuse what differs */
};

/* Borrowed until local_request_start() returns. */
struct local_head {
    struct view method, target; /* the raw target, "/path?query" or "*" */
    /* No hop-by-hop fields. Content-Length and Transfer-Encoding are skipped, as is with `upgrade`
     * Connection, Upgrade and, for websocket, Sec-WebSocket-Key: ours take their places. */
    const struct headers *headers;
    int64_t body_bytes;    /* or LOCAL_BODY_… */
    bool expects_continue; /* the body waits for on_informational(100) or a final head; Expect is added if
                              missing */
    struct view upgrade;   /* protocols offered, such as "websocket" (http_is_upgrade), with a body of known
                            * length or none; absent: no offer */
};

/* on_head, on_data and on_end are needed, the others may be NULL. Views and headers are borrowed until
 * return. */
struct local_events {
    /* 100, once, where expects_continue asked for it, also when the service was silent for
     * LOCAL_CONTINUE_MAX_MS: the body is sent from now on. Other 1xx are dropped. */
    void (*on_informational)(void *ctx, int status);
    /* The final head, once, also while the body is still being sent. Hop-by-hop fields are still in. */
    void (*on_head)(void *ctx, int status, const struct headers *headers);
    /* In place of on_head: the 101 to one of `upgrade`, already checked. From now on local_request_body() and
     * on_data carry raw bytes, local_request_body_end() closes our direction, and on_end(LOCAL_OK) says that
     * the service closed. */
    void (*on_switched)(void *ctx, const struct headers *headers);
    void (*on_data)(void *ctx, struct view data); /* decoded from chunked; at most LOCAL_READ_BYTES */
    /* So many bytes of the body have left (or were dropped, because the service takes no more): credit for
     * who sends. Each byte once. */
    void (*on_sent)(void *ctx, size_t bytes);
    /* Right before on_end(LOCAL_OK), when there are any. */
    void (*on_trailers)(void *ctx, const struct headers *trailers);
    /* Last call, and the request is gone after it. LOCAL_OK: the answer was whole. `detail` is for the log.
     */
    void (*on_end)(void *ctx, enum local_error error, const char *detail);
};

struct local_client;
struct local_request;

/* Connecting, TLS and all addresses of the name included, takes `connect_timeout_ms` at most. NULL without
 * memory. */
struct local_client *local_client_new(struct loop *loop, const struct local_target *target,
                                      uint64_t connect_timeout_ms);
/* Answers are read in turns (net/turns.h). `taker` is borrowed, and its share may change. */
void local_client_take_turns(struct local_client *client, const struct turn_taker *taker);
/* Cancels what is under way. Not from within an event. */
void local_client_shut(struct local_client *client);
/* After local_client_shut(); its memory goes when the loop has let go of its sockets. NULL is fine. */
void local_client_free(struct local_client *client);

/* What its failures so far tell of the service. */
enum local_clue {
    LOCAL_CLUE_NONE,
    LOCAL_CLUE_SPEAKS_TLS, /* it answers with TLS */
    LOCAL_CLUE_SILENT,     /* it has never answered, and closes connections; as some do that speak TLS */
    LOCAL_CLUE_NO_TLS,     /* no handshake has ever succeeded */
};
enum local_clue local_client_clue(const struct local_client *client);

/* NULL without memory. */
struct local_request *local_request_start(struct local_client *client, const struct local_head *head,
                                          const struct local_events *events, void *ctx);

/* Copies what cannot leave at once. False: without memory, when more than LOCAL_BODY_HELD_MAX would wait, or
 * when it is more than was announced; cancel the request then. Before a switch of protocols the bytes wait
 * for it where none were announced. */
bool local_request_body(struct local_request *request, struct view data);
/* No more will come. Less than was announced ends the request as LOCAL_BROKEN. */
void local_request_body_end(struct local_request *request);
/* Bytes of the body given and not yet sent. */
size_t local_request_body_waiting(const struct local_request *request);

/* Paused: no on_data, and the service is slowed by TCP. The other events still come where they need no more
 * bytes. */
void local_request_pause(struct local_request *request, bool paused);

/* No event any more; the connection is closed. May be called from within any event (in on_end it does
 * nothing). */
void local_request_cancel(struct local_request *request);

#endif
