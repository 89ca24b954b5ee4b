/* What every filter owes (rewrite/filter.h), for whatever input: cut at every byte it gives what the uncut
 * input gives; it holds back no more than its bound; it may end without data, and be freed in the middle. */
#ifndef FILTER_CONFORMANCE_H
#define FILTER_CONFORMANCE_H

#include <malloc.h>
#include <stdlib.h>

#include "base/buf.h"
#include "cmocka_setup.h"
#include "rewrite/filter.h"

/* Makes the filter that is tested. */
struct filter_maker {
    struct filter *(*make)(const struct filter_maker *maker, filter_out_fn out, void *out_ctx);
    const void *what; /* the maker's own */
};

#define FILTER_OUTPUT_MAX ((size_t)256 * 1024 * 1024)

static void filter_collect(void *ctx, struct view bytes) {
    assert_true(bytes.len > 0);
    assert_true(buf_append_view(ctx, bytes));
}

/* In memory of its own, so that a read beyond the piece, or of an earlier one, is seen by a sanitizer. */
static inline void filter_feed_copy(struct filter *filter, struct view piece) {
    char *copy = malloc(piece.len ? piece.len : 1);
    assert_non_null(copy);
    if (piece.len) memcpy(copy, piece.ptr, piece.len);
    filter_data(filter, view_of(copy, piece.len));
    assert_true(filter_held(filter) <= FILTER_BOUND);
    free(copy);
}

/* The output of `input` in pieces of `first` bytes and then `step` each. */
static inline void filter_run(const struct filter_maker *maker, struct view input, size_t first, size_t step,
                              struct buf *output) {
    buf_init(output, FILTER_OUTPUT_MAX);
    struct filter *filter = maker->make(maker, filter_collect, output);
    assert_non_null(filter);
    assert_true(malloc_usable_size(filter) <= FILTER_BOUND);
    filter_feed_copy(filter, view_slice(input, 0, first));
    for (size_t at = first; at < input.len; at += step)
        filter_feed_copy(filter, view_slice(input, at, at + step));
    filter_end(filter);
    assert_int_equal(filter_held(filter), 0);
    filter_free(filter);
}

static inline void filter_run_same(const struct filter_maker *maker, struct view input, size_t first,
                                   size_t step, struct view expected) {
    struct buf output;
    filter_run(maker, input, first, step, &output);
    if (!view_eq(buf_view(&output), expected))
        fail_msg("cut at %zu, then every %zu: \"%.*s\" gave \"%.*s\", not \"%.*s\"", first, step,
                 VIEW_ARG(input), VIEW_ARG(buf_view(&output)), VIEW_ARG(expected));
    buf_done(&output);
}

static inline void filter_aborts(const struct filter_maker *maker, struct view input, size_t len) {
    struct buf output;
    buf_init(&output, FILTER_OUTPUT_MAX);
    struct filter *filter = maker->make(maker, filter_collect, &output);
    filter_feed_copy(filter, view_slice(input, 0, len));
    filter_free(filter);
    buf_done(&output);
}

/* `expected`: of the uncut input. */
static inline void filter_conforms(const struct filter_maker *maker, struct view input,
                                   struct view expected) {
    filter_run_same(maker, input, input.len, 1, expected);
    filter_run_same(maker, input, 0, 1, expected);
    for (size_t at = 0; at < input.len; at++) {
        filter_run_same(maker, input, at, input.len, expected);
        filter_aborts(maker, input, at);
    }
    filter_run_same(maker, VIEW(""), 0, 1, VIEW(""));
}

#endif
