/* The errors' list made into lookups, and which form of answer a visitor prefers. */
#include "http/error.h"

struct entry {
    int status;
    struct view code, text;
};

static const struct entry entries[] = {[HTTP_ERROR_NONE] = {200, {"", 0}, {"", 0}},
#define X(name, status, code, text)                                                                          \
    [HTTP_ERROR_##name] = {status, {code, sizeof(code) - 1}, {text, sizeof(text) - 1}},
                                       HTTP_ERROR_LIST(X)
#undef X
};

static const struct entry *entry_of(enum http_error error) {
    size_t i = (size_t)error;
    return &entries[i < sizeof(entries) / sizeof(entries[0]) ? i : HTTP_ERROR_INTERNAL];
}

enum http_error http_error_from_code(struct view code) {
    for (size_t i = 1; i < sizeof(entries) / sizeof(entries[0]); i++)
        if (view_eq(entries[i].code, code)) return (enum http_error)i;
    return HTTP_ERROR_BAD_RESPONSE;
}

int http_error_status(enum http_error error) {
    return entry_of(error)->status;
}

struct view http_error_code(enum http_error error) {
    return entry_of(error)->code;
}

struct view http_error_text(enum http_error error) {
    return entry_of(error)->text;
}

bool http_error_closes(enum http_error error) {
    switch (error) {
    case HTTP_ERROR_BAD_REQUEST:
    case HTTP_ERROR_METHOD_NOT_ALLOWED:
    case HTTP_ERROR_REQUEST_TIMEOUT:
    case HTTP_ERROR_BODY_TOO_LARGE:
    case HTTP_ERROR_URI_TOO_LONG:
    case HTTP_ERROR_EXPECTATION_FAILED:
    case HTTP_ERROR_HEADERS_TOO_LARGE:
    case HTTP_ERROR_VERSION_UNSUPPORTED: return true;
    default: return false;
    }
}

/* A qvalue in thousandths (RFC 9110 12.4.2); what is none counts as 0. */
static int parse_weight(struct view v) {
    if (v.len == 0 || v.len > 5 || (v.ptr[0] != '0' && v.ptr[0] != '1')) return 0;
    if (v.len > 1 && v.ptr[1] != '.') return 0;
    int weight = (v.ptr[0] - '0') * 1000, unit = 100;
    for (size_t i = 2; i < v.len; i++, unit /= 10) {
        if (v.ptr[i] < '0' || v.ptr[i] > '9') return 0;
        weight += (v.ptr[i] - '0') * unit;
    }
    return weight > 1000 ? 0 : weight;
}

static int weight_of(struct view parameters) {
    struct view parameter;
    while (view_split(&parameters, ';', &parameter)) {
        parameter = view_trim(parameter);
        if (parameter.len >= 2 && view_eq_nocase(view_slice(parameter, 0, 2), VIEW("q=")))
            return parse_weight(view_skip(parameter, 2));
    }
    return 1000;
}

bool http_wants_html(struct view accept) {
    int html = 0, plain = 0;
    struct view range;
    while (view_split(&accept, ',', &range)) {
        struct view type;
        if (!view_split(&range, ';', &type)) continue;
        type = view_trim(type);
        bool is_html =
            view_eq_nocase(type, VIEW("text/html")) || view_eq_nocase(type, VIEW("application/xhtml+xml"));
        bool is_plain = view_eq_nocase(type, VIEW("text/plain"));
        if (!is_html && !is_plain) continue;
        int weight = weight_of(range), *best = is_html ? &html : &plain;
        if (weight > *best) *best = weight;
    }
    return html > 0 && html >= plain;
}
