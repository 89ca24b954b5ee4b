/* Resume tokens: what is signed comes back, everything else is refused. */
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth/resume.h"
#include "base/base64.h"
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

/* As resume.c's head has it, with any payload. */
static void sign_any(struct buf *out, struct view payload) {
    unsigned char mac[32];
    unsigned len = 0;
    char *text = malloc(base64_encoded_len(payload.len) + 1), signature[64];
    assert_non_null(text);
    struct view signed_text = view_of(text, base64url_encode(payload, text));
    HMAC(EVP_sha256(), key, SECRET_LEN, (const unsigned char *)signed_text.ptr, signed_text.len, mac, &len);
    buf_init(out, 8192);
    buf_append_view(out, signed_text);
    buf_append_byte(out, '.');
    buf_append_view(out, view_of(signature, base64url_encode(view_of(mac, 32), signature)));
    free(text);
}

static void what_is_signed_and_no_token_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *payload;
        bool good;
    } rows[] = {
        {"1\nabc\nowner\n7\n2000", true},
        {"2\nabc\nowner\n7\n2000", false},
        {"1\nabc\nowner\n7", false},
        {"1\nabc\nowner\n7\n2000\n", false},
        {"1\nabc\nowner\nx\n2000", false},
        {"1\nabc\nowner\n7\nx", false},
        {"", false},
    };
    char storage[RESUME_TOKEN_MAX];
    struct resume resume;
    struct buf token;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sign_any(&token, view_from_cstr(rows[i].payload));
        assert_int_equal(resume_decode(buf_view(&token), key, 1, storage, &resume), rows[i].good);
        buf_done(&token);
    }
    char large[2 * RESUME_TOKEN_MAX];
    int len = snprintf(large, sizeof(large), "1\nabc\n%01500d\n7\n2000", 0);
    sign_any(&token, view_of(large, (size_t)len));
    assert_false(resume_decode(buf_view(&token), key, 1, storage, &resume));
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
        cmocka_unit_test(what_is_signed_comes_back),
        cmocka_unit_test(an_expired_token_is_refused),
        cmocka_unit_test(another_key_is_refused),
        cmocka_unit_test(each_changed_byte_is_refused),
        cmocka_unit_test(labels_make_different_keys),
        cmocka_unit_test(what_is_signed_and_no_token_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
