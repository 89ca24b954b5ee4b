/* What a rewriter says of the text that it reads: in the order of the text, each byte of it is copied or
 * dropped once, and new bytes are put between. So a rewriter need not know how its text is written down: that
 * of a style attribute reads decoded text, and the attribute's sink applies the same edits to the raw one. */
#ifndef REWRITE_EDIT_H
#define REWRITE_EDIT_H

#include "base/view.h"

enum edit { EDIT_COPY, EDIT_DROP, EDIT_PUT };

struct edit_sink {
    /* `bytes` is borrowed until return, never empty. */
    void (*fn)(void *ctx, enum edit edit, struct view bytes);
    void *ctx;
};

static inline void edit_to(const struct edit_sink *sink, enum edit edit, struct view bytes) {
    if (bytes.len) sink->fn(sink->ctx, edit, bytes);
}

#endif
