/* See chain.h. Filters are linked by their output callbacks. */
#include "rewrite/chain.h"

#include <stdlib.h>

static void to_output(void *ctx, struct view bytes) {
    struct chain *chain = ctx;
    if (!buf_append_view(&chain->output, bytes)) chain->failed = true;
}

static void to_filter(void *ctx, struct view bytes) {
    filter_data(ctx, bytes);
}

struct chain *chain_new(struct decoder *decoder) {
    struct chain *chain = calloc(1, sizeof(*chain));
    if (!chain) {
        decoder_free(decoder);
        return NULL;
    }
    chain->decoder = decoder;
    buf_init(&chain->input, CHAIN_INPUT_MAX);
    buf_init(&chain->output, CHAIN_OUTPUT_MAX);
    chain->is_flushed = true;
    return chain;
}

void chain_free(struct chain *chain) {
    if (!chain) return;
    for (struct filter *filter = chain->first, *next; filter; filter = next) {
        next = filter->next;
        filter_free(filter);
    }
    decoder_free(chain->decoder);
    buf_done(&chain->input);
    buf_done(&chain->output);
    free(chain);
}

void chain_append(struct chain *chain, struct filter *filter) {
    filter->out = to_output;
    filter->out_ctx = chain;
    filter->next = NULL;
    if (chain->last) {
        chain->last->out = to_filter;
        chain->last->out_ctx = filter;
        chain->last->next = filter;
    } else {
        chain->first = filter;
    }
    chain->last = filter;
}

void chain_feed(struct chain *chain, struct view bytes) {
    if (bytes.len == 0) return;
    if (!buf_append_view(&chain->input, bytes)) chain->failed = true;
    chain->is_flushed = false;
}

/* Of what is encoded a piece is taken, too: it may be much work though nothing comes of it. */
static void step_decoded(struct chain *chain) {
    char piece[CHAIN_STEP_BYTES];
    struct view taken = view_slice(buf_view(&chain->input), 0, CHAIN_STEP_ENCODED_BYTES), rest = taken;
    size_t len;
    if (!decoder_read(chain->decoder, &rest, piece, sizeof(piece), &len)) chain->failed = true;
    buf_consume(&chain->input, taken.len - rest.len);
    chain->is_full = len == sizeof(piece);
    filter_data(chain->first, view_of(piece, len));
}

static void step_data(struct chain *chain) {
    struct view piece = view_slice(buf_view(&chain->input), 0, CHAIN_STEP_BYTES);
    filter_data(chain->first, piece);
    buf_consume(&chain->input, piece.len);
}

static bool has_failed(const struct chain *chain) {
    for (const struct filter *filter = chain->first; filter; filter = filter->next)
        if (filter->failed) return true;
    return chain->failed;
}

static void step_end(struct chain *chain) {
    if (chain->decoder && !decoder_is_whole(chain->decoder)) chain->failed = true;
    for (struct filter *filter = chain->first; filter; filter = filter->next) filter_end(filter);
    chain->is_ended = true;
}

static void step_flush(struct chain *chain) {
    for (struct filter *filter = chain->first; filter; filter = filter->next) filter_flush(filter);
    chain->is_flushed = true;
}

enum chain_step chain_step(struct chain *chain, bool at_end) {
    if (chain->failed) return CHAIN_FAILED;
    if (chain->is_ended) return CHAIN_DONE;
    if (chain->decoder && (chain->input.len || chain->is_full))
        step_decoded(chain);
    else if (chain->input.len)
        step_data(chain);
    else if (at_end)
        step_end(chain);
    else if (!chain->is_flushed)
        step_flush(chain);
    else
        return CHAIN_IDLE;
    chain->failed = has_failed(chain);
    return chain->failed ? CHAIN_FAILED : CHAIN_MORE;
}
