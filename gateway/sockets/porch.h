/* What stands between a port and who serves it: a trusted proxy's word on whose connection this is (PROXY
 * protocol, `proxy_header.h`), then the handshake of TLS. Where a port has neither, connections pass at once.
 * Who does not get through in time, or breaks a rule, is cut. */
#ifndef GATEWAY_PORCH_H
#define GATEWAY_PORCH_H

#include "base/list.h"
#include "net/loop.h"
#include "sockets/clients.h"
#include "sockets/conn.h"

struct tls_server;

/* `conn` and `client` move to the callee. `address`: the client's, who may be behind a proxy. */
typedef void porch_fn(void *ctx, const struct conn *conn, struct client *client,
                      const struct sockaddr *address, socklen_t len);

struct porch_settings {
    struct loop *loop;
    struct clients *clients; /* of the port */
    struct tls_server *tls;  /* NULL: none; outlives the porch */
    bool has_header;         /* connections of trusted proxies begin with a header */
    uint64_t timeout_ms;     /* for all of it */
    porch_fn *through;
    void *ctx;
};

struct porch {
    struct porch_settings settings;
    struct list guests; /* struct guest.node: not through yet, oldest first */
    size_t count;
};

void porch_init(struct porch *porch, const struct porch_settings *settings);
/* A listener_fn; ctx is the porch. */
void porch_accept(void *ctx, int fd, struct client *client, const struct sockaddr *address, socklen_t len);
/* Cuts the one that has stood there for longest; false when there is none. */
bool porch_spare(struct porch *porch);
/* Cuts all; memory follows with the loop. Also where it was never used. */
void porch_stop(struct porch *porch);

#endif
