/* See encoder.h. */
#include "rewrite/encoder.h"

#include <stdlib.h>
#include <zlib.h>

/* zlib takes 2^(bits + 2) and 2^(level + 9) bytes: 32 KiB in all. */
#define WINDOW_BITS 12
#define MEMORY_LEVEL 5
#define COMPRESSION_LEVEL 4

struct encoder {
    struct filter filter;
    z_stream zlib;
    size_t fed; /* since all was given */
};

/* Gives what comes of it; zlib needs no memory once it is there. */
static void encode(struct encoder *encoder, struct view bytes, int flush) {
    char out[2048];
    z_stream *zlib = &encoder->zlib;
    zlib->next_in = (unsigned char *)(uintptr_t)bytes.ptr;
    zlib->avail_in = (unsigned)bytes.len;
    do {
        zlib->next_out = (unsigned char *)out;
        zlib->avail_out = sizeof out;
        deflate(zlib, flush);
        struct view made = view_of(out, sizeof out - zlib->avail_out);
        if (made.len) encoder->filter.out(encoder->filter.out_ctx, made);
    } while (zlib->avail_out == 0);
}

static void on_data(struct filter *filter, struct view bytes) {
    struct encoder *encoder = (struct encoder *)filter;
    encoder->fed += bytes.len;
    encode(encoder, bytes, Z_NO_FLUSH);
}

static void on_flush(struct filter *filter) {
    struct encoder *encoder = (struct encoder *)filter;
    if (encoder->fed) encode(encoder, VIEW(""), Z_SYNC_FLUSH);
    encoder->fed = 0;
}

static void on_end(struct filter *filter) {
    struct encoder *encoder = (struct encoder *)filter;
    encode(encoder, VIEW(""), Z_FINISH);
    encoder->fed = 0;
}

/* What zlib holds of what it was fed cannot be known, but that it has no room for more. */
static size_t held(const struct filter *filter) {
    size_t fed = ((const struct encoder *)filter)->fed;
    return fed < FILTER_BOUND ? fed : FILTER_BOUND;
}

static void done(struct filter *filter) {
    deflateEnd(&((struct encoder *)filter)->zlib);
}

struct filter *encoder_filter_new(enum coding coding, filter_out_fn out, void *out_ctx) {
    static const struct filter_ops ops = {
        .data = on_data, .end = on_end, .flush = on_flush, .held = held, .done = done};
    struct encoder *encoder = calloc(1, sizeof *encoder);
    if (!encoder) return NULL;
    encoder->filter = (struct filter){.ops = &ops, .out = out, .out_ctx = out_ctx};
    int bits = WINDOW_BITS + (coding == CODING_GZIP ? 16 : 0);
    if (deflateInit2(&encoder->zlib, COMPRESSION_LEVEL, Z_DEFLATED, bits, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
        free(encoder);
        return NULL;
    }
    return &encoder->filter;
}
