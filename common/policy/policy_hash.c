/* See policy_hash.h. */
#include "policy/policy_hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/hex.h"

#define ITEM_LEN (2 * POLICY_SALT_BYTES + 1 + 2 * POLICY_HASH_BYTES)

/* As they are printed here: in lower case. */
static bool read_hex(struct view text, unsigned char *out) {
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] >= 'A' && text.ptr[i] <= 'F') return false;
    return hex_read(text, out, text.len / 2);
}

static bool read_item(struct view item, unsigned char salt[POLICY_SALT_BYTES],
                      unsigned char hash[POLICY_HASH_BYTES]) {
    return item.len == ITEM_LEN && item.ptr[2 * POLICY_SALT_BYTES] == ':' &&
           read_hex(view_slice(item, 0, 2 * POLICY_SALT_BYTES), salt) &&
           read_hex(view_skip(item, 2 * POLICY_SALT_BYTES + 1), hash);
}

static bool hash_of(struct view secret, const unsigned char salt[POLICY_SALT_BYTES],
                    unsigned char out[POLICY_HASH_BYTES]) {
    unsigned len = 0;
    return HMAC(EVP_sha256(), salt, POLICY_SALT_BYTES, (const unsigned char *)secret.ptr, secret.len, out,
                &len) &&
           len == POLICY_HASH_BYTES;
}

static void append_hex(struct buf *out, const unsigned char *bytes, size_t len) {
    char *room = buf_reserve(out, 2 * len);
    if (!room) return;
    hex_print(room, bytes, len);
    buf_commit(out, 2 * len);
}

bool policy_hash_append(struct buf *out, struct view secret, const unsigned char salt[POLICY_SALT_BYTES]) {
    unsigned char hash[POLICY_HASH_BYTES];
    if (!hash_of(secret, salt, hash)) return false;
    append_hex(out, salt, POLICY_SALT_BYTES);
    buf_append(out, ":", 1);
    append_hex(out, hash, POLICY_HASH_BYTES);
    return !out->failed;
}

bool policy_hash_valid(struct view item) {
    unsigned char salt[POLICY_SALT_BYTES], hash[POLICY_HASH_BYTES];
    return read_item(item, salt, hash);
}

bool policy_hash_matches(struct view item, struct view secret) {
    unsigned char salt[POLICY_SALT_BYTES], wanted[POLICY_HASH_BYTES], hash[POLICY_HASH_BYTES];
    return read_item(item, salt, wanted) && hash_of(secret, salt, hash) &&
           CRYPTO_memcmp(hash, wanted, POLICY_HASH_BYTES) == 0;
}

bool policy_hash_key(struct view item, struct view purpose, unsigned char out[POLICY_HASH_BYTES]) {
    unsigned char salt[POLICY_SALT_BYTES], hash[POLICY_HASH_BYTES];
    unsigned len = 0;
    return read_item(item, salt, hash) &&
           HMAC(EVP_sha256(), hash, POLICY_HASH_BYTES, (const unsigned char *)purpose.ptr, purpose.len, out,
                &len) &&
           len == POLICY_HASH_BYTES;
}
