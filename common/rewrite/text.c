/* Joins what finds URLs in a language with what rewrites them. */
#include "rewrite/text.h"

#include <stdlib.h>

static void on_text(void *ctx, struct view bytes) {
    struct text_rewriter *text = ctx;
    edit_to(&text->sink, EDIT_COPY, bytes);
}

static void on_url(void *ctx, struct view raw) {
    struct text_rewriter *text = ctx;
    url_found_rewrite(text->site, raw, text->language == TEXT_CSS ? css_char : js_char, &text->sink);
}

void text_rewriter_init(struct text_rewriter *text, enum text_language language,
                        const struct rewrite_site *site, const struct edit_sink *sink) {
    struct url_found found = {on_text, on_url, text};
    text->language = language;
    text->site = site;
    text->sink = *sink;
    if (language == TEXT_CSS)
        css_init(&text->of.css, &found);
    else
        js_init(&text->of.js, language == TEXT_SCRIPT, &found);
}

void text_rewriter_feed(struct text_rewriter *text, struct view bytes) {
    if (bytes.len == 0) return;
    if (text->language == TEXT_CSS)
        css_feed(&text->of.css, bytes);
    else
        js_feed(&text->of.js, bytes);
}

void text_rewriter_end(struct text_rewriter *text) {
    if (text->language == TEXT_CSS)
        css_end(&text->of.css);
    else
        js_end(&text->of.js);
}

size_t text_rewriter_held(const struct text_rewriter *text) {
    return text->language == TEXT_CSS ? text->of.css.hold.len : text->of.js.hold.len;
}

struct text_filter {
    struct filter filter;
    struct text_rewriter text;
};
_Static_assert(sizeof(struct text_filter) <= FILTER_BOUND, "a filter is bounded");

static void on_edit(void *ctx, enum edit edit, struct view bytes) {
    struct text_filter *filter = ctx;
    if (edit != EDIT_DROP) filter->filter.out(filter->filter.out_ctx, bytes);
}

static void on_data(struct filter *filter, struct view bytes) {
    text_rewriter_feed(&((struct text_filter *)filter)->text, bytes);
}

static void on_end(struct filter *filter) {
    text_rewriter_end(&((struct text_filter *)filter)->text);
}

static size_t held(const struct filter *filter) {
    return text_rewriter_held(&((const struct text_filter *)filter)->text);
}

struct filter *text_filter_new(enum text_language language, const struct rewrite_site *site,
                               filter_out_fn out, void *out_ctx) {
    static const struct filter_ops ops = {on_data, on_end, held};
    struct text_filter *filter = malloc(sizeof *filter);
    if (!filter) return NULL;
    struct edit_sink sink = {on_edit, filter};
    filter->filter = (struct filter){&ops, out, out_ctx};
    text_rewriter_init(&filter->text, language, site, &sink);
    return &filter->filter;
}
