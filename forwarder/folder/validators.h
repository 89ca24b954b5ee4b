/* Which part of a file a request asks for, and whether at all: preconditions (RFC 9110 13) and ranges (14).
 * Pure: asks no disk. */
#ifndef FORWARDER_FOLDER_VALIDATORS_H
#define FORWARDER_FOLDER_VALIDATORS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

/* What tells one state of a file from another. */
struct validators {
    char etag[48];     /* strong, with its quotes */
    char modified[32]; /* for Last-Modified */
    time_t modified_s;
};

/* Values of a request's fields; NULL: it has none. */
struct conditions {
    const char *if_match, *if_none_match, *if_modified_since, *if_unmodified_since, *if_range, *range;
};

/* What is to be sent: 200 all of it, 206 from `first` on, 304 its head alone, 412 and 416 nothing of it. */
struct portion {
    unsigned status;
    uint64_t first, count; /* bytes */
};

void validators_of(const struct stat *file, struct validators *ret_validators);

/* Several ranges, or one that is malformed, are answered with the whole, as 14.2 allows. */
struct portion validators_choose(const struct validators *validators, uint64_t size,
                                 const struct conditions *conditions, time_t now_s);

#endif
