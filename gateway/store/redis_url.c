/* See redis_url.h. */
#include "store/redis_url.h"

#include <stdio.h>

#include "base/hex.h"

#define DATABASE_MAX 65535

/* False when it does not fit, or decodes to a NUL. */
static bool decode(struct view text, char *out, size_t out_size) {
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        int byte = (unsigned char)text.ptr[i];
        if (byte == '%') {
            byte = percent_byte(view_skip(text, i));
            if (byte < 0) return false;
            i += 2;
        }
        if (byte == 0 || len + 1 >= out_size) return false;
        out[len++] = (char)byte;
    }
    out[len] = '\0';
    return true;
}

static bool parse_credentials(struct view text, struct redis_url *url) {
    size_t colon = view_find(text, ':');
    if (colon == text.len) return false; /* which of the two would it be? */
    return decode(view_slice(text, 0, colon), url->user, sizeof(url->user)) &&
           decode(view_skip(text, colon + 1), url->password, sizeof(url->password)) && url->password[0];
}

static bool parse_database(struct view text, struct redis_url *url) {
    uint64_t number = 0;
    if (text.len && !view_parse_u64(text, &number)) return false;
    url->database = (unsigned)number;
    return number <= DATABASE_MAX;
}

static bool parse_port(struct view text, struct redis_url *url) {
    uint64_t number = REDIS_PORT;
    if (text.ptr && (!view_parse_u64(text, &number) || number == 0 || number > 65535)) return false;
    url->port = (unsigned)number;
    return true;
}

static const char *parse_host(struct view text, struct redis_url *url) {
    struct view host = text, port = {0};
    bool literal = view_starts_with(text, VIEW("["));
    size_t end = literal ? view_find(text, ']') : view_find_last(text, ':');
    if (literal) {
        host = view_slice(text, 1, end);
        struct view behind = view_skip(text, end + 1);
        if (end == text.len || (behind.len && behind.ptr[0] != ':')) return "the host's brackets are wrong";
        if (behind.len) port = view_skip(behind, 1);
    } else if (end < text.len) {
        host = view_slice(text, 0, end);
        port = view_of(text.ptr + end + 1, text.len - end - 1);
    }
    if (host.len == 0 || !view_copy_to(host, url->host, sizeof(url->host))) return "a host is missing";
    if (!literal && view_find(host, ':') < host.len) return "an IPv6 address needs brackets";
    return parse_port(port, url) ? NULL : "the port is wrong";
}

static const char *parse_socket(struct view text, struct redis_url *url) {
    size_t query = view_find(text, '?');
    struct view database = view_skip(text, query);
    if (database.len && !view_starts_with(database, VIEW("?db="))) return "expected ?db=N";
    if (!parse_database(view_skip(database, 4), url)) return "the database is wrong";
    if (!view_copy_to(view_slice(text, 0, query), url->path, sizeof(url->path)) || url->path[0] != '/')
        return "the socket's path is missing or too long";
    snprintf(url->shown, sizeof(url->shown), "redis+unix://%s?db=%u", url->path, url->database);
    return NULL;
}

static const char *parse_network(struct view text, struct redis_url *url) {
    size_t slash = view_find(text, '/');
    const char *why = parse_host(view_slice(text, 0, slash), url);
    if (why) return why;
    if (!parse_database(view_skip(text, slash + 1), url)) return "the database is wrong";
    bool literal = view_find(view_from_cstr(url->host), ':') < strlen(url->host);
    snprintf(url->shown, sizeof(url->shown), "%s://%s%s%s:%u/%u", url->tls ? "rediss" : "redis",
             literal ? "[" : "", url->host, literal ? "]" : "", url->port, url->database);
    return NULL;
}

const char *redis_url_parse(struct view text, struct redis_url *ret_url) {
    static const struct {
        struct view scheme;
        bool tls, socket;
    } schemes[] = {{{"redis://", 8}, false, false},
                   {{"rediss://", 9}, true, false},
                   {{"redis+unix://", 13}, false, true},
                   {{"unix://", 7}, false, true}};
    *ret_url = (struct redis_url){.tls = false};
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (!view_starts_with(text, schemes[i].scheme)) continue;
        struct view rest = view_skip(text, schemes[i].scheme.len);
        size_t at = view_find_last(rest, '@');
        if (at < rest.len && !parse_credentials(view_slice(rest, 0, at), ret_url))
            return "expected user:password@ or :password@ before the host";
        if (at < rest.len) rest = view_skip(rest, at + 1);
        ret_url->tls = schemes[i].tls;
        return schemes[i].socket ? parse_socket(rest, ret_url) : parse_network(rest, ret_url);
    }
    return "expected memory, redis://host:port/database, rediss:// or redis+unix:///path";
}
