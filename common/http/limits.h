/* The sizes that a request and an answer may have. Each is a setting of the hosts; these are the defaults. */
#ifndef HTTP_LIMITS_H
#define HTTP_LIMITS_H

#include <stddef.h>

struct http_limits {
    size_t target_bytes;       /* whole request target */
    size_t v1_path_bytes;      /* path and query toward a v1 agent */
    size_t header_value_bytes; /* one field's value */
    size_t headers_bytes;      /* all fields, as headers.bytes counts */
    size_t headers_count;
};

#define HTTP_LIMITS_DEFAULT                                                                                  \
    {                                                                                                        \
        .target_bytes = 8192, .v1_path_bytes = 2048, .header_value_bytes = 8192, .headers_bytes = 64 * 1024, \
        .headers_count = 256                                                                                 \
    }

#endif
