/* Request targets. Parsing only cuts; decoding happens where a caller asks for it, once. */
#include "http/uri.h"

#include "base/hex.h"
#include "http/chars.h"

static bool is_alpha(char byte) {
    char lower = http_lower(byte);
    return lower >= 'a' && lower <= 'z';
}

static bool is_digit(char byte) {
    return byte >= '0' && byte <= '9';
}

static bool has_only_target_bytes(struct view raw) {
    unsigned bad = 0;
    for (size_t i = 0; i < raw.len; i++) {
        unsigned char c = (unsigned char)raw.ptr[i];
        bad |= (unsigned)(c <= 0x20) | (unsigned)(c == 0x7f) | (unsigned)(c == '#');
    }
    return raw.len > 0 && !bad;
}

static size_t scheme_len(struct view raw) {
    if (!is_alpha(raw.ptr[0])) return 0;
    size_t i = 1;
    while (i < raw.len && (is_alpha(raw.ptr[i]) || is_digit(raw.ptr[i]) || memchr("+-.", raw.ptr[i], 3))) i++;
    return i;
}

static void cut_path(struct target *target, struct view origin) {
    size_t question = view_find(origin, '?');
    target->path_and_query = origin;
    target->path = view_slice(origin, 0, question);
    if (question < origin.len) target->query = view_skip(origin, question + 1);
    if (target->path.len == 0) target->path = VIEW("/");
    if (origin.len == 0) target->path_and_query = VIEW("/");
}

static size_t authority_len(struct view rest) {
    size_t slash = view_find(rest, '/'), question = view_find(rest, '?');
    return slash < question ? slash : question;
}

static bool parse_absolute(struct view raw, size_t scheme, struct target *target) {
    struct view rest = view_skip(raw, scheme + 3);
    size_t authority = authority_len(rest);
    if (authority == 0) return false;
    target->form = TARGET_ABSOLUTE;
    target->scheme = view_slice(raw, 0, scheme);
    target->authority = view_slice(rest, 0, authority);
    cut_path(target, view_skip(rest, authority));
    return true;
}

static bool parse_authority(struct view raw, struct target *target) {
    size_t colon = view_find_last(raw, ':');
    uint64_t port;
    if (colon == 0 || authority_len(raw) < raw.len) return false;
    if (!view_parse_u64(view_skip(raw, colon + 1), &port) || port > 65535) return false;
    target->form = TARGET_AUTHORITY;
    target->authority = raw;
    return true;
}

bool target_parse(struct view raw, struct target *ret_target) {
    *ret_target = (struct target){.form = TARGET_ORIGIN};
    if (!has_only_target_bytes(raw)) return false;
    if (raw.ptr[0] == '/') {
        cut_path(ret_target, raw);
        return true;
    }
    if (view_eq(raw, VIEW("*"))) {
        ret_target->form = TARGET_ASTERISK;
        ret_target->path = ret_target->path_and_query = raw;
        return true;
    }
    size_t scheme = scheme_len(raw);
    if (scheme && view_starts_with(view_skip(raw, scheme), VIEW("://")))
        return parse_absolute(raw, scheme, ret_target);
    return parse_authority(raw, ret_target);
}

struct view target_origin(const struct target *target, struct arena *arena) {
    struct view origin = target->path_and_query;
    if (origin.len == 0 || origin.ptr[0] != '?') return origin;
    char *joined = arena_alloc(arena, origin.len + 2);
    if (!joined) return (struct view){NULL, 0};
    joined[0] = '/';
    memcpy(joined + 1, origin.ptr, origin.len);
    joined[origin.len + 1] = '\0';
    return (struct view){joined, origin.len + 1};
}

/* The byte at *at, percent-decoded if it is a proper escape; *at moves behind it. */
static char next_byte(struct view path, size_t *at) {
    int byte = percent_byte(view_skip(path, *at));
    char plain = path.ptr[*at];
    *at += byte < 0 ? 1 : 3;
    return byte < 0 ? plain : (char)byte;
}

/* Empty segments do not count as depth: whoever merges slashes would climb further than we thought. */
static long depth_change(size_t dots, bool only_dots, size_t len) {
    if (len == 0 || (only_dots && dots == 1)) return 0;
    return only_dots && dots == 2 ? -1 : 1;
}

bool path_escapes(struct view path) {
    long depth = 0;
    size_t at = 0;
    while (at < path.len) {
        size_t dots = 0, len = 0;
        bool ended = false;
        while (at < path.len && !ended) {
            char byte = next_byte(path, &at);
            ended = byte == '/' || byte == '\\';
            if (!ended) len++;
            if (byte == '.') dots++;
        }
        depth += depth_change(dots, dots == len, len);
        if (depth < 0) return true;
    }
    return false;
}

struct view uri_decode(struct view v, struct arena *arena) {
    char *out = arena_alloc(arena, v.len + 1);
    if (!out) return (struct view){NULL, 0};
    size_t len = 0, at = 0;
    while (at < v.len) {
        size_t before = at;
        out[len++] = next_byte(v, &at);
        if (v.ptr[before] == '%' && at == before + 1) return (struct view){NULL, 0};
    }
    out[len] = '\0';
    return (struct view){out, len};
}

struct view query_get(struct view query, struct view name, struct arena *arena) {
    struct view parameter;
    while (view_split(&query, '&', &parameter)) {
        size_t equals = view_find(parameter, '=');
        if (view_eq(view_slice(parameter, 0, equals), name))
            return uri_decode(view_skip(parameter, equals + 1), arena);
    }
    return (struct view){NULL, 0};
}
