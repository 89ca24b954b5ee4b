/* One connection to a gateway as a stream of bytes: TCP, and over it TLS where there is a context for it
 * (system authorities and those of --ca-file, host name checked). For one address; who has several tries one
 * wire after the other. */
#ifndef NET_WIRE_H
#define NET_WIRE_H

#include <sys/socket.h>

#include "base/view.h"
#include "net/loop.h"
#include "net/proxy.h"
#include "net/turns.h"

#define WIRE_QUEUE_MAX ((size_t)1024 * 1024)

struct x509_store_st;

struct wire;
struct wire_tls; /* what the connections to one gateway share */

enum wire_failure {
    WIRE_UNREACHABLE, /* no TCP connection: `error` says why */
    WIRE_PROXY,       /* a proxy is there, and opens no way: `reason` says why */
    WIRE_TLS,         /* no TLS: `reason` says why */
    WIRE_CUT,         /* it was up */
};

struct wire_end {
    enum wire_failure failure;
    int error; /* of libuv, 0 for an orderly end */
    const char *reason;
};

/* How much of what has come is read, where its owner takes turns with others. */
struct wire_intake {
    const struct turn_taker *taker; /* while it has a share, `takes` is asked before each read */
    /* How many bytes are wanted now; 0: none before the loop has come round. They wait in the socket, but for
     * what belongs to a record of TLS that is here. */
    size_t (*takes)(void *ctx);
    void *ctx;
};

/* None is called from within a call to the wire, but wire_look(); each may call any function of it. No event
 * comes after wire_free(). */
struct wire_events {
    void (*on_connected)(void *ctx);                /* TCP is there, a proxy's answer too */
    void (*on_up)(void *ctx);                       /* and TLS, where it is wanted */
    void (*on_bytes)(void *ctx, struct view bytes); /* borrowed until return */
    void (*on_drained)(void *ctx);                  /* all that the socket had not taken at once has left */
    void (*on_end)(void *ctx, const struct wire_end *end); /* the last one */
    const struct wire_intake *intake;                      /* outlives the wire; NULL: all is read */
};

/* Files of PEM; each may be NULL. `cert_file`, with its chain, and `key_file` say who we are; both or
 * neither, and read again for each connection. */
struct wire_trust {
    const char *ca_file, *cert_file, *key_file;
};

/* `trust` may be NULL; `host` is the name (or address) that certificates must be for. NULL, and a reason,
 * on failure. */
struct wire_tls *wire_tls_new(const char *host, const struct wire_trust *trust, char *error,
                              size_t error_size);
/* For whom has read certificate authorities already: trusts `store`, of which a reference is held. NULL
 * without memory. */
struct wire_tls *wire_tls_new_trusting(const char *host, struct x509_store_st *store);
void wire_tls_free(struct wire_tls *tls);

/* The way through a proxy; all of it outlives the wire. */
struct wire_way {
    const struct proxy *proxy;
    const char *host; /* that the proxy is asked for */
    uint16_t port;
};

/* Begins to connect. `tls` (NULL: none) outlives the wire. `way` (NULL: none): `address` is the proxy's. NULL
 * without memory. */
struct wire *wire_open(struct loop *loop, const struct sockaddr *address, const struct wire_way *way,
                       struct wire_tls *tls, const struct wire_events *events, void *ctx);
/* Closes at once what is open. NULL is fine. */
void wire_free(struct wire *wire);

/* Once up. What the socket does not take is copied; beyond WIRE_QUEUE_MAX the wire is cut. */
void wire_write(struct wire *wire, struct view bytes);
/* Takes what has come, or sees that the socket is dead, without waiting for the loop: events follow from
 * within. For whom the loop may have stood still. Nothing within an event of the wire. */
void wire_look(struct wire *wire);
/* Has this machine no longer the address that the connection is made from? Then it is dead, whatever the
 * socket says. */
bool wire_is_stranded(const struct wire *wire);
/* When it was last seen that the other side's TCP takes what waits here: over a slow line, the only sign of
 * life behind much that was sent. What a ping takes is too little for one. To be asked now and then. 0: it
 * never was. */
uint64_t wire_moved_ms(struct wire *wire);
/* Does something wait for the socket, so that it would be better to write nothing now? */
bool wire_is_full(const struct wire *wire);

#endif
