/* proof = "1." time "." nonce "." base64url(HMAC(key, "ask\n" time "\n" nonce "\n" from "\n" to));
 * reply = base64url(HMAC(key, "answer\n" time "\n" nonce "\n" from "\n" to)). */
#include "auth/peer.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/base64.h"

enum { MAC_LEN = 32, SIGNED_MAX = 1024 };

static bool sign(struct view verb, const struct peer_greeting *greeting, const unsigned char key[SECRET_LEN],
                 char out[PEER_REPLY_LEN + 1]) {
    struct buf text;
    unsigned char mac[MAC_LEN];
    char encoded[PEER_REPLY_LEN + 3];
    unsigned len = 0;
    buf_init(&text, SIGNED_MAX);
    bool ok = buf_printf(&text, "%.*s\n%" PRIu64 "\n%.*s\n%.*s\n%.*s", VIEW_ARG(verb), greeting->time_ms,
                         VIEW_ARG(greeting->nonce), VIEW_ARG(greeting->from), VIEW_ARG(greeting->to)) &&
              HMAC(EVP_sha256(), key, SECRET_LEN, (const unsigned char *)buf_view(&text).ptr, text.len, mac,
                   &len) &&
              len == MAC_LEN && base64url_encode(view_of(mac, MAC_LEN), encoded) == PEER_REPLY_LEN;
    if (ok) {
        memcpy(out, encoded, PEER_REPLY_LEN);
        out[PEER_REPLY_LEN] = '\0';
    }
    buf_done(&text);
    return ok;
}

static bool same(struct view given, const char expected[PEER_REPLY_LEN + 1]) {
    return given.len == PEER_REPLY_LEN && CRYPTO_memcmp(given.ptr, expected, PEER_REPLY_LEN) == 0;
}

bool peer_proof_encode(struct buf *out, const struct peer_greeting *greeting,
                       const unsigned char key[SECRET_LEN]) {
    char mac[PEER_REPLY_LEN + 1];
    return sign(VIEW("ask"), greeting, key, mac) &&
           buf_printf(out, "1.%" PRIu64 ".%.*s.%s", greeting->time_ms, VIEW_ARG(greeting->nonce), mac);
}

static bool is_nonce(struct view nonce) {
    if (nonce.len != PEER_NONCE_LEN) return false;
    for (size_t i = 0; i < nonce.len; i++)
        if (!strchr("0123456789abcdef", nonce.ptr[i]) || !nonce.ptr[i]) return false;
    return true;
}

enum peer_verdict peer_proof_check(struct view proof, const unsigned char key[SECRET_LEN], uint64_t now_ms,
                                   struct peer_greeting *greeting) {
    struct view version, time;
    char expected[PEER_REPLY_LEN + 1];
    if (proof.len > PEER_PROOF_MAX || !view_split(&proof, '.', &version) || !view_eq(version, VIEW("1")) ||
        !view_split(&proof, '.', &time) || !view_parse_u64(time, &greeting->time_ms) ||
        !view_split(&proof, '.', &greeting->nonce) || !is_nonce(greeting->nonce) || !proof.ptr)
        return PEER_MALFORMED;
    if (!sign(VIEW("ask"), greeting, key, expected) || !same(proof, expected)) return PEER_FOREIGN;
    uint64_t apart = now_ms > greeting->time_ms ? now_ms - greeting->time_ms : greeting->time_ms - now_ms;
    return apart <= PEER_WINDOW_MS ? PEER_PROVED : PEER_LATE;
}

bool peer_reply_encode(char out[PEER_REPLY_LEN + 1], const struct peer_greeting *greeting,
                       const unsigned char key[SECRET_LEN]) {
    return sign(VIEW("answer"), greeting, key, out);
}

bool peer_reply_check(struct view reply, const struct peer_greeting *greeting,
                      const unsigned char key[SECRET_LEN]) {
    char expected[PEER_REPLY_LEN + 1];
    return sign(VIEW("answer"), greeting, key, expected) && same(reply, expected);
}
