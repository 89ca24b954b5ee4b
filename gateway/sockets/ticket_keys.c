/* See ticket_keys.h. */
#include "sockets/ticket_keys.h"

#include <inttypes.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

#define PERIOD_S ((uint64_t)12 * 60 * 60)

void ticket_keys_init(struct ticket_keys *keys, uint64_t (*wall_ms)(void *ctx)) {
    *keys = (struct ticket_keys){.wall_ms = wall_ms};
}

void ticket_keys_set(struct ticket_keys *keys, const unsigned char secret[SECRET_LEN]) {
    memcpy(keys->secret, secret, SECRET_LEN);
    keys->is_set = true;
    keys->now.period = keys->before.period = 0;
}

static bool derive(const struct ticket_keys *keys, const char *what, uint64_t period,
                   unsigned char out[SECRET_LEN]) {
    char label[64];
    int len = snprintf(label, sizeof(label), "%s %" PRIu64, what, period);
    return secret_derive(view_of(keys->secret, SECRET_LEN), view_of(label, (size_t)len), out);
}

static bool make(const struct ticket_keys *keys, uint64_t period, struct ticket_key *key) {
    unsigned char name[SECRET_LEN];
    if (key->period == period) return true;
    key->period = 0;
    if (!derive(keys, "name", period, name) || !derive(keys, "cipher", period, key->cipher) ||
        !derive(keys, "mac", period, key->mac))
        return false;
    memcpy(key->name, name, TICKET_NAME_LEN);
    key->period = period;
    return true;
}

static bool refresh(struct ticket_keys *keys) {
    uint64_t period = keys->wall_ms(NULL) / 1000 / PERIOD_S;
    return keys->is_set && make(keys, period, &keys->now) && make(keys, period - 1, &keys->before);
}

static const struct ticket_key *by_name(const struct ticket_keys *keys, const unsigned char *name) {
    if (memcmp(name, keys->now.name, TICKET_NAME_LEN) == 0) return &keys->now;
    return memcmp(name, keys->before.name, TICKET_NAME_LEN) == 0 ? &keys->before : NULL;
}

static bool begin(const struct ticket_key *key, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
                  bool seals) {
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)key->mac, SECRET_LEN),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t) "SHA256", 0),
        OSSL_PARAM_construct_end()};
    return EVP_MAC_CTX_set_params(mac, params) == 1 &&
           EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv, seals) == 1;
}

/* -1: failure; 0: no ticket, or one that is not ours; 1: here is one; 2: fine, and a fresh one is wanted, for
 * clients use each once (RFC 8446 C.4). */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int seals) {
    struct ticket_keys *keys = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    if (!refresh(keys) || SSL_version(ssl) < TLS1_3_VERSION) return 0;
    if (!seals) {
        const struct ticket_key *key = by_name(keys, name);
        if (!key) return 0;
        return begin(key, iv, cipher, mac, false) ? 2 : -1;
    }
    memcpy(name, keys->now.name, TICKET_NAME_LEN);
    bool sealed = RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) == 1 &&
                  begin(&keys->now, iv, cipher, mac, true);
    return sealed ? 1 : -1;
}

void ticket_keys_use(struct ticket_keys *keys, SSL_CTX *context) {
    SSL_CTX_set_app_data(context, keys);
    SSL_CTX_set_timeout(context, (long)PERIOD_S);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket);
}
