/* HKDF through OpenSSL, see secret.h. */
#include "auth/secret.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

bool secret_derive(struct view secret, struct view label, unsigned char out[SECRET_LEN]) {
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *context = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)secret.ptr, secret.len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)label.ptr, label.len),
        OSSL_PARAM_construct_end(),
    };
    bool ok = context && EVP_KDF_derive(context, out, SECRET_LEN, params) == 1;
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    return ok;
}

bool secret_is(struct view given, struct view label, const unsigned char derived[SECRET_LEN]) {
    unsigned char key[SECRET_LEN];
    bool is = secret_derive(given, label, key) && CRYPTO_memcmp(key, derived, SECRET_LEN) == 0;
    OPENSSL_cleanse(key, sizeof(key));
    return is;
}
