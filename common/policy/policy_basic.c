/* basic=<salt>:<hash>,...: the visitor must know one of them (RFC 7617). What is kept is HMAC-SHA256 of
 * "user:password" with a salt of its own, compared in constant time. A slow hash would be no better here: the
 * agent says it anew at each connect, it lives as long as the tunnel, and each request would stall all others
 * for milliseconds (docs/decisions/visitor-passwords.md). */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/base64.h"
#include "http/chars.h"
#include "policy/policy_rules.h"

#define SALT_BYTES 8
#define HASH_BYTES 32
#define ITEM_LEN (2 * SALT_BYTES + 1 + 2 * HASH_BYTES)
#define CREDENTIALS_MAX 512

static bool read_hex(struct view text, unsigned char *out) {
    for (size_t i = 0; i < text.len; i++) {
        bool is_upper = text.ptr[i] >= 'A' && text.ptr[i] <= 'F';
        int value = is_upper ? -1 : http_hex_value(text.ptr[i]);
        if (value < 0) return false;
        out[i / 2] = (unsigned char)(i % 2 ? out[i / 2] << 4 | value : value);
    }
    return true;
}

static bool read_item(struct view item, unsigned char salt[SALT_BYTES], unsigned char hash[HASH_BYTES]) {
    return item.len == ITEM_LEN && item.ptr[2 * SALT_BYTES] == ':' &&
           read_hex(view_slice(item, 0, 2 * SALT_BYTES), salt) &&
           read_hex(view_skip(item, 2 * SALT_BYTES + 1), hash);
}

static bool hash_of(struct view credentials, const unsigned char salt[SALT_BYTES],
                    unsigned char out[HASH_BYTES]) {
    unsigned len = 0;
    return HMAC(EVP_sha256(), salt, SALT_BYTES, (const unsigned char *)credentials.ptr, credentials.len, out,
                &len) &&
           len == HASH_BYTES;
}

static void append_hex(struct buf *out, const unsigned char *bytes, size_t len) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        buf_append(out, &digits[bytes[i] >> 4], 1);
        buf_append(out, &digits[bytes[i] & 15], 1);
    }
}

bool policy_basic_append(struct buf *out, struct view credentials, const unsigned char salt[8]) {
    unsigned char hash[HASH_BYTES];
    if (!hash_of(credentials, salt, hash)) return false;
    append_hex(out, salt, SALT_BYTES);
    buf_append(out, ":", 1);
    append_hex(out, hash, HASH_BYTES);
    return !out->failed;
}

bool policy_basic_valid(struct view value) {
    unsigned char salt[SALT_BYTES], hash[HASH_BYTES];
    struct view rest = value, item;
    while (view_split(&rest, ',', &item))
        if (!read_item(view_trim(item), salt, hash)) return false;
    return value.len > 0;
}

/* False: there are none. */
static bool read_credentials(struct view field, char out[CREDENTIALS_MAX], struct view *ret_credentials) {
    struct view scheme = VIEW("Basic "), text = view_trim(view_skip(field, scheme.len));
    size_t len;
    if (!view_eq_nocase(view_slice(field, 0, scheme.len), scheme)) return false;
    if (base64_decoded_max(text.len) > CREDENTIALS_MAX || !base64_decode(text, out, &len)) return false;
    *ret_credentials = view_of(out, len);
    return view_find(*ret_credentials, ':') < len;
}

/* Of all items, also when one has matched: the time says nothing about which. */
enum policy_verdict policy_basic_check(struct view value, const struct policy_request *request,
                                       struct policy_outcome *outcome) {
    char bytes[CREDENTIALS_MAX];
    struct view credentials, rest = value, item;
    bool matches = false;
    (void)outcome;
    if (!read_credentials(request->authorization, bytes, &credentials)) return POLICY_ASKS_LOGIN;
    while (view_split(&rest, ',', &item)) {
        unsigned char salt[SALT_BYTES], wanted[HASH_BYTES], hash[HASH_BYTES];
        bool is_whole = read_item(view_trim(item), salt, wanted) && hash_of(credentials, salt, hash);
        if (is_whole && CRYPTO_memcmp(hash, wanted, HASH_BYTES) == 0) matches = true;
    }
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return matches ? POLICY_LETS_IN : POLICY_ASKS_LOGIN;
}
