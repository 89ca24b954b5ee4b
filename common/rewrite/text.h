/* The rewriters of texts other than HTML, behind one face: a page's <style> and <script> use them as well as
 * bodies of their own do. */
#ifndef REWRITE_TEXT_H
#define REWRITE_TEXT_H

#include "rewrite/css.h"
#include "rewrite/filter.h"
#include "rewrite/js.h"
#include "rewrite/json.h"
#include "rewrite/xml.h"

enum text_language {
    TEXT_CSS,
    TEXT_JS,     /* of its own: modules */
    TEXT_SCRIPT, /* in a page: with strings of JSON */
    TEXT_JSON,   /* see json.h, as the next five */
    TEXT_JSON_ASKED,
    TEXT_JSON_API, /* known to be an API's description, wherever it says so */
    TEXT_JSON_INLINE,
    TEXT_JSON_URLS,
    TEXT_MANIFEST,
    TEXT_XML,
};

struct text_rewriter {
    enum text_language language;
    const struct rewrite_site *site;
    struct edit_sink sink;
    union {
        struct css css;
        struct js js;
        struct json json;
        struct xml xml;
    } of;
};

/* `site` is borrowed until the end, the sink copied. The rewriter must not be moved. */
void text_rewriter_init(struct text_rewriter *text, enum text_language language,
                        const struct rewrite_site *site, const struct edit_sink *sink);
void text_rewriter_feed(struct text_rewriter *text, struct view bytes);
void text_rewriter_end(struct text_rewriter *text);
/* Bytes held back. */
size_t text_rewriter_held(const struct text_rewriter *text);

/* `site` is borrowed until the filter is freed. NULL without memory. */
struct filter *text_filter_new(enum text_language language, const struct rewrite_site *site,
                               filter_out_fn out, void *out_ctx);

#endif
