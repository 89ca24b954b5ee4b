/* See acme_key.h. */
#include "acme/acme_key.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#include "base/base64.h"

#define NUMBER_LEN 32

EVP_PKEY *acme_key_new(void) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    ERR_clear_error();
    return key;
}

/* Instead of asking on the terminal. */
static int no_password(char *to, int size, int writes, void *ctx) {
    (void)to, (void)size, (void)writes, (void)ctx;
    return -1;
}

static bool is_p256(const EVP_PKEY *key) {
    char group[32];
    size_t len;
    return EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, group, sizeof(group), &len) == 1 &&
           strcmp(group, "prime256v1") == 0;
}

EVP_PKEY *acme_key_parse(struct view pem) {
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
    BIO_free(bio);
    if (key && !is_p256(key)) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    ERR_clear_error();
    return key;
}

bool acme_key_print(EVP_PKEY *key, struct buf *pem) {
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    bool ok = bio && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1;
    if (ok) {
        long len = BIO_get_mem_data(bio, &text);
        ok = len > 0 && buf_append(pem, text, (size_t)len);
        OPENSSL_cleanse(text, (size_t)len);
    }
    BIO_free(bio);
    ERR_clear_error();
    return ok;
}

/* With a NUL behind it: `out` has room for base64_encoded_len(in.len) + 1 bytes. */
static void print_base64url(struct view in, char *out) {
    out[base64url_encode(in, out)] = '\0';
}

static bool coordinate(const EVP_PKEY *key, const char *name, char out[ACME_THUMBPRINT_LEN + 2]) {
    unsigned char bytes[NUMBER_LEN];
    BIGNUM *number = NULL;
    bool ok = EVP_PKEY_get_bn_param(key, name, &number) == 1 &&
              BN_bn2binpad(number, bytes, sizeof(bytes)) == (int)sizeof(bytes);
    BN_free(number);
    if (ok) print_base64url(view_of(bytes, sizeof(bytes)), out);
    return ok;
}

bool acme_key_jwk(const EVP_PKEY *key, struct buf *json) {
    char x[ACME_THUMBPRINT_LEN + 2], y[ACME_THUMBPRINT_LEN + 2];
    return coordinate(key, OSSL_PKEY_PARAM_EC_PUB_X, x) && coordinate(key, OSSL_PKEY_PARAM_EC_PUB_Y, y) &&
           buf_printf(json, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}", x, y);
}

bool acme_digest(struct view text, char out[ACME_THUMBPRINT_LEN + 1]) {
    unsigned char digest[NUMBER_LEN];
    char room[ACME_THUMBPRINT_LEN + 2]; /* padding has its place there, though none is written */
    bool ok = EVP_Q_digest(NULL, "SHA256", NULL, text.ptr, text.len, digest, NULL) == 1;
    if (!ok) return false;
    print_base64url(view_of(digest, sizeof(digest)), room);
    memcpy(out, room, ACME_THUMBPRINT_LEN + 1);
    return true;
}

bool acme_key_thumbprint(const EVP_PKEY *key, char out[ACME_THUMBPRINT_LEN + 1]) {
    struct buf json;
    buf_init(&json, 512);
    bool ok = acme_key_jwk(key, &json) && acme_digest(buf_view(&json), out);
    buf_done(&json);
    return ok;
}

/* OpenSSL's signature is DER; a JWS has the two numbers alone. */
static bool unpack(const unsigned char *der, size_t len, unsigned char out[ACME_SIGNATURE_LEN]) {
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &der, (long)len);
    bool ok = signature && BN_bn2binpad(ECDSA_SIG_get0_r(signature), out, NUMBER_LEN) == NUMBER_LEN &&
              BN_bn2binpad(ECDSA_SIG_get0_s(signature), out + NUMBER_LEN, NUMBER_LEN) == NUMBER_LEN;
    ECDSA_SIG_free(signature);
    return ok;
}

bool acme_key_sign(EVP_PKEY *key, struct view text, unsigned char out[ACME_SIGNATURE_LEN]) {
    unsigned char der[128];
    size_t len = sizeof(der);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestSign(context, der, &len, (const unsigned char *)text.ptr, text.len) == 1 &&
              unpack(der, len, out);
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return ok;
}
