/* See jws_holds.h. */
#include "auth/jws_holds.h"

#include <jwt.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/base64.h"

#define SIGNATURE_MAX 1024 /* of RSA with 8192 bits */

static const struct {
    jwt_alg_t libjwt;   /* JWT_ALG_NONE: OpenSSL's */
    const char *digest; /* NULL: the key has its own */
} algs[JWS_ALGS] = {
    [JWS_HS256] = {JWT_ALG_HS256, NULL},    [JWS_HS384] = {JWT_ALG_HS384, NULL},
    [JWS_HS512] = {JWT_ALG_HS512, NULL},    [JWS_RS256] = {JWT_ALG_RS256, NULL},
    [JWS_RS384] = {JWT_ALG_RS384, NULL},    [JWS_RS512] = {JWT_ALG_RS512, NULL},
    [JWS_ES256] = {JWT_ALG_ES256, NULL},    [JWS_ES384] = {JWT_ALG_ES384, NULL},
    [JWS_ES512] = {JWT_ALG_ES512, NULL},    [JWS_PS256] = {JWT_ALG_NONE, "SHA256"},
    [JWS_PS384] = {JWT_ALG_NONE, "SHA384"}, [JWS_PS512] = {JWT_ALG_NONE, "SHA512"},
    [JWS_EDDSA] = {JWT_ALG_NONE, NULL},
};

static bool holds_by_libjwt(jwt_alg_t alg, struct view key, struct view text) {
    char copy[JWS_TEXT_MAX + 1];
    jwt_t *jwt = NULL;
    bool is = view_copy_to(text, copy, sizeof(copy)) && key.len <= INT32_MAX &&
              jwt_decode(&jwt, copy, (const unsigned char *)key.ptr, (int)key.len) == 0 &&
              jwt_get_alg(jwt) == alg;
    jwt_free(jwt);
    return is;
}

static EVP_PKEY *read_key(struct view pem) {
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    EVP_PKEY *key = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    return key;
}

/* RFC 7518 3.5: the salt is as long as the hash, and the mask is made with that hash. */
static bool set_padding(EVP_PKEY_CTX *context) {
    return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
}

static bool verify(const char *digest, EVP_PKEY *key, struct view signed_text, struct view signature) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *details = NULL;
    bool holds = context && key &&
                 EVP_DigestVerifyInit_ex(context, &details, digest, NULL, NULL, key, NULL) == 1 &&
                 (!digest || set_padding(details)) &&
                 EVP_DigestVerify(context, (const unsigned char *)signature.ptr, signature.len,
                                  (const unsigned char *)signed_text.ptr, signed_text.len) == 1;
    EVP_MD_CTX_free(context);
    return holds;
}

static bool holds_by_openssl(const char *digest, struct view pem, struct view text) {
    char signature[SIGNATURE_MAX + 3];
    struct view rest = text, part = {0};
    size_t len;
    while (view_split(&rest, '.', &part)) continue;
    if (part.len > base64_encoded_len(SIGNATURE_MAX) || !base64url_decode(part, signature, &len))
        return false;
    EVP_PKEY *key = read_key(pem);
    bool holds = verify(digest, key, view_slice(text, 0, text.len - part.len - 1), view_of(signature, len));
    EVP_PKEY_free(key);
    return holds;
}

bool jws_holds(enum jws_alg alg, struct view key, struct view text) {
    bool holds = algs[alg].libjwt != JWT_ALG_NONE ? holds_by_libjwt(algs[alg].libjwt, key, text)
                                                  : holds_by_openssl(algs[alg].digest, key, text);
    ERR_clear_error(); /* what stays in the queue would be taken for an error of the next TLS call */
    return holds;
}
