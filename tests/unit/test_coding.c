/* Content codings: what a chain decodes and encodes again is the text, however it was cut; what is no such
 * stream, or not all of it, is no text; and little that becomes much is made little by little. */
#include <stdlib.h>

#include "coded_page.h"
#include "filter_conformance.h"
#include "rewrite/chain.h"
#include "rewrite/encoder.h"

enum { BOMB = 64 * 1024 * 1024 };

/* ---- what the services of these tests send ---- */

static struct view encoded(enum coding coding) {
    switch (coding) {
    case CODING_GZIP: return deflated(page(), 31);
    case CODING_DEFLATE: return deflated(page(), 15);
    case CODING_BR: return view_of(brotli_page, sizeof(brotli_page));
    default: return zstd_of(page());
    }
}

/* ---- a chain of one filter that passes all ---- */

static void pass(struct filter *filter, struct view bytes) {
    filter->out(filter->out_ctx, bytes);
}
static void pass_end(struct filter *filter) {
    (void)filter;
}

static struct coding_memory memory;

static struct chain *chain_with(enum coding coding, struct coding_memory *share) {
    static const struct filter_ops ops = {.data = pass, .end = pass_end};
    struct chain *chain = chain_new(coding == CODING_IDENTITY ? NULL : decoder_new(coding, share));
    struct filter *filter = calloc(1, sizeof(*filter));
    assert_true(chain && filter);
    filter->ops = &ops;
    chain_append(chain, filter);
    return chain;
}

static struct chain *chain_of(enum coding coding) {
    return chain_with(coding, &memory);
}

/* Steps as far as it goes; what comes out is appended, or, without `out`, counted. False: it failed. */
static bool go(struct chain *chain, bool at_end, struct buf *out, size_t *count) {
    enum chain_step step;
    do {
        step = chain_step(chain, at_end);
        if (out) assert_true(buf_append_view(out, buf_view(&chain->output)));
        if (count) *count += chain->output.len;
        buf_clear(&chain->output);
    } while (step == CHAIN_MORE);
    return step != CHAIN_FAILED;
}

static bool run(enum coding coding, struct view input, size_t first, size_t step, struct buf *out) {
    struct chain *chain = chain_of(coding);
    bool ok = true;
    buf_init(out, 1 << 20);
    for (size_t at = 0, len; ok && at < input.len; at += len) {
        len = at < first ? first - at : step;
        chain_feed(chain, view_slice(input, at, at + len));
        ok = go(chain, false, out, NULL);
    }
    ok = ok && go(chain, true, out, NULL);
    chain_free(chain);
    return ok;
}

static void gives(enum coding coding, struct view input, size_t first, size_t step, struct view expected) {
    struct buf out;
    assert_true(run(coding, input, first, step, &out));
    assert_true(view_eq(buf_view(&out), expected));
    buf_done(&out);
}

static void fails(enum coding coding, struct view input) {
    struct buf out;
    assert_false(run(coding, input, input.len, 1, &out));
    buf_done(&out);
}

/* ---- tests ---- */

static const enum coding all[] = {CODING_GZIP, CODING_DEFLATE, CODING_BR, CODING_ZSTD};

static void what_was_encoded_is_decoded_wherever_it_is_cut(void **state) {
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct view input = encoded(all[i]);
        gives(all[i], input, 0, 1, page());
        for (size_t at = 0; at <= input.len; at++) gives(all[i], input, at, input.len, page());
        gives(all[i], VIEW(""), 0, 1, VIEW(""));
    }
}

static void a_part_of_it_is_not_the_text(void **state) {
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct view input = encoded(all[i]);
        for (size_t len = 1; len < input.len; len++) fails(all[i], view_slice(input, 0, len));
    }
}

static void what_is_something_else_is_no_text(void **state) {
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        fails(all[i], VIEW("<!doctype html><p>this was never encoded</p>"));
        fails(all[i], view_of("\x1f\x8b\x08\0\0\0\0\0\0\0\xff\xff\xff\xff", 14));
    }
    fails(CODING_ZSTD, view_of("\x27\xb5\x2f\xfd\x04\0\0\0\0\0\0", 11)); /* zstd before its RFC */
    struct view input = encoded(CODING_GZIP);
    char *broken = malloc(input.len);
    memcpy(broken, input.ptr, input.len);
    broken[input.len - 6] ^= 1; /* the sum */
    fails(CODING_GZIP, view_of(broken, input.len));
    free(broken);
}

static void deflate_without_a_head_is_deflate(void **state) {
    (void)state;
    struct view input = deflated(page(), -15);
    for (size_t at = 0; at <= input.len; at++) gives(CODING_DEFLATE, input, at, input.len, page());
}

/* `more` behind a stream. */
static void appended(enum coding coding, struct view more, struct view expected) {
    struct view input = encoded(coding);
    char *bytes = malloc(input.len + more.len);
    memcpy(bytes, input.ptr, input.len);
    memcpy(bytes + input.len, more.ptr, more.len);
    for (size_t at = 0; at <= input.len + more.len; at++)
        gives(coding, view_of(bytes, input.len + more.len), at, 7, expected);
    free(bytes);
}

static void streams_may_follow_each_other_and_garbage_is_thrown_away(void **state) {
    (void)state;
    char twice[2 * LINES * (sizeof(LINE) - 1)];
    memcpy(twice, page().ptr, page().len);
    memcpy(twice + page().len, page().ptr, page().len);
    struct view again = encoded(CODING_GZIP);
    char *copy = malloc(again.len);
    memcpy(copy, again.ptr, again.len);
    appended(CODING_GZIP, view_of(copy, again.len), view_of(twice, sizeof(twice)));
    free(copy);
    for (size_t i = 0; i < 4; i++) {
        appended(all[i], view_of("\0\0\0", 3), page());
        appended(all[i], VIEW("garbage"), page());
        appended(all[i], VIEW("\x1f"), page());
        appended(all[i], VIEW("\x1f\x1f\x1f"), page());
        appended(all[i], VIEW("(("), page());
    }
}

static void it_is_encoded_again_for_the_visitor(void **state) {
    (void)state;
    static const enum coding codings[] = {CODING_GZIP, CODING_DEFLATE, CODING_ZSTD, CODING_BR};
    for (size_t i = 0; i < 4; i++) {
        struct buf out;
        struct chain *chain = chain_of(CODING_IDENTITY);
        chain_append(chain, encoder_filter_new(codings[i], &memory, NULL, NULL));
        buf_init(&out, 1 << 20);
        for (size_t at = 0; at < page().len; at += 777) {
            size_t before = out.len;
            chain_feed(chain, view_slice(page(), at, at + 777));
            assert_true(go(chain, false, &out, NULL));
            assert_true(out.len > before); /* nothing waits for more */
        }
        assert_true(go(chain, true, &out, NULL));
        chain_free(chain);
        gives(codings[i], buf_view(&out), out.len, 1, page());
        buf_done(&out);
    }
}

/* `input` becomes `length` bytes, in no more memory of the decoder's than that. */
static void explodes(enum coding coding, struct view input, size_t length, size_t most_bytes) {
    size_t count = 0, peak = 0;
    struct chain *chain = chain_of(coding);
    enum chain_step step = CHAIN_MORE;
    for (chain_feed(chain, input); step == CHAIN_MORE;) {
        step = chain_step(chain, true);
        assert_true(chain->output.len <= CHAIN_STEP_BYTES);
        count += chain->output.len;
        buf_clear(&chain->output);
        if (memory.bytes > peak) peak = memory.bytes;
    }
    assert_int_equal(step, CHAIN_DONE);
    assert_int_equal(count, length);
    print_message("%.*s: %zu bytes become %zu in %zu KiB\n", VIEW_ARG(coding_name(coding)), input.len, length,
                  peak / 1024);
    assert_true(peak <= most_bytes);
    chain_free(chain);
}

static void bombs_take_no_more_memory_than_pages(void **state) {
    (void)state;
    char *zeros = calloc(1, BOMB);
    explodes(CODING_GZIP, deflated(view_of(zeros, BOMB), 31), BOMB, 48 * 1024);
    explodes(CODING_DEFLATE, deflated(view_of(zeros, BOMB), -15), BOMB, 48 * 1024);
    explodes(CODING_ZSTD, zstd_of(view_of(zeros, BOMB)), BOMB, (size_t)9 * 1024 * 1024);
    explodes(CODING_BR, view_of(brotli_bomb, sizeof(brotli_bomb)), (size_t)256 * 1024 * 1024,
             (size_t)17 * 1024 * 1024);
    free(zeros);
}

/* Feeds a bomb of the largest window; false: it failed. */
static bool light(struct chain *chain) {
    chain_feed(chain, view_of(brotli_bomb, sizeof(brotli_bomb)));
    for (int step = 0; step < 10000 && chain_step(chain, false) != CHAIN_FAILED; step++)
        buf_clear(&chain->output);
    return !chain->failed;
}

/* A greedy tunnel has no more than its share, and what it has leaves something for others. */
static void a_tunnel_takes_no_more_than_its_share(void **state) {
    (void)state;
    struct coding_memory greedy = {0}, good = {0};
    struct chain *chains[6], *other = chain_with(CODING_BR, &good);
    size_t lit = 0;
    for (size_t i = 0; i < 6; i++) {
        chains[i] = chain_with(CODING_BR, &greedy);
        lit += light(chains[i]);
        assert_true(greedy.bytes <= CODING_MEMORY_SHARE_MAX);
    }
    assert_in_range(lit, 1, 2);
    assert_true(coding_memory_is_short(&greedy));
    assert_false(coding_memory_is_short(&good));
    assert_true(light(other));
    for (size_t i = 0; i < 6; i++) chain_free(chains[i]);
    assert_int_equal(greedy.bytes, 0);
    chain_free(other);
    assert_int_equal(coding_memory_bytes(), 0);
}

static void all_together_take_no_more_than_there_is(void **state) {
    (void)state;
    struct coding_memory shares[12] = {0};
    struct chain *chains[12];
    size_t failed = 0;
    for (size_t i = 0; i < 12; i++) {
        chains[i] = chain_with(CODING_BR, &shares[i]);
        failed += !light(chains[i]);
        assert_true(coding_memory_bytes() <= CODING_MEMORY_MAX);
    }
    assert_in_range(failed, 4, 8);
    for (size_t i = 0; i < 12; i++) chain_free(chains[i]);
    assert_int_equal(coding_memory_bytes(), 0);
}

/* zstd's memory is taken as it goes: what it gave then is not shown as whole. */
static void an_encoder_without_memory_fails(void **state) {
    (void)state;
    const size_t used = CODING_MEMORY_SHARE_MAX - (size_t)32 * 1024;
    struct coding_memory share = {.bytes = used};
    struct chain *chain = chain_of(CODING_IDENTITY);
    chain_append(chain, encoder_filter_new(CODING_ZSTD, &share, NULL, NULL));
    chain_feed(chain, page());
    assert_false(go(chain, true, NULL, NULL));
    chain_free(chain);
    assert_null(encoder_filter_new(CODING_BR, &share, NULL, NULL));
    assert_int_equal(share.bytes, used);
    assert_int_equal(coding_memory_bytes(), 0);
}

static void a_window_that_is_too_large_is_refused(void **state) {
    (void)state;
    /* a frame's head that asks for 1 GiB */
    fails(CODING_ZSTD, view_of("\x28\xb5\x2f\xfd\x00\xa0\x01\x00\x00", 9));
}

static void a_frame_is_the_same_whole_and_cut(void **state) {
    (void)state;
    /* a head that says 100 bytes, and an empty last block */
    struct view frame = view_of("\x28\xb5\x2f\xfd\x20\x64\x01\x00\x00", 9);
    for (size_t at = 0; at <= frame.len; at++) gives(CODING_ZSTD, frame, at, 9, VIEW(""));
}

static void which_coding(const char *accepted, enum coding came, enum coding expected) {
    assert_int_equal(coding_choose(view_from_cstr(accepted), came, false), expected);
}

static void the_visitor_gets_what_he_takes(void **state) {
    (void)state;
    which_coding("gzip, br", CODING_BR, CODING_BR);
    which_coding("gzip, zstd", CODING_ZSTD, CODING_ZSTD);
    which_coding("gzip, br;q=0", CODING_BR, CODING_GZIP);
    which_coding("br, deflate", CODING_ZSTD, CODING_DEFLATE);
    which_coding("br, zstd", CODING_GZIP, CODING_ZSTD);
    which_coding("gzip;q=0, deflate;q=0.00", CODING_GZIP, CODING_IDENTITY);
    which_coding(" GZip ;q=0.5", CODING_GZIP, CODING_GZIP);
    which_coding("x-gzip", CODING_GZIP, CODING_GZIP);
    which_coding("br", CODING_BR, CODING_BR);
    which_coding("br", CODING_GZIP, CODING_BR);
    which_coding("compress", CODING_GZIP, CODING_IDENTITY);
    which_coding("", CODING_GZIP, CODING_IDENTITY);
    which_coding(NULL, CODING_GZIP, CODING_IDENTITY);
    which_coding("gzip", CODING_IDENTITY, CODING_IDENTITY);
}

static void little_memory_is_not_spent_on_encoders(void **state) {
    (void)state;
    assert_int_equal(coding_choose(VIEW("gzip, br"), CODING_BR, true), CODING_GZIP);
    assert_int_equal(coding_choose(VIEW("deflate, zstd"), CODING_ZSTD, true), CODING_DEFLATE);
    assert_int_equal(coding_choose(VIEW("br"), CODING_BR, true), CODING_IDENTITY);
    assert_int_equal(coding_choose(VIEW("br, gzip"), CODING_GZIP, true), CODING_GZIP);
}

static void codings_are_read(void **state) {
    (void)state;
    enum coding coding;
    assert_true(coding_parse(VIEW(" Gzip "), &coding) && coding == CODING_GZIP);
    assert_true(coding_parse((struct view){NULL, 0}, &coding) && coding == CODING_IDENTITY);
    assert_false(coding_parse(VIEW("gzip, br"), &coding));
    assert_false(coding_parse(VIEW("compress"), &coding));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_encoded_is_decoded_wherever_it_is_cut),
        cmocka_unit_test(a_part_of_it_is_not_the_text),
        cmocka_unit_test(what_is_something_else_is_no_text),
        cmocka_unit_test(deflate_without_a_head_is_deflate),
        cmocka_unit_test(streams_may_follow_each_other_and_garbage_is_thrown_away),
        cmocka_unit_test(it_is_encoded_again_for_the_visitor),
        cmocka_unit_test(bombs_take_no_more_memory_than_pages),
        cmocka_unit_test(a_tunnel_takes_no_more_than_its_share),
        cmocka_unit_test(all_together_take_no_more_than_there_is),
        cmocka_unit_test(an_encoder_without_memory_fails),
        cmocka_unit_test(a_window_that_is_too_large_is_refused),
        cmocka_unit_test(a_frame_is_the_same_whole_and_cut),
        cmocka_unit_test(the_visitor_gets_what_he_takes),
        cmocka_unit_test(little_memory_is_not_spent_on_encoders),
        cmocka_unit_test(codings_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
