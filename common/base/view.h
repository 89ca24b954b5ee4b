/* A view: bytes that somebody else owns. Passed by value; not terminated by NUL; may hold any byte.
 * An empty view has len 0; `ptr` may then be NULL. A view with `ptr == NULL` also says "absent"
 * where a function documents it. */
#ifndef BASE_VIEW_H
#define BASE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct view {
    const char *ptr;
    size_t len;
};

/* A view of a string literal, usable in initializers. */
#define VIEW(literal) ((struct view){(literal), sizeof(literal) - 1})
/* For printf's "%.*s". Truncates what does not fit an int. */
#define VIEW_ARG(v) (int)((v).len > 0x7fffffff ? 0x7fffffff : (v).len), ((v).ptr ? (v).ptr : "")

static inline struct view view_of(const void *ptr, size_t len) {
    return (struct view){.ptr = ptr, .len = len};
}

/* NULL becomes the absent view. */
static inline struct view view_from_cstr(const char *text) {
    return (struct view){.ptr = text, .len = text ? strlen(text) : 0};
}

static inline bool view_eq(struct view a, struct view b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool view_eq_folded(const char *a, const char *b, size_t len);
/* ASCII case folding only; other bytes compare as they are. */
static inline bool view_eq_nocase(struct view a, struct view b) {
    if (a.len != b.len) return false;
    if (a.len == 0 || !a.ptr || !b.ptr) return true;
    bool may_be = ((a.ptr[0] ^ b.ptr[0]) & ~0x20) == 0; /* most names differ there */
    return may_be && view_eq_folded(a.ptr, b.ptr, a.len);
}
bool view_starts_with(struct view v, struct view prefix);
bool view_ends_with(struct view v, struct view suffix);

/* [from, to); both are clamped to the length. */
static inline struct view view_slice(struct view v, size_t from, size_t to) {
    if (!v.ptr) return v;
    if (to > v.len) to = v.len;
    if (from > to) from = to;
    return (struct view){v.ptr + from, to - from};
}
static inline struct view view_skip(struct view v, size_t count) {
    return view_slice(v, count, v.len);
}

/* Index of the first such byte, or v.len. */
static inline size_t view_find(struct view v, char byte) {
    const char *found = v.len ? memchr(v.ptr, byte, v.len) : NULL;
    return found ? (size_t)(found - v.ptr) : v.len;
}
/* Index of the last such byte, or v.len. */
size_t view_find_last(struct view v, char byte);

static inline bool view_is_space(char byte) {
    return byte == ' ' || byte == '\t';
}
struct view view_trim_spaces(struct view v);
/* Without spaces and tabs at both ends (HTTP's OWS, RFC 9110 5.6.3). Most have none. */
static inline struct view view_trim(struct view v) {
    bool has_any = v.len && (view_is_space(v.ptr[0]) || view_is_space(v.ptr[v.len - 1]));
    return has_any ? view_trim_spaces(v) : v;
}

/* Takes what stands before the first `separator` (or all of it) off the front of *rest and returns it.
 * Returns false when *rest was absent (ptr NULL): after the last piece *rest becomes absent. */
bool view_split(struct view *rest, char separator, struct view *ret_piece);

/* Decimal digits only, at least one, no sign, no space, no overflow. */
bool view_parse_u64(struct view v, uint64_t *ret_value);

/* malloc'ed copy with a NUL behind it; NULL without memory. */
char *view_to_cstr(struct view v);

/* Copies into a fixed array with a NUL behind it. False (and an empty string) if it does not fit or holds a
 * NUL byte. */
bool view_copy_to(struct view v, char *out, size_t out_size);

#endif
