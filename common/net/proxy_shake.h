/* Asks a proxy for the way to a host: CONNECT, or SOCKS5. No I/O of its own: bytes of the proxy come in, in
 * pieces of any size, and what it is to be told comes out. */
#ifndef NET_PROXY_SHAKE_H
#define NET_PROXY_SHAKE_H

#include "base/buf.h"
#include "net/proxy.h"

#define PROXY_ANSWER_MAX ((size_t)16 * 1024) /* bytes of a proxy's answer */

enum proxy_shake_stage { PROXY_SHAKE_CONNECT, PROXY_SHAKE_METHOD, PROXY_SHAKE_USER, PROXY_SHAKE_REPLY };

enum proxy_shake_result { PROXY_SHAKE_MORE, PROXY_SHAKE_DONE, PROXY_SHAKE_FAILED };

struct proxy_shake {
    const struct proxy *proxy; /* borrowed */
    char host[256];
    uint16_t port;
    enum proxy_shake_stage stage;
    struct buf in;
    char why[200]; /* it failed: a line for people */
};

/* `host`: a name or an address without brackets. Appends the first that the proxy is told. False without
 * memory, or where the name is too long. */
bool proxy_shake_init(struct proxy_shake *shake, const struct proxy *proxy, const char *host, uint16_t port,
                      struct buf *out);
void proxy_shake_done(struct proxy_shake *shake);
/* Takes all of `bytes`; appends what the proxy is to be told next. PROXY_SHAKE_DONE: the way is open, and
 * *ret_rest (in `shake`) are bytes of the other end. */
enum proxy_shake_result proxy_shake_take(struct proxy_shake *shake, struct view bytes, struct buf *out,
                                         struct view *ret_rest);

#endif
