/* One consistent view of hosts for the local service. It is told as Host: the visitor's (preserve), its own
 * address (rewrite), or a fixed value. With the latter two all else that names the visitor's origin follows:
 * Origin, Referer, Destination, If, X-Forwarded-Host and -Proto; what would contradict them goes. In its
 * answers the names that the visitor cannot reach are mapped back (host_field_return). */
#ifndef FORWARDER_HOST_FIELD_H
#define FORWARDER_HOST_FIELD_H

#include "http/headers.h"

struct host_field {
    bool preserve;
    char value[300];       /* otherwise: what Host becomes */
    char authority[300];   /* of the local service: for requests that have no Host */
    const char *scheme;    /* "http" or "https", of the local service */
    uint16_t service_port; /* 0: a unix socket */
};

/* How the visitor reaches the service; the views live as long as the arena of the request's list. */
struct visitor {
    struct view authority;
    struct view scheme; /* "http" or "https" */
    struct view prefix; /* of the path, absent or "/<id>" */
};

/* `option`: "preserve", "rewrite", or a value. `host` is as local_target's; `port` 0: a unix socket. False:
 * not a proper value. */
bool host_field_init(struct host_field *field, const char *option, const char *host, uint16_t port,
                     const char *scheme);

/* `visitor_host`: where the list has no Host yet. False without memory. */
bool host_field_apply(const struct host_field *field, struct headers *headers, struct view visitor_host,
                      struct visitor *ret_visitor);

/* In the answer's head: where Host was rewritten, URLs of exactly that authority, and always those of the
 * visitor's own name with the service's port (nginx's redirects), become the visitor's, in Location,
 * Content-Location, Refresh, Link, Access-Control-Allow-Origin and Content-Security-Policy; likewise Domain
 * in Set-Cookie. Other ports and names stay. In path mode paths get no prefix here: that is the gateway's to
 * do, which is told the service's own address (x-tunnel-service), to find it in bodies. False without memory.
 */
bool host_field_return(const struct host_field *field, const struct visitor *visitor,
                       struct headers *headers);

/* The same service with "rewrite". */
void host_field_own(const struct host_field *field, struct host_field *ret_own);

#endif
