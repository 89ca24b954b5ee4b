/* libFuzzer target: content codings. Whatever comes, wherever it is cut, it decodes to the same or to
 * nothing, a step makes no more than it may, and what is encoded again decodes to the same. The first byte of
 * the input chooses the coding, the second where it is cut. */
#include "base/buf.h"
#include "fuzz.h"
#include "rewrite/chain.h"
#include "rewrite/encoder.h"

#define OUTPUT_MAX ((size_t)1024 * 1024)

static void pass(struct filter *filter, struct view bytes) {
    filter->out(filter->out_ctx, bytes);
}

static void pass_end(struct filter *filter) {
    (void)filter;
}

static struct coding_memory memory;

static struct chain *chain_of(enum coding from, enum coding to) {
    static const struct filter_ops ops = {.data = pass, .end = pass_end};
    struct chain *chain = chain_new(from == CODING_IDENTITY ? NULL : decoder_new(from, &memory));
    struct filter *filter = calloc(1, sizeof(*filter));
    require(chain && filter);
    filter->ops = &ops;
    chain_append(chain, filter);
    if (to != CODING_IDENTITY) chain_append(chain, encoder_filter_new(to, &memory, NULL, NULL));
    return chain;
}

/* False: it failed, or becomes too long for this. */
static bool go(struct chain *chain, bool at_end, struct buf *out) {
    enum chain_step step;
    do {
        step = chain_step(chain, at_end);
        require(chain->output.len <= 2 * CHAIN_STEP_BYTES);
        if (out->len + chain->output.len > OUTPUT_MAX) return false;
        buf_append_view(out, buf_view(&chain->output));
        buf_clear(&chain->output);
    } while (step == CHAIN_MORE);
    return step != CHAIN_FAILED;
}

static bool run(enum coding from, enum coding to, struct view input, size_t cut, size_t step,
                struct buf *out) {
    struct chain *chain = chain_of(from, to);
    bool ok = true;
    buf_init(out, OUTPUT_MAX);
    for (size_t at = 0, len = cut; ok && at < input.len; at += len, len = step) {
        char *copy = exact_copy(view_slice(input, at, at + len));
        chain_feed(chain, view_of(copy, view_slice(input, at, at + len).len));
        free(copy);
        ok = go(chain, false, out);
    }
    ok = ok && go(chain, true, out);
    chain_free(chain);
    return ok;
}

/* `may_fail`: libzstd sees some faults of a frame only where it has all of it at once, or only where it has
 * not. */
static void same(enum coding from, struct view input, size_t cut, size_t step, bool ok, bool may_fail,
                 const struct buf *expected) {
    struct buf out;
    bool is_ok = run(from, CODING_IDENTITY, input, cut, step, &out);
    require(is_ok == ok || may_fail);
    if (ok && is_ok) require(view_eq(buf_view(&out), buf_view(expected)));
    buf_done(&out);
}

static void comes_back(enum coding to, const struct buf *plain, size_t cut) {
    struct buf encoded;
    if (run(CODING_IDENTITY, to, buf_view(plain), cut, 1 + cut, &encoded))
        same(to, buf_view(&encoded), encoded.len, 1, true, false, plain);
    buf_done(&encoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct buf whole;
    if (size < 2) return 0;
    enum coding from = CODING_GZIP + data[0] % 4;
    struct view input = view_of(data + 2, size - 2);
    size_t cut = data[1] * input.len / 256;
    bool ok = run(from, CODING_IDENTITY, input, input.len, 1, &whole);
    bool may_fail = from == CODING_ZSTD;
    same(from, input, cut, input.len, ok, may_fail, &whole);
    same(from, input, 1, 1, ok, may_fail, &whole);
    if (ok) comes_back(CODING_GZIP + data[1] % 4, &whole, cut);
    buf_done(&whole);
    require(memory.bytes == 0 && coding_memory_bytes() == 0);
    return 0;
}
