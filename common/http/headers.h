/* A list of header fields that keeps order and repeats. Names are stored in lower case, values as they came.
 * All bytes live in the arena given at init, so the list needs no end of its own. */
#ifndef HTTP_HEADERS_H
#define HTTP_HEADERS_H

#include "base/arena.h"

struct header {
    struct view name; /* lower case */
    struct view value;
};

struct headers {
    struct arena *arena;
    struct header *fields;
    size_t count, cap;
    size_t bytes; /* names and values, plus 4 a field (": " and CRLF): what limits count */
};

void headers_init(struct headers *headers, struct arena *arena);

/* Copies both, each with a NUL byte behind it that does not count. False when the arena is full. Checks
 * nothing: the request gate does. */
bool headers_add(struct headers *headers, struct view name, struct view value);
/* Replaces the first field of that name, removes the others, or adds one. */
bool headers_set(struct headers *headers, struct view name, struct view value);
/* Removes all fields of that name (lower case); returns how many there were. */
size_t headers_remove(struct headers *headers, struct view name);
/* Removes all fields for which `drop` says so, keeping the order of the rest. */
size_t headers_remove_if(struct headers *headers, bool (*drop)(void *ctx, const struct header *field),
                         void *ctx);

/* The first value of that name (lower case), or the absent view. */
struct view headers_get(const struct headers *headers, struct view name);
size_t headers_count(const struct headers *headers, struct view name);
/* Does any field of that name hold this token, in a comma-separated list, ASCII case folded (RFC 9110 5.6.1)?
 */
bool headers_has_token(const struct headers *headers, struct view name, struct view token);

/* The same, of one list. */
bool http_list_has(struct view list, struct view token);

/* Copies all fields of `from`, whose names are in lower case, to the end of `to`. False when the arena is
 * full; then none is copied. */
bool headers_copy(struct headers *to, const struct headers *from);

/* The value of a Content-Length (RFC 9110 8.6), which may be absent: false where it is none. Never more than
 * INT64_MAX, so that whoever reads the body may count in signed numbers. */
bool http_content_length(struct view value, uint64_t *ret_bytes);

#endif
