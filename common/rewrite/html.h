/* The filter for HTML: what leads to the application by itself is brought under the prefix, all else passes
 * byte for byte. Rewritten are the attributes that html_attrs.h lists, once each. */
#ifndef REWRITE_HTML_H
#define REWRITE_HTML_H

#include "rewrite/filter.h"
#include "rewrite/url.h"

/* `with_script`: the page's script is put first into <head>, or before the first element where there is no
 * <head>; false for a part of a page. `site` is borrowed until the filter is freed. NULL without memory. */
struct filter *html_filter_new(const struct rewrite_site *site, bool with_script, filter_out_fn out,
                               void *out_ctx);

/* A whole document that stands in an attribute (srcdoc), without the script: an address of its own it has
 * none. Copied to the sink, rewritten; documents within documents within it pass as they are. */
void html_rewrite_document(const struct rewrite_site *site, struct view text, const struct edit_sink *sink);

#endif
