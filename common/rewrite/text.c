/* Joins what finds URLs in a language with what rewrites them. */
#include "rewrite/text.h"

#include <stdlib.h>

static void on_text(void *ctx, struct view bytes) {
    struct text_rewriter *text = ctx;
    edit_to(&text->sink, EDIT_COPY, bytes);
}

static void on_url(void *ctx, struct view raw, enum url_role role) {
    static const url_char_fn reads[] = {
        [TEXT_CSS] = css_char, [TEXT_JS] = js_char, [TEXT_SCRIPT] = js_char, [TEXT_XML] = xml_char};
    struct text_rewriter *text = ctx;
    url_char_fn read = reads[text->language] ? reads[text->language] : json_char;
    url_found_rewrite(text->site, raw, role, read, &text->sink);
}

void text_rewriter_init(struct text_rewriter *text, enum text_language language,
                        const struct rewrite_site *site, const struct edit_sink *sink) {
    struct url_found found = {on_text, on_url, text};
    text->language = language;
    text->site = site;
    text->sink = *sink;
    switch (language) {
    case TEXT_CSS: css_init(&text->of.css, &found); break;
    case TEXT_JS: js_init(&text->of.js, false, &found); break;
    case TEXT_SCRIPT: js_init(&text->of.js, true, &found); break;
    case TEXT_JSON: json_init(&text->of.json, JSON_PLAIN, &found); break;
    case TEXT_JSON_ASKED: json_init(&text->of.json, JSON_PATHS, &found); break;
    case TEXT_JSON_INLINE: json_init(&text->of.json, JSON_ESCAPED, &found); break;
    case TEXT_JSON_URLS: json_init(&text->of.json, JSON_URLS, &found); break;
    case TEXT_JSON_API: json_init(&text->of.json, JSON_API, &found); break;
    case TEXT_MANIFEST: json_init(&text->of.json, JSON_MANIFEST, &found); break;
    case TEXT_XML: xml_init(&text->of.xml, &found); break;
    }
}

void text_rewriter_feed(struct text_rewriter *text, struct view bytes) {
    if (bytes.len == 0) return;
    switch (text->language) {
    case TEXT_CSS: css_feed(&text->of.css, bytes); break;
    case TEXT_JS:
    case TEXT_SCRIPT: js_feed(&text->of.js, bytes); break;
    case TEXT_XML: xml_feed(&text->of.xml, bytes); break;
    default: json_feed(&text->of.json, bytes); break;
    }
}

void text_rewriter_end(struct text_rewriter *text) {
    switch (text->language) {
    case TEXT_CSS: css_end(&text->of.css); break;
    case TEXT_JS:
    case TEXT_SCRIPT: js_end(&text->of.js); break;
    case TEXT_XML: xml_end(&text->of.xml); break;
    default: json_end(&text->of.json); break;
    }
}

size_t text_rewriter_held(const struct text_rewriter *text) {
    switch (text->language) {
    case TEXT_CSS: return text->of.css.hold.len;
    case TEXT_JS:
    case TEXT_SCRIPT: return text->of.js.hold.len;
    case TEXT_XML: return text->of.xml.hold.len;
    default: return text->of.json.hold.len;
    }
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
    static const struct filter_ops ops = {.data = on_data, .end = on_end, .held = held};
    struct text_filter *filter = malloc(sizeof(*filter));
    if (!filter) return NULL;
    struct edit_sink sink = {on_edit, filter};
    filter->filter = (struct filter){.ops = &ops, .out = out, .out_ctx = out_ctx};
    text_rewriter_init(&filter->text, language, site, &sink);
    return &filter->filter;
}
