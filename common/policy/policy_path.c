/* allow-path, deny-path: prefixes that end where a segment ends. A service may read a path in ways of its
 * own, so the rule looks at all of them: percent-decoded up to ROUNDS_MAX times, with "\" for "/", with and
 * without "." and ".." resolved and ";parameters" cut. What is to be denied is denied if it matches in any of
 * these forms, in any case of letters; what is to be allowed must match in all of them, as it is written. */
#include "base/hex.h"
#include "http/chars.h"
#include "policy/policy_rules.h"

#define ROUNDS_MAX 4

bool policy_path_valid(struct view value) {
    struct view rest = value, prefix;
    while (view_split(&rest, ',', &prefix)) {
        prefix = view_trim(prefix);
        if (prefix.len == 0 || prefix.ptr[0] != '/' || !http_is_visible(prefix)) return false;
        if (view_find(prefix, '%') < prefix.len || view_find(prefix, '?') < prefix.len) return false;
    }
    return true; /* of nothing at all the first item is empty */
}

/* In place, once. Tells whether that changed anything. */
static bool decode(struct buf *path) {
    size_t out = 0;
    for (size_t i = 0; i < path->len; i++) {
        char plain = path->ptr[i];
        int byte = percent_byte(view_skip(buf_view(path), i));
        path->ptr[out++] = byte < 0 ? plain : (char)byte;
        if (byte >= 0) i += 2;
    }
    bool changed = out < path->len;
    path->len = out;
    return changed;
}

/* Of what begins here: a character written with more bytes than it needs, which UTF-8 forbids (RFC 3629 3)
 * and some decoders read all the same: "." as C0 AE. */
static bool is_overlong(struct view rest) {
    unsigned char first = (unsigned char)rest.ptr[0], next = rest.len > 1 ? (unsigned char)rest.ptr[1] : 0;
    bool continues = (next & 0xc0) == 0x80;
    return continues && (first == 0xc0 || first == 0xc1 || (first == 0xe0 && next < 0xa0) ||
                         (first == 0xf0 && next < 0x90));
}

static bool is_no_path(struct view path) {
    for (size_t i = 0; i < path.len; i++)
        if ((unsigned char)path.ptr[i] < 0x20 || path.ptr[i] == 0x7f || is_overlong(view_skip(path, i)))
            return true;
    return false;
}

static size_t without_last_segment(const char *out, size_t len) {
    while (len > 0 && out[len - 1] != '/') len--;
    return len > 0 ? len - 1 : 0;
}

/* Writes the segments of `path`, each behind a "/", into `out`, which has room for path.len + 1: empty ones
 * and
 * "." left out, "\" taken for "/", and where it is to be resolved, ".." followed and parameters cut. */
static struct view segments(struct view path, bool resolves, char *out) {
    size_t len = 0, at = 0;
    while (at < path.len) {
        size_t begin = at;
        while (at < path.len && path.ptr[at] != '/' && path.ptr[at] != '\\') at++;
        struct view segment = view_slice(path, begin, at++);
        if (resolves) segment = view_slice(segment, 0, view_find(segment, ';'));
        if (segment.len == 0 || view_eq(segment, VIEW("."))) continue;
        if (resolves && view_eq(segment, VIEW(".."))) {
            len = without_last_segment(out, len);
            continue;
        }
        out[len++] = '/';
        memcpy(out + len, segment.ptr, segment.len);
        len += segment.len;
    }
    return view_of(out, len);
}

/* A prefix without its last "/", so that "/api/" is "/api". */
static bool begins(struct view path, struct view prefix, bool folds) {
    while (prefix.len > 1 && prefix.ptr[prefix.len - 1] == '/') prefix.len--;
    struct view head = view_slice(path, 0, prefix.len);
    if (prefix.len == 1) return true;
    if (!(folds ? view_eq_nocase(head, prefix) : view_eq(head, prefix))) return false;
    if (path.len == prefix.len) return true;
    char next = path.ptr[prefix.len];
    return next == '/' || (folds && !http_is_token(view_of(&next, 1))) ||
           (folds && (next == '.' || next == '%'));
}

static bool matches(struct view value, struct view path, bool folds) {
    struct view rest = value, prefix;
    while (view_split(&rest, ',', &prefix))
        if (begins(path, view_trim(prefix), folds)) return true;
    return false;
}

struct forms {
    struct buf decoded; /* so many times as it was decoded */
    char *room;
    bool has_more; /* it can be decoded once more */
    unsigned rounds;
};

static bool forms_begin(struct forms *forms, struct view target, struct arena *arena) {
    struct view path = view_slice(target, 0, view_find(target, '?'));
    *forms = (struct forms){.room = arena_alloc(arena, path.len + 1), .has_more = true};
    buf_init(&forms->decoded, path.len + 1);
    return forms->room && buf_append_view(&forms->decoded, path);
}

/* False: it was decoded so often that nobody means it, or holds what no path does. */
static bool forms_next(struct forms *forms) {
    if (is_no_path(buf_view(&forms->decoded)) || forms->rounds++ == ROUNDS_MAX) return false;
    forms->has_more = decode(&forms->decoded);
    return true;
}

/* How many of the forms match: 0 none, 1 some, 2 all. -1: it cannot be told. */
static int count_matches(struct view value, struct view target, bool folds, struct arena *arena) {
    struct forms forms;
    bool any = false, all = true, is_told = forms_begin(&forms, target, arena);
    while (is_told && forms.has_more) {
        for (int resolves = 0; resolves < 2; resolves++) {
            bool match = matches(value, segments(buf_view(&forms.decoded), resolves, forms.room), folds);
            any = any || match;
            all = all && match;
        }
        is_told = forms_next(&forms);
    }
    buf_done(&forms.decoded);
    return !is_told ? -1 : all ? 2 : any ? 1 : 0;
}

enum policy_verdict policy_allow_path_check(struct view value, const struct policy_request *request,
                                            struct policy_outcome *outcome) {
    (void)outcome;
    return count_matches(value, request->target, false, request->arena) == 2 ? POLICY_LETS_IN
                                                                             : POLICY_REFUSES;
}

enum policy_verdict policy_deny_path_check(struct view value, const struct policy_request *request,
                                           struct policy_outcome *outcome) {
    (void)outcome;
    return count_matches(value, request->target, true, request->arena) == 0 ? POLICY_LETS_IN : POLICY_REFUSES;
}
