/* The answer that tells a visitor of an error of ours, as far as HTTP goes: its fields and its body. */
#ifndef HTTP_ERROR_PAGE_H
#define HTTP_ERROR_PAGE_H

#include "http/error.h"
#include "http/headers.h"

/* The body, a page or one line of text, in the arena; the absent view without memory. *ret_headers is made
 * with the arena and gets x-tunnel-error, the body's type, what keeps it from being stored, framed or taken
 * for something else, and Retry-After where trying again helps. */
struct view error_page(enum http_error error, bool is_html, struct arena *arena, struct headers *ret_headers);

#endif
