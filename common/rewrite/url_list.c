/* Each of these walks over its text once. */
#include "rewrite/url_list.h"

static bool is_space(char byte) {
    return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r' || byte == '\f';
}

static size_t skip_spaces(struct view text, size_t at) {
    while (at < text.len && is_space(text.ptr[at])) at++;
    return at;
}

static size_t skip_word(struct view text, size_t at) {
    while (at < text.len && !is_space(text.ptr[at])) at++;
    return at;
}

void url_list_spaced(const struct rewrite_site *site, struct view text, const struct edit_sink *sink) {
    size_t at = 0;
    while (at < text.len) {
        size_t from = skip_spaces(text, at), to = skip_word(text, from);
        edit_to(sink, EDIT_COPY, view_slice(text, at, from));
        url_rewrite(site, view_slice(text, from, to), sink);
        at = to;
    }
}

/* Descriptors, to the comma that is not in parentheses. */
static size_t skip_descriptors(struct view text, size_t at) {
    bool in_parentheses = false;
    for (; at < text.len; at++) {
        if (text.ptr[at] == '(') in_parentheses = true;
        if (text.ptr[at] == ')') in_parentheses = false;
        if (text.ptr[at] == ',' && !in_parentheses) return at;
    }
    return at;
}

void url_list_srcset(const struct rewrite_site *site, struct view text, const struct edit_sink *sink) {
    size_t at = 0;
    while (at < text.len) {
        size_t from = at;
        while (from < text.len && (is_space(text.ptr[from]) || text.ptr[from] == ',')) from++;
        size_t word = skip_word(text, from), to = word;
        while (to > from && text.ptr[to - 1] == ',') to--;
        edit_to(sink, EDIT_COPY, view_slice(text, at, from));
        url_rewrite(site, view_slice(text, from, to), sink);
        at = to < word ? word : skip_descriptors(text, word);
        edit_to(sink, EDIT_COPY, view_slice(text, to, at));
    }
}

static size_t skip_number(struct view text, size_t at) {
    while (at < text.len && ((text.ptr[at] >= '0' && text.ptr[at] <= '9') || text.ptr[at] == '.')) at++;
    return at;
}

/* Behind "url=", where it is there. */
static size_t skip_label(struct view text, size_t at) {
    if (!view_eq_nocase(view_slice(text, at, at + 3), VIEW("url"))) return at;
    size_t sign = skip_spaces(text, at + 3);
    return sign < text.len && text.ptr[sign] == '=' ? skip_spaces(text, sign + 1) : at;
}

void url_list_refresh(const struct rewrite_site *site, struct view text, const struct edit_sink *sink) {
    size_t start = skip_spaces(text, 0), number = skip_number(text, start), from = skip_spaces(text, number);
    bool separated = from > number;
    if (from < text.len && (text.ptr[from] == ';' || text.ptr[from] == ',')) {
        from = skip_spaces(text, from + 1);
        separated = true;
    }
    size_t to = text.len;
    if (number == start || !separated) from = to;
    from = skip_label(text, from);
    if (from < to && (text.ptr[from] == '"' || text.ptr[from] == '\'')) {
        size_t len = view_find(view_skip(text, from + 1), text.ptr[from]);
        from++;
        to = from + len;
    }
    edit_to(sink, EDIT_COPY, view_slice(text, 0, from));
    url_rewrite(site, view_slice(text, from, to), sink);
    edit_to(sink, EDIT_COPY, view_skip(text, to));
}
