/* Which of the records a list is to show: the parameters of GET /api/requests/http and of
 * /api/inspect/requests. */
#ifndef FORWARDER_INSPECT_FILTER_H
#define FORWARDER_INSPECT_FILTER_H

#include "inspect/store.h"

#define FILTER_TEXT_BYTES ((size_t)64 * 1024 * 1024) /* searched for `text` at most, the newest first */

/* All that is said must hold; what is NULL or 0 is not asked for. Borrowed from the parameters. */
struct filter {
    const char *tunnel, *method, *path; /* its name; any case; a part of the target */
    const char *text;                   /* stands in the target, a field's value or a body's kept bytes */
    unsigned status_least, status_most; /* that the visitor got */
    uint64_t after;                     /* a record's id: those that began behind it */
    bool ended;                         /* only those that have */
    size_t text_bytes_left;
};

/* The value of a parameter; NULL: it was not given. */
typedef const char *filter_value_fn(void *ctx, const char *name);

/* NULL, or what is wrong with them (static). */
const char *filter_parse(struct filter *ret_filter, filter_value_fn *value, void *ctx);
bool filter_takes(struct filter *filter, const struct store_record *record);

#endif
