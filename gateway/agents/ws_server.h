/* WebSockets that clients opened to us, on libwebsockets as a guest of our loop: agents', peers', and those
 * of the stand-in for API Gateway.
 *
 * libwebsockets sees a handshake of our own making (ws_candidate.h has checked the client's), so that nothing
 * of what a stranger wrote reaches its HTTP parser. */
#ifndef GATEWAY_WS_SERVER_H
#define GATEWAY_WS_SERVER_H

#include "agents/ws_candidate.h"

#include "base/status.h"

#include <libwebsockets.h>

struct ws_server;

/* Our end of one; a part of its owner's struct. */
struct ws_end {
    unsigned magic;
    struct ws_server *server;
    struct lws *wsi;      /* NULL: not yet */
    int fd;               /* libwebsockets closes it */
    struct list outgoing; /* messages that wait to be written */
    size_t outgoing_bytes;
    uint64_t closing_ms; /* 0: it is not */
    unsigned close_code;
    bool is_established, is_writable_asked, is_close_sent;
    void *received; /* libwebsockets' buffer for what is received */
};

struct ws_server_events {
    /* A piece of a frame (libwebsockets knows which); -1 to cut. */
    int (*receive)(struct ws_end *end, struct view piece);
    /* It may be written to; -1 to cut. Not called behind our close frame. */
    int (*write)(struct ws_end *end);
    void (*pong)(struct ws_end *end); /* NULL: nobody wants to know */
    /* With the payload of its close frame. NULL likewise. */
    void (*client_close)(struct ws_end *end, struct view payload);
    /* The socket is closed; the owner frees it. */
    void (*gone)(struct ws_end *end);
};

/* `events` outlive it. NULL, and it is logged, when libwebsockets does not start. */
struct ws_server *ws_server_new(struct loop *loop, const struct ws_server_events *events, size_t frame_bytes);
/* Begins the end of libwebsockets; the loop must run on (loop_done does) until its handles are closed. */
void ws_server_stop(struct ws_server *server);
/* After that. NULL is fine for both. */
void ws_server_free(struct ws_server *server);

void ws_end_init(struct ws_end *end, struct ws_server *server, int fd);
void ws_end_done(struct ws_end *end);
/* Takes the socket; `fields` are lines for the handshake's answer, each with its CR and LF, or absent. When
 * that fails `gone` is called at once. */
void ws_server_adopt(struct ws_server *server, struct ws_end *end, const struct ws_socket *socket,
                     struct view fields);

/* A text message, copied, into the queue; STATUS_GONE when it is closing, STATUS_OVERLOADED when more than
 * max_bytes would wait, STATUS_NO_MEMORY. */
enum status ws_end_send(struct ws_end *end, struct view message, size_t max_bytes);
void ws_end_drop(struct ws_end *end); /* what waits */
/* The `write` event comes soon. */
void ws_end_ask_writable(struct ws_end *end);
/* Of the `write` event: some frames of what waits; -1 when it is broken. */
int ws_end_write_messages(struct ws_end *end);
/* And its end: asks for the next one while there is, or (as the caller knows) is more; then closes. */
int ws_end_write_done(struct ws_end *end, bool more);
/* After what was queued has left. */
void ws_end_close(struct ws_end *end, unsigned code);
/* It has been silent for a while: libwebsockets' buffer gives its memory back, if nothing is in it. */
void ws_end_rest(struct ws_end *end);
/* Has not answered our close for 5 s. */
bool ws_end_is_stuck(const struct ws_end *end, uint64_t now_ms);
/* Cuts; libwebsockets sees the end of the socket, and `gone` follows. */
void ws_end_cut(struct ws_end *end);

#endif
