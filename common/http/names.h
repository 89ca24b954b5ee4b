/* How field names are written in HTTP/1.1. They mean the same in any case, but some devices compare bytes,
 * and what came over a link is in lower case (RFC 9113 8.2). */
#ifndef HTTP_NAMES_H
#define HTTP_NAMES_H

#include "base/view.h"

/* Writes the name (in lower case) to `to`, which has room for it, in its usual capitals: those that everybody
 * knows (ETag, WWW-Authenticate, Sec-WebSocket-Key), and otherwise each word's first letter. */
void http_put_name(char *to, struct view name);

#endif
