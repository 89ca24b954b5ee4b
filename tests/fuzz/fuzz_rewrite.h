/* What the targets of filters share: however the input is cut, the output is that of the uncut input; without
 * a prefix it is the input itself; and no more is held back than the bound. */
#ifndef FUZZ_REWRITE_H
#define FUZZ_REWRITE_H

#include "base/buf.h"
#include "fuzz.h"
#include "rewrite/filter.h"
#include "rewrite/url.h"

static const struct rewrite_site fuzz_site = {.tunnel_id = {"abc", 3},
                                              .prefix = {"/abc", 4},
                                              .scheme = {"https", 5},
                                              .host = {"t.example", 9},
                                              .service = {"localhost:3000", 14}};
static const struct rewrite_site fuzz_off = {
    .scheme = {"https", 5}, .host = {"t.example", 9}, .service = {"localhost:3000", 14}};

/* Longer inputs go in larger pieces: byte by byte they take most of the time. */
#define FUZZ_BY_BYTE_MAX 2048

typedef struct filter *(*fuzz_make_fn)(const struct rewrite_site *site, filter_out_fn out, void *out_ctx);

static void fuzz_collect(void *ctx, struct view bytes) {
    require(bytes.len > 0 && buf_append_view(ctx, bytes));
}

/* In memory of its own; that of a byte costs no allocation, of which there would be very many. */
static inline void fuzz_piece(struct filter *filter, struct view piece) {
    char byte = piece.len ? piece.ptr[0] : 0;
    char *copy = piece.len > 1 ? exact_copy(piece) : NULL;
    if (piece.len) filter_data(filter, view_of(copy ? copy : &byte, piece.len));
    require(filter_held(filter) <= FILTER_BOUND);
    free(copy);
}

/* A first piece of `cut` bytes, then pieces of `step`; freed without an end where `aborts`. */
static inline void fuzz_run(fuzz_make_fn make, const struct rewrite_site *site, struct view input, size_t cut,
                            size_t step, bool aborts, struct buf *output) {
    buf_init(output, (size_t)1 << 30);
    struct filter *filter = make(site, fuzz_collect, output);
    require(filter != NULL);
    for (size_t at = 0, len = cut; at < input.len; at += len, len = step)
        fuzz_piece(filter, view_slice(input, at, at + len));
    if (!aborts) filter_end(filter);
    filter_free(filter);
}

static inline void fuzz_same(fuzz_make_fn make, const struct rewrite_site *site, struct view input,
                             size_t cut, size_t step, struct view expected) {
    struct buf output;
    fuzz_run(make, site, input, cut, step, false, &output);
    require(view_eq(buf_view(&output), expected));
    buf_done(&output);
}

/* The first byte of the input says where it is cut. */
static inline void fuzz_filter(fuzz_make_fn make, const uint8_t *data, size_t size) {
    struct buf whole, aborted;
    if (size == 0) return;
    struct view input = view_of(data + 1, size - 1);
    size_t cut = input.len ? data[0] * input.len / 256 : 0;
    size_t step = input.len <= FUZZ_BY_BYTE_MAX ? 1 : 61;
    fuzz_run(make, &fuzz_site, input, input.len, 1, false, &whole);
    fuzz_same(make, &fuzz_site, input, 1, step, buf_view(&whole));
    fuzz_same(make, &fuzz_site, input, cut, input.len, buf_view(&whole));
    fuzz_same(make, &fuzz_off, input, cut, input.len, input);
    fuzz_run(make, &fuzz_site, view_slice(input, 0, cut), cut, step, true, &aborted);
    require(view_starts_with(buf_view(&whole), buf_view(&aborted)));
    buf_done(&whole);
    buf_done(&aborted);
}

#endif
