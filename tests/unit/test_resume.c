/* Resume tokens: what is signed comes back, everything else is refused. */
#include <stdio.h>
#include <stdlib.h>

#include "auth/resume.h"
#include "cmocka_setup.h"

static const unsigned char key[SECRET_LEN] = "0123456789abcdef0123456789abcde";

static void encode(struct buf *out, uint64_t expires_ms) {
    struct resume resume = {VIEW("abcdefghijkl"), VIEW("anon:00ff"), 7, expires_ms};
    buf_init(out, RESUME_TOKEN_MAX);
    assert_true(resume_encode(out, &resume, key));
}

static void what_is_signed_comes_back(void **state) {
    (void)state;
    struct buf token;
    encode(&token, 2000);
    char storage[RESUME_TOKEN_MAX];
    struct resume resume;
    assert_true(resume_decode(buf_view(&token), key, 1999, storage, &resume));
    assert_true(view_eq(resume.tunnel_id, VIEW("abcdefghijkl")));
    assert_true(view_eq(resume.owner, VIEW("anon:00ff")));
    assert_int_equal(resume.epoch, 7);
    assert_int_equal(resume.expires_ms, 2000);
    buf_done(&token);
}

static void an_expired_token_is_refused(void **state) {
    (void)state;
    struct buf token;
    encode(&token, 2000);
    char storage[RESUME_TOKEN_MAX];
    struct resume resume;
    assert_false(resume_decode(buf_view(&token), key, 2000, storage, &resume));
    buf_done(&token);
}

static void another_key_is_refused(void **state) {
    (void)state;
    struct buf token;
    encode(&token, 2000);
    unsigned char other[SECRET_LEN] = {1};
    char storage[RESUME_TOKEN_MAX];
    struct resume resume;
    assert_false(resume_decode(buf_view(&token), other, 1, storage, &resume));
    buf_done(&token);
}

static void each_changed_byte_is_refused(void **state) {
    (void)state;
    struct buf token;
    encode(&token, 2000);
    char storage[RESUME_TOKEN_MAX];
    struct resume resume;
    for (size_t i = 0; i < token.len; i++) {
        char *byte = token.ptr + token.start + i, kept = *byte;
        *byte = kept == 'A' ? 'B' : 'A';
        assert_false(resume_decode(buf_view(&token), key, 1, storage, &resume));
        *byte = kept;
    }
    for (size_t len = 0; len < token.len; len++)
        assert_false(resume_decode(view_slice(buf_view(&token), 0, len), key, 1, storage, &resume));
    buf_done(&token);
}

static void labels_make_different_keys(void **state) {
    (void)state;
    unsigned char a[SECRET_LEN], b[SECRET_LEN], again[SECRET_LEN];
    assert_true(secret_derive(VIEW("a secret of some length"), VIEW("resume"), a));
    assert_true(secret_derive(VIEW("a secret of some length"), VIEW("peer"), b));
    assert_true(secret_derive(VIEW("a secret of some length"), VIEW("resume"), again));
    assert_memory_not_equal(a, b, SECRET_LEN);
    assert_memory_equal(a, again, SECRET_LEN);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_signed_comes_back),  cmocka_unit_test(an_expired_token_is_refused),
        cmocka_unit_test(another_key_is_refused),     cmocka_unit_test(each_changed_byte_is_refused),
        cmocka_unit_test(labels_make_different_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
