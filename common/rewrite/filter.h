/* A filter changes the body of an answer while it streams: bytes in, bytes out, end. It holds back no more
 * than FILTER_BOUND bytes, all of them in memory that it has from birth, so it cannot run out of it once it
 * is there (but for what encodes: encoder.h). What it gives depends on the bytes alone, never on how they
 * were cut.
 *
 *     (filter_data() | filter_flush())* filter_end()? filter_free()
 *
 * A body that is cut off (the service died, the visitor left) is only freed. */
#ifndef REWRITE_FILTER_H
#define REWRITE_FILTER_H

#include "base/view.h"

#define FILTER_BOUND ((size_t)32 * 1024)

/* Called within filter_data() and filter_end(). `bytes` is borrowed until return, never empty; it may point
 * into what was fed. The filter must not be freed in it. */
typedef void (*filter_out_fn)(void *ctx, struct view bytes);

struct filter;

struct filter_ops {
    void (*data)(struct filter *filter, struct view bytes);
    void (*end)(struct filter *filter);
    /* NULL: it has no use for it. */
    void (*flush)(struct filter *filter);
    /* Bytes taken that are neither given nor dropped yet. */
    size_t (*held)(const struct filter *filter);
    /* Frees what is not in the filter's own block; NULL: nothing. */
    void (*done)(struct filter *filter);
};

/* First in the struct of every filter; each has a maker of its own. */
struct filter {
    const struct filter_ops *ops;
    filter_out_fn out;
    void *out_ctx;
    struct filter *next; /* of a chain (chain.h) */
    bool failed;         /* no memory: what it gave cannot become whole */
};

static inline void filter_data(struct filter *filter, struct view bytes) {
    if (bytes.len) filter->ops->data(filter, bytes);
}

/* Gives what was held back. Nothing may be fed afterwards. */
static inline void filter_end(struct filter *filter) {
    filter->ops->end(filter);
}

/* The service is silent for the time being: what is held only to be written shorter is given. */
static inline void filter_flush(struct filter *filter) {
    if (filter->ops->flush) filter->ops->flush(filter);
}

static inline size_t filter_held(const struct filter *filter) {
    return filter->ops->held(filter);
}

/* At any moment but from within the output callback; NULL is fine. */
void filter_free(struct filter *filter);

#endif
