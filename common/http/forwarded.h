/* Fields that say who a visitor is, and by which name and scheme he came. They are a proxy's to say: from
 * anybody else they are claims that a service must not see. */
#ifndef HTTP_FORWARDED_H
#define HTTP_FORWARDED_H

#include "http/headers.h"

/* Removes, unless `is_proxy` says that a trusted proxy sent them, Forwarded, X-Forwarded-*, X-Real-IP,
 * True-Client-IP, X-Original-URL, X-Rewrite-URL and their like, but for those named in `keep` (any case).
 * From everybody: Proxy, which CGI makes HTTP_PROXY of, and names with an underscore that CGI and WSGI fold
 * into one that decides something (X_Forwarded_For, Content_Length). */
void forwarded_strip(struct headers *headers, bool is_proxy, const struct view *keep, size_t keep_count);

/* The element of that field which stands `from_right` in front of the last one, all fields of that name taken
 * as one list (RFC 9110 5.3), empty elements left out; absent where there are not so many. */
struct view forwarded_element(const struct headers *headers, struct view name, size_t from_right);
/* The same, but the first one where there are not so many. */
struct view forwarded_nearest(const struct headers *headers, struct view name, size_t from_right);
/* All of them joined; absent where there is none, or without memory. */
struct view forwarded_join(const struct headers *headers, struct view name, struct arena *arena);

#endif
