/* Hop-by-hop fields (RFC 9110 7.6.1) and the fields that are ours, which go in neither direction. */
#ifndef HTTP_HOP_H
#define HTTP_HOP_H

#include "http/headers.h"

/* Removes Connection and what it names, Keep-Alive, Proxy-Connection, TE, Trailer, Transfer-Encoding,
 * Upgrade, Proxy-Authenticate, Proxy-Authorization. Names that decide routing, identity or framing (host,
 * authorization, cookie, content-length, content-type, forwarded, x-forwarded-*, ...) are not removed because
 * Connection names them. */
void hop_strip(struct headers *headers);

/* Is it one of these, hop-by-hop or protected? Any case. */
bool hop_decides(struct view name);

/* Removes x-tunnel-*. `keep` (lower case, may be absent) stays: x-tunnel-rewrite in answers. */
void hop_strip_ours(struct headers *headers, struct view keep);

#endif
