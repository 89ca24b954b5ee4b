/* Request targets (RFC 9112 3.2), kept as raw bytes: nothing is decoded, reordered or normalised. */
#ifndef HTTP_URI_H
#define HTTP_URI_H

#include "base/arena.h"

enum target_form { TARGET_ORIGIN, TARGET_ABSOLUTE, TARGET_ASTERISK, TARGET_AUTHORITY };

struct target {
    enum target_form form;
    struct view scheme;    /* absolute form only */
    struct view authority; /* absolute and authority form only */
    struct view path; /* begins with '/'; absolute form without a path: "/"; asterisk form "*"; else absent */
    struct view query;          /* without '?'; ptr NULL when there is no '?' */
    struct view path_and_query; /* origin form of the whole, what an upstream is asked for. An absolute form
                                   whose path is empty but whose query is not has its '/' missing here: use
                                   target_origin() */
};

/* False for anything that is not printable ASCII or 0x80-0xff: control bytes, spaces; for '#'; for an empty
 * target; and for a form that is none of the four. Views point into `raw`. */
bool target_parse(struct view raw, struct target *ret_target);

/* The origin form, copied if it must be joined. The absent view without memory. */
struct view target_origin(const struct target *target, struct arena *arena);

/* Does this path, once its percent-encoded dots, slashes and backslashes are read as such, climb above its
 * start at any point? ("/../x", "/a/%2e%2E/../x", "/a/..%2f..%2fx"). */
bool path_escapes(struct view path);

/* The first value of a query parameter by its raw (undecoded) name; percent-decoded into the arena ('+' is
 * left alone). Absent view when missing, malformed or without memory. */
struct view query_get(struct view query, struct view name, struct arena *arena);

/* Percent-decodes. Absent view when malformed or without memory. */
struct view uri_decode(struct view v, struct arena *arena);

#endif
