/* token = base64url(payload) "." base64url(HMAC-SHA256(key, base64url(payload)));
 * payload = "1\n" tunnel "\n" owner "\n" epoch "\n" expires. */
#include "auth/resume.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/base64.h"

enum { MAC_LEN = 32 };

static bool sign(struct view text, const unsigned char key[SECRET_LEN], unsigned char out[MAC_LEN]) {
    unsigned len = 0;
    return HMAC(EVP_sha256(), key, SECRET_LEN, (const unsigned char *)text.ptr, text.len, out, &len) &&
           len == MAC_LEN;
}

bool resume_encode(struct buf *out, const struct resume *resume, const unsigned char key[SECRET_LEN]) {
    struct buf payload;
    buf_init(&payload, RESUME_TOKEN_MAX / 2);
    bool ok = buf_printf(&payload, "1\n%.*s\n%.*s\n%" PRIu64 "\n%" PRIu64, VIEW_ARG(resume->tunnel_id),
                         VIEW_ARG(resume->owner), resume->epoch, resume->expires_ms);
    size_t before = out->len;
    unsigned char mac[MAC_LEN];
    ok = ok && base64url_append(out, buf_view(&payload)) &&
         sign(view_skip(buf_view(out), before), key, mac) && buf_append_byte(out, '.') &&
         base64url_append(out, view_of(mac, MAC_LEN));
    buf_done(&payload);
    return ok;
}

static bool signature_holds(struct view text, struct view signature, const unsigned char key[SECRET_LEN]) {
    unsigned char mac[MAC_LEN];
    char given[MAC_LEN + 3];
    size_t given_len;
    if (signature.len != (MAC_LEN * 4 + 2) / 3) return false;
    return sign(text, key, mac) && base64url_decode(signature, given, &given_len) && given_len == MAC_LEN &&
           CRYPTO_memcmp(mac, given, MAC_LEN) == 0;
}

static bool read_payload(struct view payload, struct resume *ret_resume) {
    struct view version, epoch, expires;
    return view_split(&payload, '\n', &version) && view_eq(version, VIEW("1")) &&
           view_split(&payload, '\n', &ret_resume->tunnel_id) &&
           view_split(&payload, '\n', &ret_resume->owner) && view_split(&payload, '\n', &epoch) &&
           view_split(&payload, '\n', &expires) && !payload.ptr &&
           view_parse_u64(epoch, &ret_resume->epoch) && view_parse_u64(expires, &ret_resume->expires_ms);
}

bool resume_decode(struct view token, const unsigned char key[SECRET_LEN], uint64_t now_ms,
                   char storage[RESUME_TOKEN_MAX], struct resume *ret_resume) {
    size_t dot = view_find(token, '.');
    if (token.len > RESUME_TOKEN_MAX || dot == token.len) return false;
    struct view text = view_slice(token, 0, dot);
    if (!signature_holds(text, view_skip(token, dot + 1), key)) return false;
    size_t len;
    return base64url_decode(text, storage, &len) && read_payload(view_of(storage, len), ret_resume) &&
           ret_resume->expires_ms > now_ms;
}
