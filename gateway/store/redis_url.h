/* Where Redis is: redis://[[user]:password@]host[:port][/database], rediss:// for TLS, and
 * redis+unix://[[user]:password@]/path or unix:///path, with ?db=N, for a socket. User and password may be
 * percent-encoded. */
#ifndef STORE_REDIS_URL_H
#define STORE_REDIS_URL_H

#include "base/view.h"

#define REDIS_HOST_MAX 255
#define REDIS_PORT 6379

struct redis_url {
    bool tls;
    char host[REDIS_HOST_MAX + 1]; /* a name, or an address without brackets; "" where `path` counts */
    unsigned port;
    char path[108]; /* of a unix socket */
    char user[128], password[512];
    unsigned database;
    char shown[REDIS_HOST_MAX + 64]; /* for the log: no password in it */
};

/* NULL, or why not (a static text). */
const char *redis_url_parse(struct view text, struct redis_url *ret_url);

#endif
