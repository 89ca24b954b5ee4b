/* See secrets.h. */
#include "mcp/secrets.h"

#include "base/log.h"

static bool is_one_of(struct view name, const struct view names[], size_t count) {
    for (size_t i = 0; i < count; i++)
        if (view_eq_nocase(name, names[i])) return true;
    return false;
}

bool secrets_is_field(struct view name) {
    static const struct view names[] = {{"cookie", 6}, {"set-cookie", 10}};
    return is_one_of(name, names, sizeof(names) / sizeof(names[0])) || log_is_secret_name(name, false);
}

bool secrets_is_url_field(struct view name) {
    static const struct view names[] = {
        {"location", 8}, {"content-location", 16}, {"referer", 7}, {"x-original-url", 14}};
    return is_one_of(name, names, sizeof(names) / sizeof(names[0]));
}

/* Bytes of the string that begins at the front of `rest`, its quotes included; all, if it does not end. */
static size_t string_len(struct view rest) {
    for (size_t i = 1; i < rest.len; i++) {
        if (rest.ptr[i] == '\\')
            i++;
        else if (rest.ptr[i] == '"')
            return i + 1;
    }
    return rest.len;
}

static size_t skip_space(struct view text, size_t at) {
    while (at < text.len && strchr(" \t\r\n", text.ptr[at])) at++;
    return at;
}

/* Where the value of the name that ends at `at` begins, when it is a string; otherwise text.len. */
static size_t value_at(struct view text, size_t at) {
    at = skip_space(text, at);
    if (at >= text.len || text.ptr[at] != ':') return text.len;
    at = skip_space(text, at + 1);
    return at < text.len && text.ptr[at] == '"' ? at : text.len;
}

bool secrets_mask_text(struct buf *out, struct view text) {
    size_t kept = 0;
    for (size_t i = 0; i < text.len;) {
        if (text.ptr[i] != '"') {
            i++;
            continue;
        }
        size_t len = string_len(view_skip(text, i)), value = value_at(text, i + len);
        bool hides = value < text.len && log_is_secret_name(view_slice(text, i + 1, i + len - 1), false);
        i += len;
        if (!hides) continue;
        i = value + string_len(view_skip(text, value));
        if (!buf_append_view(out, view_slice(text, kept, value)) ||
            !buf_append_view(out, VIEW("\"" SECRET_SHOWN "\"")))
            return false;
        kept = i;
    }
    return buf_append_view(out, view_skip(text, kept));
}

bool secrets_mask_form(struct buf *out, struct view text) {
    struct buf query;
    buf_init(&query, text.len + 1);
    buf_append_byte(&query, '?'); /* its first parameter begins as a query's */
    buf_append_view(&query, text);
    size_t before = out->len;
    bool good = !query.failed && log_redact_target(out, buf_view(&query));
    buf_done(&query);
    if (!good) return false;
    char *bytes = out->ptr + out->start + before;
    memmove(bytes, bytes + 1, out->len - before - 1);
    out->len--;
    return true;
}
