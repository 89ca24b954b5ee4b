/* Most tags hold nothing of interest, so that is found out first, by the names alone. */
#include "rewrite/html_attrs.h"

#include "rewrite/csp.h"
#include "rewrite/html.h"
#include "rewrite/html_text.h"
#include "rewrite/text.h"
#include "rewrite/url_list.h"

enum kind { NOTHING, ADDRESS, SPACED, SRCSET, STYLE, CONTENT, REFRESH, POLICY, INTEGRITY, SRCDOC };

struct known {
    struct view name;
    enum kind kind;
    struct view element; /* the only one whose it is; empty: of all */
};

/* Shortest first; most names are told by their length and first letter. */
static const struct known known[] = {
    {{"src", 3}, ADDRESS, {"", 0}},         {{"href", 4}, ADDRESS, {"", 0}},
    {{"ping", 4}, SPACED, {"", 0}},         {{"data", 4}, ADDRESS, {"object", 6}},
    {{"style", 5}, STYLE, {"", 0}},         {{"action", 6}, ADDRESS, {"", 0}},
    {{"poster", 6}, ADDRESS, {"", 0}},      {{"srcset", 6}, SRCSET, {"", 0}},
    {{"srcdoc", 6}, SRCDOC, {"iframe", 6}}, {{"content", 7}, CONTENT, {"meta", 4}},
    {{"data-src", 8}, ADDRESS, {"", 0}},    {{"manifest", 8}, ADDRESS, {"html", 4}},
    {{"data-href", 9}, ADDRESS, {"", 0}},   {{"integrity", 9}, INTEGRITY, {"", 0}},
    {{"formaction", 10}, ADDRESS, {"", 0}}, {{"background", 10}, ADDRESS, {"", 0}},
    {{"xlink:href", 10}, ADDRESS, {"", 0}}, {{"imagesrcset", 11}, SRCSET, {"", 0}},
};
#define KNOWN (sizeof(known) / sizeof(known[0]))
#define KNOWN_LEN_MAX 11
/* Where the names of each length begin. */
static const unsigned char known_from[KNOWN_LEN_MAX + 1] = {0, 0, 0, 0, 1, 4, 5, 9, 10, 12, 14, 17};

/* Of either case. */
#define LETTER(letter) (UINT32_C(1) << ((letter)&31))

static enum kind kind_of(const struct html_tag *tag, struct view name) {
    static const uint32_t letters[KNOWN_LEN_MAX + 1] = {
        [3] = LETTER('s'),
        [4] = LETTER('h') | LETTER('p') | LETTER('d'),
        [5] = LETTER('s'),
        [6] = LETTER('a') | LETTER('p') | LETTER('s'),
        [7] = LETTER('c'),
        [8] = LETTER('d') | LETTER('m'),
        [9] = LETTER('d') | LETTER('i'),
        [10] = LETTER('f') | LETTER('b') | LETTER('x'),
        [11] = LETTER('i'),
    };
    if (name.len > KNOWN_LEN_MAX || !(letters[name.len] & LETTER(name.ptr[0]))) return NOTHING;
    for (size_t i = known_from[name.len]; i < KNOWN && known[i].name.len == name.len; i++) {
        if ((name.ptr[0] | 0x20) != known[i].name.ptr[0] || !view_eq_nocase(known[i].name, name)) continue;
        bool ours = known[i].element.len == 0 || view_eq_nocase(known[i].element, tag->name);
        return ours ? known[i].kind : NOTHING;
    }
    return NOTHING;
}

struct view html_attrs_value(const struct html_tag *tag, struct view name, char *room, size_t room_size) {
    for (size_t i = 0; i < tag->attr_count; i++) {
        if (!view_eq_nocase(html_attr_name(tag, &tag->attrs[i]), name)) continue;
        struct view value = html_attr_value(tag, &tag->attrs[i]);
        if (value.len > room_size) return (struct view){NULL, 0};
        return value.len ? html_text_decode(value, room) : VIEW("");
    }
    return (struct view){NULL, 0};
}

/* What a <meta> is, so that its content is read. */
static enum kind kind_of_content(const struct html_tag *tag) {
    char room[64];
    struct view what = html_attrs_value(tag, VIEW("http-equiv"), room, sizeof(room));
    if (view_eq_nocase(what, VIEW("refresh"))) return REFRESH;
    return view_eq_nocase(what, VIEW("content-security-policy")) ? POLICY : NOTHING;
}

/* Does the element's target come from us? (One that is foreign keeps its integrity.) */
static bool has_own_target(const struct rewrite_site *site, const struct html_tag *tag) {
    char room[URL_HEAD_MAX];
    struct url_edit edit;
    for (size_t i = 0; i < tag->attr_count; i++) {
        struct view name = html_attr_name(tag, &tag->attrs[i]);
        if (!view_eq_nocase(name, VIEW("src")) && !view_eq_nocase(name, VIEW("href"))) continue;
        struct view value = view_slice(html_attr_value(tag, &tag->attrs[i]), 0, sizeof(room));
        return url_look(site, html_text_decode(value, room), &edit) != URL_FOREIGN;
    }
    return false;
}

/* What some attributes ask of all others: of one tag that is looked up once, however many of them ask. */
struct asked {
    bool knows_content, knows_target, is_own;
    enum kind content;
};

static enum kind ask_content(struct asked *asked, const struct html_tag *tag) {
    if (!asked->knows_content) asked->content = kind_of_content(tag);
    asked->knows_content = true;
    return asked->content;
}

static bool ask_target(struct asked *asked, const struct rewrite_site *site, const struct html_tag *tag) {
    if (!asked->knows_target) asked->is_own = has_own_target(site, tag);
    asked->knows_target = true;
    return asked->is_own;
}

static void rewrite_style(const struct rewrite_site *site, struct view text, const struct edit_sink *sink) {
    struct text_rewriter style;
    text_rewriter_init(&style, TEXT_CSS, site, sink);
    text_rewriter_feed(&style, text);
    text_rewriter_end(&style);
}

static void rewrite_value(const struct rewrite_site *site, enum kind kind, struct view text,
                          const struct edit_sink *sink) {
    switch (kind) {
    case ADDRESS: url_rewrite(site, text, sink); break;
    case SPACED: url_list_spaced(site, text, sink); break;
    case SRCSET: url_list_srcset(site, text, sink); break;
    case REFRESH: url_list_refresh(site, text, sink); break;
    case STYLE: rewrite_style(site, text, sink); break;
    case SRCDOC: html_rewrite_document(site, text, sink); break;
    case POLICY: csp_rewrite(site, text, true, sink); break;
    default: edit_to(sink, EDIT_COPY, text); break;
    }
}

static char quote_of(const struct html_tag *tag, const struct html_attr *attr) {
    char before = tag->raw.ptr[attr->value - 1];
    return before == '"' || before == '\'' ? before : '\0';
}

/* Of a value that goes on only an address can be told what it is. */
static bool is_cut(const struct html_tag *tag, size_t index) {
    return tag->is_cut && index + 1 == tag->attr_count;
}

/* Most URLs lead somewhere else; then the tag need not be cut here. */
static bool is_untouched(const struct rewrite_site *site, struct view value) {
    struct url_edit edit;
    return view_find(value, '&') == value.len && url_look(site, value, &edit) != URL_CHANGED;
}

static void rewrite_attr(const struct rewrite_site *site, const struct html_tag *tag,
                         const struct html_attr *attr, enum kind kind, const struct edit_sink *sink) {
    char room[HTML_TAG_MAX];
    struct html_text_sink text;
    struct view value = html_attr_value(tag, attr), decoded = html_text_decode(value, room);
    html_text_sink_init(&text, value, decoded.ptr == value.ptr, quote_of(tag, attr), sink);
    bool is_head = is_cut(tag, (size_t)(attr - tag->attrs));
    if (is_head && decoded.len < URL_HEAD_MAX) kind = NOTHING; /* too little to tell */
    rewrite_value(site, kind, decoded, &text.sink);
}

static void copy(const char *from, const char *to, const struct edit_sink *sink) {
    edit_to(sink, EDIT_COPY, view_of(from, (size_t)(to - from)));
}

/* With one quote behind it, and the white space before it where more does not touch it; behind the end of a
 * part it may. */
static const char *drop_attr(const struct html_tag *tag, const struct html_attr *attr, const char *from,
                             const struct edit_sink *sink) {
    size_t start = attr->name, end = attr->value ? attr->value_end : attr->name_end;
    if (attr->value && quote_of(tag, attr)) end++;
    while (tag->raw.ptr + start > from && strchr(" \t\n\r\f", tag->raw.ptr[start - 1])) start--;
    bool is_last = end == tag->raw.len, glued = is_last || !strchr(" \t\n\r\f/>", tag->raw.ptr[end]);
    if (glued) start = attr->name;
    copy(from, tag->raw.ptr + start, sink);
    edit_to(sink, EDIT_DROP, view_slice(tag->raw, start, end));
    return tag->raw.ptr + end;
}

void html_attrs_rewrite(const struct rewrite_site *site, const struct html_tag *tag,
                        const struct edit_sink *sink) {
    const char *raw = tag->raw.ptr, *from = html_tag_said(tag).ptr;
    struct asked asked = {0};
    for (size_t i = 0; i < tag->attr_count; i++) {
        const struct html_attr *attr = &tag->attrs[i];
        if (attr->name < tag->said) continue;
        enum kind kind = kind_of(tag, html_attr_name(tag, attr));
        if (kind == CONTENT) kind = ask_content(&asked, tag);
        if (kind == NOTHING) continue;
        if (kind == INTEGRITY) {
            if (!is_cut(tag, i) && ask_target(&asked, site, tag)) from = drop_attr(tag, attr, from, sink);
            continue;
        }
        if (attr->value_end == attr->value || (is_cut(tag, i) && kind != ADDRESS)) continue;
        if (kind == ADDRESS && is_untouched(site, html_attr_value(tag, attr))) continue;
        copy(from, raw + attr->value, sink);
        rewrite_attr(site, tag, attr, kind, sink);
        from = raw + attr->value_end;
    }
    copy(from, raw + tag->raw.len, sink);
}
