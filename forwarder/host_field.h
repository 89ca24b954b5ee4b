/* What the local service is told as Host: the visitor's (preserve), its own address (rewrite), or a fixed
 * value. With the latter two, Origin and Referer of the visitor's origin follow, so that a service's
 * same-origin check holds. */
#ifndef FORWARDER_HOST_FIELD_H
#define FORWARDER_HOST_FIELD_H

#include "console.h"
#include "http/headers.h"

struct host_field {
    bool preserve;
    char value[300];     /* otherwise: what Host becomes */
    char authority[300]; /* of the local service: for requests that have no Host */
    const char *scheme;  /* "http" or "https", of the local service */
    bool hinted;         /* the hint was printed already */
};

/* `option`: "preserve", "rewrite", or a value. `authority`: the local service's "host:port". False: not a
 * proper value. */
bool host_field_init(struct host_field *field, const char *option, const char *authority, const char *scheme);

/* `visitor_host`: where the list has no Host yet. False without memory. */
bool host_field_apply(const struct host_field *field, struct headers *headers, struct view visitor_host);

/* Looks at the first bytes of an answer: does the service refuse a host that it does not know, as Vite,
 * webpack, Django and Rails do? Then says once which option helps. */
void host_field_look(struct host_field *field, struct console *console, int status, struct view body);

#endif
