/* The sizes that a request and an answer may have; the defaults. A head is bounded as a whole. What one field
 * or target may take of it is all that HTTP/2 can carry in one (nghttp2: 64 KiB), but to agents of v1. */
#ifndef HTTP_LIMITS_H
#define HTTP_LIMITS_H

#include <stddef.h>

struct http_limits {
    size_t target_bytes;       /* whole request target, which counts for the head, too */
    size_t v1_path_bytes;      /* path and query toward a v1 agent */
    size_t header_value_bytes; /* one field's value */
    size_t v1_value_bytes;     /* the same, toward and from a v1 agent */
    size_t headers_bytes;      /* of a request, as headers.bytes counts, and its target */
    size_t answer_bytes;       /* all fields of an answer */
    size_t v1_headers_bytes;   /* of either, toward and from a v1 agent */
    size_t headers_count;
};

/* What the bound of a whole head may be set to. The most is what HTTP/2 still carries by nghttp2's estimate,
 * with room for what we add. */
#define HTTP_HEAD_LEAST ((size_t)8 * 1024)
#define HTTP_HEAD_MOST ((size_t)192 * 1024)
/* The fields that we add, and what a reader takes beyond its bound, so that a gate says what is wrong. */
#define HTTP_HEAD_SLACK ((size_t)16 * 1024)

#define HTTP_LIMITS_DEFAULT                                                                                  \
    {                                                                                                        \
        .target_bytes = 64 * 1024, .v1_path_bytes = 2048, .header_value_bytes = 64 * 1024 - 1,               \
        .v1_value_bytes = 8192, .headers_bytes = 64 * 1024, .answer_bytes = 128 * 1024,                      \
        .v1_headers_bytes = 64 * 1024, .headers_count = 256                                                  \
    }

/* The answer of an agent of v1 has the bounds that it always had, or tighter ones. */
static inline struct http_limits http_limits_v1_answer(const struct http_limits *limits) {
    struct http_limits v1 = *limits;
    v1.header_value_bytes = limits->v1_value_bytes;
    if (v1.answer_bytes > limits->v1_headers_bytes) v1.answer_bytes = limits->v1_headers_bytes;
    return v1;
}

#endif
