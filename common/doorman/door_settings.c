/* What may be said of the doorman's settings. */
#include "doorman/doorman.h"
#include "http/chars.h"
#include "http/hop.h"

static bool is_url_byte(char byte) {
    return byte > ' ' && byte < 0x7f && byte != '"' && byte != '<' && byte != '>' && byte != '\\';
}

static bool is_url_text(struct view text) {
    for (size_t i = 0; i < text.len; i++)
        if (!is_url_byte(text.ptr[i])) return false;
    return true;
}

const char *door_url_fault(struct view url) {
    bool is_http = view_starts_with(url, VIEW("http://")), is_https = view_starts_with(url, VIEW("https://"));
    struct view rest = view_skip(url, is_https ? 8 : 7);
    struct view authority = view_slice(rest, 0, view_find(rest, '/'));
    if (!is_http && !is_https) return "expected http://… or https://…";
    if (url.len > DOOR_URL_MAX) return "it is too long";
    if (authority.len == 0 || authority.ptr[0] == ':' || authority.ptr[0] == '?') return "it names no host";
    if (view_find(authority, '@') < authority.len) return "it may not hold a login";
    if (!is_url_text(url) || view_find(url, '#') < url.len) return "it is no URL of a service";
    return NULL;
}

/* Cookie and Authorization are the visitor's, what is hop-by-hop and forwarded is ours. */
bool door_names_are_fields(const struct view *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!http_is_token(names[i]) || hop_decides(names[i])) return false;
    return true;
}

bool door_names_are_cookies(const struct view *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!http_is_token(names[i])) return false;
    return true;
}
