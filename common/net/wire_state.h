/* What wire.c (TCP) and wire_tls.c (TLS over it) share. */
#ifndef NET_WIRE_STATE_H
#define NET_WIRE_STATE_H

#include "base/buf.h"
#include "net/proxy_shake.h"
#include "net/wire.h"

#define WIRE_READ_BYTES ((size_t)64 * 1024)

struct ssl_st;

struct wire {
    struct loop *loop;
    struct wire_events events;
    void *ctx;
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_write_t write;
    struct task failing; /* tells of a failure from a safe point */
    struct wire_end end;
    const struct wire_way *way; /* NULL: straight */
    struct proxy_shake *shake;  /* while the proxy is asked; NULL: no more */
    struct wire_tls *context;
    struct ssl_st *tls; /* NULL: none */
    bool is_up, is_closed;
    bool is_reading;        /* TCP is there */
    bool is_telling;        /* what was read; `read_bytes` hold it */
    bool is_broken;         /* takes no more bytes; reading will tell why */
    bool is_flying;         /* `write` is under way, with `flying` */
    struct buf flying, out; /* `out` comes after it */
    uint64_t sent;          /* bytes, in all */
    uint64_t moved;         /* of them, gone when that was last looked at */
    uint64_t moved_ms;
    char read_bytes[WIRE_READ_BYTES];
    char reason[200];
};

/* To the socket, as it is. */
void wire_send(struct wire *wire, struct view bytes);
/* The end, from within an event of the loop. */
void wire_fail(struct wire *wire, enum wire_failure failure, int error, const char *reason);

/* ---- wire_tls.c ---- */

/* False without memory. */
bool wire_tls_begin(struct wire *wire);
void wire_tls_end(struct wire *wire);
/* One step of the handshake, or what has come, to the owner. */
void wire_tls_receive(struct wire *wire, struct view bytes);
void wire_tls_write(struct wire *wire, struct view bytes);

#endif
