/* The WebSocket handshake's request (RFC 6455 4.2.1), checked, and its answer; and the plain HTTP answers to
 * what is none. No I/O. */
#ifndef GATEWAY_HANDSHAKE_H
#define GATEWAY_HANDSHAKE_H

#include "base/buf.h"
#include "http/head.h"

#define HANDSHAKE_BYTES_MAX ((size_t)16 * 1024)

struct handshake {
    struct request_head head;
    struct view key;
    size_t len; /* of the head; frames may follow */
};

/* 0: incomplete; 101: fine, *ret_handshake is filled (views into `bytes` and the arena); else the status to
 * refuse it with, and *ret_text says why (static). */
int handshake_check(struct view bytes, struct arena *arena, struct handshake *ret_handshake,
                    struct view *ret_text);

/* The 101; `fields` are further lines, each with its CR and LF, or absent. False without memory. */
bool handshake_accept(struct buf *out, struct view key, struct view fields);
/* The whole answer, with Connection: close. */
void handshake_print_refusal(struct buf *out, int status, struct view text);

#endif
