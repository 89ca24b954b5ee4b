/* Signatures that OpenSSL checks itself (RSA-PSS, Ed25519): by keys made here, and what is nearly one. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>

#include "auth/jws_holds.h"
#include "base/base64.h"
#include "base/buf.h"
#include "cmocka_setup.h"

#define SIGNED "eyJhbGciOiJub25lIn0.e30" /* no matter what it says */

static EVP_PKEY *rsa, *edwards;
static char rsa_pem[2000], edwards_pem[500];

static void write_pem(EVP_PKEY *key, char *out, size_t size) {
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
    int len = BIO_read(bio, out, (int)size - 1);
    assert_true(len > 0);
    out[len] = '\0';
    BIO_free(bio);
}

static int make_keys(void **state) {
    (void)state;
    rsa = EVP_RSA_gen(2048);
    edwards = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    assert_true(rsa && edwards);
    write_pem(rsa, rsa_pem, sizeof(rsa_pem));
    write_pem(edwards, edwards_pem, sizeof(edwards_pem));
    return 0;
}

static int free_keys(void **state) {
    (void)state;
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(edwards);
    return 0;
}

/* "<text>.<signature>"; `digest` NULL: the key has its own; `padding` 0: likewise. */
static void sign(EVP_PKEY *key, const char *digest, int padding, int salt_len, struct buf *out) {
    unsigned char signature[512];
    char text[800];
    size_t len = sizeof(signature);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *details = NULL;
    assert_int_equal(EVP_DigestSignInit_ex(context, &details, digest, NULL, NULL, key, NULL), 1);
    if (padding) assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(details, padding), 1);
    if (padding == RSA_PKCS1_PSS_PADDING)
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(details, salt_len), 1);
    assert_int_equal(EVP_DigestSign(context, signature, &len, (const unsigned char *)SIGNED, strlen(SIGNED)),
                     1);
    EVP_MD_CTX_free(context);
    size_t text_len = base64url_encode(view_of(signature, len), text);
    buf_clear(out);
    assert_true(buf_append_view(out, VIEW(SIGNED ".")) && buf_append(out, text, text_len));
}

static bool holds(enum jws_alg alg, const char *pem, const struct buf *text) {
    return jws_holds(alg, view_from_cstr(pem), buf_view(text));
}

static void test_pss(void **state) {
    (void)state;
    static const struct {
        enum jws_alg alg;
        const char *digest;
    } rows[] = {{JWS_PS256, "SHA256"}, {JWS_PS384, "SHA384"}, {JWS_PS512, "SHA512"}};
    struct buf text;
    buf_init(&text, 4096);
    for (size_t i = 0; i < 3; i++) {
        sign(rsa, rows[i].digest, RSA_PKCS1_PSS_PADDING, RSA_PSS_SALTLEN_DIGEST, &text);
        for (size_t k = 0; k < 3; k++) assert_int_equal(holds(rows[k].alg, rsa_pem, &text), k == i);
        assert_false(holds(rows[i].alg, edwards_pem, &text));
        assert_false(holds(rows[i].alg, "", &text));
        text.ptr[0] ^= 1;
        assert_false(holds(rows[i].alg, rsa_pem, &text));
        sign(rsa, rows[i].digest, RSA_PKCS1_PSS_PADDING, 8, &text); /* a shorter salt */
        assert_false(holds(rows[i].alg, rsa_pem, &text));
        sign(rsa, rows[i].digest, RSA_PKCS1_PADDING, 0, &text); /* an older padding */
        assert_false(holds(rows[i].alg, rsa_pem, &text));
    }
    buf_done(&text);
}

static void test_eddsa(void **state) {
    (void)state;
    struct buf text;
    buf_init(&text, 4096);
    sign(edwards, NULL, 0, 0, &text);
    assert_true(holds(JWS_EDDSA, edwards_pem, &text));
    assert_false(holds(JWS_PS256, edwards_pem, &text));
    text.ptr[text.len - 10] ^= 1;
    assert_false(holds(JWS_EDDSA, edwards_pem, &text));
    buf_done(&text);
}

/* As long as RSA with 8192 bits makes them, and longer. */
static void test_what_is_no_signature(void **state) {
    (void)state;
    static const size_t lengths[] = {0, 1, 1365, 1366, 1367, 3000};
    struct buf text;
    buf_init(&text, 4096);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        buf_clear(&text);
        assert_true(buf_append_view(&text, VIEW(SIGNED ".")));
        for (size_t k = 0; k < lengths[i]; k++) assert_true(buf_append(&text, "A", 1));
        assert_false(holds(JWS_PS256, rsa_pem, &text));
        assert_false(holds(JWS_EDDSA, edwards_pem, &text));
    }
    buf_clear(&text);
    assert_true(buf_append_view(&text, VIEW(SIGNED ".no base64!")));
    assert_false(holds(JWS_PS256, rsa_pem, &text));
    buf_done(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pss), cmocka_unit_test(test_eddsa),
                                       cmocka_unit_test(test_what_is_no_signature)};
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
