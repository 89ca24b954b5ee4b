/* See host_field.h. */
#include "host_field.h"

#include <stdio.h>

#include "http/chars.h"

bool host_field_init(struct host_field *field, const char *option, const char *authority,
                     const char *scheme) {
    *field = (struct host_field){.scheme = scheme};
    struct view value = view_from_cstr(option);
    field->preserve = view_eq(value, VIEW("preserve"));
    if (view_eq(value, VIEW("rewrite"))) value = view_from_cstr(authority);
    if (!view_copy_to(view_from_cstr(authority), field->authority, sizeof(field->authority))) return false;
    return value.len > 0 && http_is_field_value(value) && view_find(value, ' ') == value.len &&
           view_find(value, '\t') == value.len && view_copy_to(value, field->value, sizeof(field->value));
}

/* "http://HOST" at the front of `url`, where HOST is the visitor's; what stands behind it. */
static bool behind_origin(struct view url, struct view host, struct view *ret_rest) {
    size_t colon = view_find(url, ':');
    struct view scheme = view_slice(url, 0, colon), rest = view_skip(url, colon);
    if (!view_eq_nocase(scheme, VIEW("http")) && !view_eq_nocase(scheme, VIEW("https"))) return false;
    if (!view_starts_with(rest, VIEW("://"))) return false;
    rest = view_skip(rest, 3);
    if (rest.len < host.len || !view_eq_nocase(view_slice(rest, 0, host.len), host)) return false;
    *ret_rest = view_skip(rest, host.len);
    return ret_rest->len == 0 || ret_rest->ptr[0] == '/';
}

static bool follow(const struct host_field *field, struct headers *headers, struct view name,
                   struct view host) {
    struct view rest, value = headers_get(headers, name);
    if (!value.ptr || !behind_origin(value, host, &rest)) return true;
    value = arena_printf(headers->arena, "%s://%s%.*s", field->scheme, field->value, VIEW_ARG(rest));
    return value.ptr && headers_set(headers, name, value);
}

bool host_field_apply(const struct host_field *field, struct headers *headers, struct view visitor_host) {
    struct view host = headers_get(headers, VIEW("host"));
    if (!host.ptr) host = visitor_host;
    if (field->preserve) return headers_set(headers, VIEW("host"), host);
    return follow(field, headers, VIEW("origin"), host) && follow(field, headers, VIEW("referer"), host) &&
           headers_set(headers, VIEW("host"), view_from_cstr(field->value));
}

static bool contains(struct view text, struct view part) {
    for (; text.len >= part.len; text = view_skip(text, 1))
        if (view_starts_with(text, part)) return true;
    return false;
}

void host_field_look(struct host_field *field, struct console *console, int status, struct view body) {
    static const struct view signs[] = {
        {"Blocked request. This host", 26}, /* Vite */
        {"Invalid Host header", 19},        /* webpack-dev-server */
        {"Invalid HTTP_HOST header", 24},   /* Django */
        {"DisallowedHost", 14},             /* Django, in debug mode */
        {"Blocked hosts", 13},              /* Rails */
        {"Blocked host", 12},
    };
    if (field->hinted || !field->preserve || (status != 400 && status != 403)) return;
    body = view_slice(body, 0, 4096);
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        if (!contains(body, signs[i])) continue;
        field->hinted = true;
        console_line(console, "Hint: the local service refuses a host name that it does not know; "
                              "start ttf with --host-header rewrite");
        return;
    }
}
