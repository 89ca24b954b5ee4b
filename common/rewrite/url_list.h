/* Texts that hold URLs among other things. Each is copied to the sink with its URLs rewritten. */
#ifndef REWRITE_URL_LIST_H
#define REWRITE_URL_LIST_H

#include "rewrite/url.h"

/* URLs between white space: `ping`. */
void url_list_spaced(const struct rewrite_site *site, struct view text, const struct edit_sink *sink);
/* Image candidates: `srcset` (WHATWG HTML 4.8.4.2.1). */
void url_list_srcset(const struct rewrite_site *site, struct view text, const struct edit_sink *sink);
/* "5; url=/x": a `Refresh` field, or its <meta> (WHATWG HTML 4.2.5.3). */
void url_list_refresh(const struct rewrite_site *site, struct view text, const struct edit_sink *sink);

#endif
