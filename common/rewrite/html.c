/* Tokens come from html_tokens; tags go through html_attrs, all else is passed on. */
#include "rewrite/html.h"

#include <stdlib.h>

#include "rewrite/html_attrs.h"
#include "rewrite/html_text.h"
#include "rewrite/page_script.h"
#include "rewrite/text.h"

#define HTML_DEPTH_MAX 2

struct html_filter {
    struct filter filter;
    struct rewrite_site site; /* as the page's <base> leaves it */
    bool wants_script, has_base;
    struct edit_sink sink;
    struct view fed;    /* what is read now */
    struct view passed; /* a part of it that passes as it is, and was not given yet */
    struct html_tokens tokens;
    bool in_text; /* of an element whose text is rewritten */
    struct text_rewriter text;
};
_Static_assert(sizeof(struct html_filter) <= FILTER_BOUND, "a filter is bounded");

static void give(struct html_filter *html, struct view bytes) {
    if (bytes.len) html->filter.out(html->filter.out_ctx, bytes);
}

static bool is_fed(const struct html_filter *html, const char *at) {
    return at >= html->fed.ptr && at < html->fed.ptr + html->fed.len;
}

/* What follows each other in what is read leaves in one piece. */
static void on_edit(void *ctx, enum edit edit, struct view bytes) {
    struct html_filter *html = ctx;
    if (edit == EDIT_DROP) return;
    if (html->passed.len && bytes.ptr == html->passed.ptr + html->passed.len && is_fed(html, bytes.ptr)) {
        html->passed.len += bytes.len;
        return;
    }
    give(html, html->passed);
    bool waits = is_fed(html, bytes.ptr);
    html->passed = waits ? bytes : VIEW("");
    if (!waits) give(html, bytes);
}

/* The script comes first in <head>; what stands before <head> may be <html> only. */
static bool goes_before(const struct html_filter *html, const struct html_tag *tag) {
    return html->wants_script && !tag->is_end && !view_eq_nocase(tag->name, VIEW("html")) &&
           !view_eq_nocase(tag->name, VIEW("head"));
}

static void put_script(struct html_filter *html) {
    html->wants_script = false;
    page_script_put(&html->site, &html->sink);
}

/* Under a <base> of another origin a path leads there, and is no longer ours. */
static void look_at_base(struct html_filter *html, const struct html_tag *tag) {
    char room[URL_HEAD_MAX];
    struct url_edit edit;
    struct view href = html_attrs_value(tag, VIEW("href"), room, sizeof(room));
    if (html->has_base || !href.ptr || tag->is_foreign) return;
    html->has_base = true;
    html->site.is_elsewhere = url_look(&html->site, href, &edit) == URL_FOREIGN;
}

/* By what a <script>'s type says it is; a script without one is JavaScript. False: none that we know. */
static bool language_of_script(const struct html_tag *tag, enum text_language *ret_language) {
    static const struct {
        struct view type;
        enum text_language language;
    } types[] = {{{"", 0}, TEXT_SCRIPT},
                 {{"module", 6}, TEXT_SCRIPT},
                 {{"text/javascript", 15}, TEXT_SCRIPT},
                 {{"application/javascript", 22}, TEXT_SCRIPT},
                 {{"importmap", 9}, TEXT_JSON_URLS},
                 {{"speculationrules", 16}, TEXT_JSON_URLS},
                 {{"application/json", 16}, TEXT_JSON_INLINE},
                 {{"application/ld+json", 19}, TEXT_JSON_INLINE}};
    char room[64];
    struct view type = html_attrs_value(tag, VIEW("type"), room, sizeof(room));
    for (size_t i = 0; i < tag->attr_count && !type.ptr; i++)
        if (view_eq_nocase(html_attr_name(tag, &tag->attrs[i]), VIEW("type"))) return false; /* too long */
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (!view_eq_nocase(type, types[i].type)) continue;
        *ret_language = types[i].language;
        return true;
    }
    return false;
}

/* The element's text is in another language, which is rewritten by its own rules. */
static void begin_text(struct html_filter *html, const struct html_tag *tag) {
    enum text_language language = TEXT_CSS;
    bool known = view_eq_nocase(tag->name, VIEW("style")) ||
                 (view_eq_nocase(tag->name, VIEW("script")) && language_of_script(tag, &language));
    if (!known || (tag->is_foreign && tag->is_self_closing)) return;
    text_rewriter_init(&html->text, language, &html->site, &html->sink);
    html->in_text = true;
}

static void end_text(struct html_filter *html) {
    if (html->in_text) text_rewriter_end(&html->text);
    html->in_text = false;
}

static void on_tag(void *ctx, const struct html_tag *tag);

/* What comes between the text before a tag and the tag. */
static void say_before(struct html_filter *html, const struct html_tag *tag) {
    struct html_tag rest = *tag;
    rest.before = 0;
    if (html->in_text)
        text_rewriter_feed(&html->text, html_tag_before(tag));
    else
        edit_to(&html->sink, EDIT_COPY, html_tag_before(tag));
    end_text(html);
    if (goes_before(html, tag)) put_script(html);
    on_tag(html, &rest);
}

static void on_tag(void *ctx, const struct html_tag *tag) {
    struct html_filter *html = ctx;
    if (html->in_text || goes_before(html, tag)) {
        say_before(html, tag);
        return;
    }
    if (html->site.prefix.len == 0 || tag->is_end) {
        edit_to(&html->sink, EDIT_COPY, html_tag_said(tag));
        return;
    }
    html_attrs_rewrite(&html->site, tag, &html->sink);
    if (tag->goes_on) return;
    if (html->wants_script && view_eq_nocase(tag->name, VIEW("head"))) put_script(html);
    if (view_eq_nocase(tag->name, VIEW("base"))) look_at_base(html, tag);
    begin_text(html, tag);
}

static void on_raw(void *ctx, enum html_kind kind, struct view bytes, bool is_last) {
    struct html_filter *html = ctx;
    (void)is_last;
    if (html->in_text && kind == HTML_TEXT) {
        text_rewriter_feed(&html->text, bytes);
        return;
    }
    end_text(html);
    edit_to(&html->sink, EDIT_COPY, bytes);
}

static void on_data(struct filter *filter, struct view bytes) {
    struct html_filter *html = (struct html_filter *)filter;
    html->fed = bytes;
    html_tokens_feed(&html->tokens, bytes);
    give(html, html->passed);
    html->fed = html->passed = VIEW("");
}

static void on_end(struct filter *filter) {
    struct html_filter *html = (struct html_filter *)filter;
    html_tokens_end(&html->tokens);
    end_text(html);
}

static size_t held(const struct filter *filter) {
    const struct html_filter *html = (const struct html_filter *)filter;
    return html->tokens.held + (html->in_text ? text_rewriter_held(&html->text) : 0);
}

static void init(struct html_filter *html, const struct rewrite_site *site, bool with_script,
                 const struct edit_sink *sink) {
    struct html_handler handler = {on_tag, on_raw, html};
    html->site = *site;
    html->wants_script = with_script && site->prefix.len > 0;
    html->has_base = html->in_text = false;
    html->fed = html->passed = VIEW("");
    html->sink = *sink;
    html_tokens_init(&html->tokens, &handler);
}

struct filter *html_filter_new(const struct rewrite_site *site, bool with_script, filter_out_fn out,
                               void *out_ctx) {
    static const struct filter_ops ops = {.data = on_data, .end = on_end, .held = held};
    struct html_filter *html = malloc(sizeof(*html));
    if (!html) return NULL;
    html->filter = (struct filter){.ops = &ops, .out = out, .out_ctx = out_ctx};
    init(html, site, with_script, &(struct edit_sink){on_edit, html});
    return &html->filter;
}

void html_rewrite_document(const struct rewrite_site *site, struct view text, const struct edit_sink *sink) {
    struct html_filter html;
    if (site->depth == HTML_DEPTH_MAX) {
        edit_to(sink, EDIT_COPY, text);
        return;
    }
    init(&html, site, false, sink);
    html.site.depth++;
    on_data(&html.filter, text);
    on_end(&html.filter);
}
