/* WebSockets (RFC 6455) that clients opened to us: agents', other gateways', and those of the stand-in for
 * API Gateway.
 *
 * What breaks the protocol is closed with the code that the RFC has for it, pings are answered (of many at
 * once the first few, and the last), and a close is answered with the code that came, or with none where none
 * came. What has been written and the socket has not taken is bounded. */
#ifndef GATEWAY_WS_SERVER_H
#define GATEWAY_WS_SERVER_H

#include "agents/held.h"
#include "agents/ws_candidate.h"
#include "base/status.h"
#include "http/ws_frame.h"

struct ws_server;
struct lws;

/* Our end of one WebSocket; a part of its owner's struct. */
struct ws_end {
    unsigned magic;
    struct ws_server *server;
    struct lws *wsi;  /* libwebsockets' part of it; NULL: none */
    struct conn conn; /* libwebsockets closes the socket */
    struct ws_decoder decoder;
    struct task begin, write, ask; /* at the end of the turn */
    struct buf early;              /* what came behind the handshake */
    struct held held;              /* came, and is not taken in this turn of the loop */
    struct list outgoing;          /* messages that wait to be written */
    struct buf unsent;             /* of TLS: what the socket has not taken; else libwebsockets keeps it */
    size_t outgoing_bytes;
    uint64_t written_bytes; /* in all, to the socket or what waits for it */
    uint64_t closing_ms;    /* when its end began; 0: it has not */
    unsigned close_code;    /* that is to be sent; 0: none */
    bool is_established, is_broken;
    bool is_writing, is_write_due; /* within the event; when the socket takes something again */
    bool is_asked;                 /* libwebsockets is to say when that is */
    bool is_paused;
    bool is_close_sent, is_deaf; /* what still comes is thrown away */
    bool is_over;                /* closed by both: the socket is, when it has taken what is owed */
};

/* The library that speaks WebSocket, and its version. */
const char *ws_server_library(void);

/* None is called from within a call to the end, but `gone` from ws_server_stop(). */
struct ws_server_events {
    /* How many of the bytes that have come are taken now, before it is asked again; 0: no more in this turn
     * of the loop: they are held, and nothing is read meanwhile. NULL: always all. */
    size_t (*takes)(struct ws_end *end);
    /* Asked behind each piece of those: does it take no more in this turn? NULL: it does. */
    bool (*has_had)(struct ws_end *end);
    void (*receive)(struct ws_end *end, const struct ws_piece *piece); /* of a message */
    /* It may be written to. Not called behind our close frame. */
    void (*write)(struct ws_end *end);
    void (*control)(struct ws_end *end); /* a ping or pong came; NULL: nobody wants to know */
    /* With the payload of its close frame. NULL likewise. */
    void (*client_close)(struct ws_end *end, struct view payload);
    /* What came is no WebSocket: to be closed with this code. Nothing more is received. */
    void (*bad)(struct ws_end *end, unsigned code, const char *why);
    /* The socket is closed; the owner frees it. */
    void (*gone)(struct ws_end *end);
};

/* `events` outlive it. Messages go in frames of at most `frame_bytes`. NULL, and it is logged, when
 * libwebsockets does not start. */
struct ws_server *ws_server_new(struct loop *loop, const struct ws_server_events *events, size_t frame_bytes);
/* All go; the loop must run on (loop_done does) until their handles are closed. NULL is fine for both.
 */
void ws_server_stop(struct ws_server *server);
void ws_server_free(struct ws_server *server);

void ws_end_init(struct ws_end *end, struct ws_server *server, const struct conn *conn);
void ws_end_done(struct ws_end *end);
/* Takes the socket, and answers the handshake; `fields` are further lines for that, each with its CR and LF,
 * or absent. Events come from the end of the turn on; also when it fails. */
void ws_server_adopt(struct ws_server *server, struct ws_end *end, const struct ws_socket *socket,
                     struct view fields);

/* A text message, copied, into the queue; STATUS_GONE when it is closing, STATUS_OVERLOADED when more than
 * max_bytes would wait, STATUS_NO_MEMORY. */
enum status ws_end_send(struct ws_end *end, struct view message, size_t max_bytes);
void ws_end_drop(struct ws_end *end); /* what waits */
/* The `write` event comes: at the end of this turn, or when the socket takes something again. */
void ws_end_ask_writable(struct ws_end *end);
/* Of the `write` event: some frames of what waits. */
void ws_end_write_messages(struct ws_end *end);
/* One binary message. In front of it are WS_HEAD_MAX bytes of room; it is changed. */
void ws_end_write_binary(struct ws_end *end, char *message, size_t len);
void ws_end_write_ping(struct ws_end *end);
/* And its end: asks for the next one while there is, or (as the caller knows) is more; then closes. */
void ws_end_write_done(struct ws_end *end, bool more);
/* Is something owed to the socket, so that it would be better to write nothing now? */
bool ws_end_is_full(const struct ws_end *end);
/* Has it sent something that its owner has not received yet? */
bool ws_end_has_unread(const struct ws_end *end);
/* Of the frame that is being received: what is still to come. */
static inline uint64_t ws_end_frame_left(const struct ws_end *end) {
    return end->decoder.left;
}
/* Nothing is taken of it until it is said otherwise, but for the piece that is being received. */
void ws_end_pause(struct ws_end *end, bool paused);
/* After what was queued has left. */
void ws_end_close(struct ws_end *end, unsigned code);
/* Has the other side not answered our close frame for 5 s? */
bool ws_end_is_stuck(const struct ws_end *end, uint64_t now_ms);
/* Cuts; `gone` follows. */
void ws_end_cut(struct ws_end *end);

#endif
