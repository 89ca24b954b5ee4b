/* One WebSocket (RFC 6455) as a client: dials addresses one after the other, asks for it, checks the answer;
 * then text messages, whole, and the bytes of binary ones as they come, both ways. Pings are answered, what
 * breaks the protocol closes it, an unfinished message is bounded. Subprotocols, extra fields of the
 * handshake and what is said in messages are the owner's. */
#ifndef NET_WS_CLIENT_H
#define NET_WS_CLIENT_H

#include "base/buf.h"
#include "http/headers.h"
#include "net/addresses.h"
#include "net/wire.h"

#define WS_CLIENT_QUEUE_MAX (64u * 1024 * 1024) /* bytes of text messages waiting to be sent */
#define WS_CLIENT_FILL_MAX (512u * 1024)        /* of one binary message */

struct ws_client;

struct ws_client_settings {
    struct loop *loop;
    struct wire_tls *tls;             /* NULL: ws:// */
    const struct wire_way *way;       /* through a proxy, whose the addresses are then; NULL: straight */
    const struct wire_intake *intake; /* as wire_events.intake */
    uint64_t timeout_ms;              /* from now until the handshake is answered */
    size_t message_max;               /* of a text message that comes; a longer one closes with 1009 */
    size_t frame_max;                 /* of text messages that are sent; 0: each is one frame */
};

/* What is asked for; copied. */
struct ws_client_request {
    const char *target;    /* path and query */
    const char *authority; /* the Host field */
    const char *protocol;  /* the one subprotocol that is offered, at most 63 bytes; NULL: none */
    struct view fields;    /* further fields, lines that end in CRLF */
};

enum ws_client_failure {
    WS_CLIENT_UNREACHABLE, /* no TCP connection to any address: `error` */
    WS_CLIENT_PROXY,       /* a proxy opens no way: `why` */
    WS_CLIENT_TLS,         /* no TLS */
    WS_CLIENT_SILENT,      /* TCP is there, and in time no answer */
    WS_CLIENT_CUT,         /* cut before the answer was whole */
    WS_CLIENT_REFUSED,     /* answered with `http_status`; `said`: the first of its body */
    WS_CLIENT_BAD_ANSWER,  /* no WebSocket's, or not the one that was asked for */
    WS_CLIENT_CLOSED,      /* was open. `why` NULL: by the server, `said` is its reason */
};

struct ws_client_end {
    enum ws_client_failure failure;
    int error; /* of libuv, 0: none */
    int http_status;
    int close_code;   /* WS_CLIENT_CLOSED: the server's, 0 where it said none */
    const char *why;  /* in words of ours; may be NULL */
    struct view said; /* by the server: any bytes */
};

/* None is called from within a call to the client, but ws_client_look(). Each may call any function of it,
 * ws_client_free() too. */
struct ws_client_events {
    /* It is open; `fields` are the answer's. The protocol that was offered, or none, stands there. Not NULL:
     * what is wrong with that; it ends as WS_CLIENT_BAD_ANSWER. */
    const char *(*on_open)(void *ctx, const struct headers *fields);
    void (*on_text)(void *ctx, struct view text); /* borrowed until return, as all bytes here */
    /* A piece of a binary message. False: it makes no sense, the connection is closed with 1002. */
    bool (*on_bytes)(void *ctx, struct view bytes);
    void (*on_drained)(void *ctx); /* all that the socket had not taken at once has left; may be NULL */
    void (*on_sent)(void *ctx);    /* a message has gone: ws_client_queued_bytes() is less; may be NULL */
    /* Appends what is ready as one binary message, perhaps nothing; asks for the next with
     * ws_client_want_fill(). False: as with on_bytes. May be NULL. */
    bool (*fill)(void *ctx, struct buf *message);
    void (*on_end)(void *ctx, const struct ws_client_end *end); /* the last one */
};

/* `settings->tls`, `way` and `intake` outlive the client, all else is copied. NULL without memory. */
struct ws_client *ws_client_open(const struct ws_client_settings *settings, const struct addresses *addresses,
                                 const struct ws_client_request *request,
                                 const struct ws_client_events *events, void *ctx);
/* Ends at once; no event follows. NULL is fine. */
void ws_client_free(struct ws_client *client);
/* Has it been opened, and not ended? */
bool ws_client_is_up(const struct ws_client *client);
/* Says goodbye, where it is up and has not said so yet: on_end comes, with this `why` (not copied), when the
 * server has answered or after `grace_ms`. What is queued is dropped. */
void ws_client_close(struct ws_client *client, int code, const char *why, uint64_t grace_ms);

/* An empty message of at most `max` bytes to append to: it has the room in front that ws_client_send() wants.
 */
bool ws_message_init(struct buf *message, size_t max);
/* What has been appended so far. */
struct view ws_message_text(const struct buf *message);
/* Moves the text message out of `message` in any case. False when it is marked failed or empty, nothing is
 * open or the queue is full. */
bool ws_client_send(struct ws_client *client, struct buf *message);
size_t ws_client_queued_bytes(const struct ws_client *client);
/* `fill` has something to say. */
void ws_client_want_fill(struct ws_client *client);
/* For an open one whose server is ours: from now on, frames have the masking key 0, which changes no byte,
 * where nobody between the ends sees them: over TLS, or straight to an address of this machine. Elsewhere
 * nothing changes. The mask keeps whoever chooses bytes of a message from choosing bytes on the wire that a
 * proxy on the way takes for a request (RFC 6455 10.3). */
void ws_client_allow_zero_keys(struct ws_client *client);
/* In front of what waits. */
void ws_client_ping(struct ws_client *client);
/* Takes what has come, as wire_look(). */
void ws_client_look(struct ws_client *client);
/* As wire_is_stranded(). */
bool ws_client_is_stranded(const struct ws_client *client);
/* When anything, a pong too, was last received. */
uint64_t ws_client_heard_ms(const struct ws_client *client);
/* As wire_moved_ms(). */
uint64_t ws_client_moved_ms(const struct ws_client *client);

#endif
