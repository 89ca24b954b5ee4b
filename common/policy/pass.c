/* See pass.h. */
#include "policy/pass.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/base64.h"

#define MAC_BYTES 32
#define MAC_LEN 43 /* of it as base64url */
#define COOKIES_TRIED 8

static bool sign(struct view purpose, struct view tunnel, uint64_t expires_s,
                 const unsigned char key[PASS_KEY_LEN], unsigned char out[MAC_BYTES]) {
    struct buf text;
    unsigned len = 0;
    buf_init(&text, 256);
    bool ok = buf_printf(&text, "1\n%.*s\n%.*s\n%" PRIu64, VIEW_ARG(purpose), VIEW_ARG(tunnel), expires_s) &&
              HMAC(EVP_sha256(), key, PASS_KEY_LEN, (const unsigned char *)buf_view(&text).ptr, text.len, out,
                   &len);
    buf_done(&text);
    return ok && len == MAC_BYTES;
}

bool pass_append(struct buf *out, const unsigned char key[PASS_KEY_LEN], struct view purpose,
                 struct view tunnel, uint64_t expires_s) {
    unsigned char mac[MAC_BYTES];
    char text[MAC_LEN + 1];
    if (!sign(purpose, tunnel, expires_s, key, mac)) return false;
    size_t len = base64url_encode(view_of(mac, MAC_BYTES), text);
    return buf_printf(out, "%" PRIu64 ".", expires_s) && buf_append(out, text, len);
}

bool pass_holds(struct view pass, const unsigned char key[PASS_KEY_LEN], struct view purpose,
                struct view tunnel, uint64_t now_s, uint64_t *ret_expires_s) {
    unsigned char mac[MAC_BYTES];
    char given[MAC_LEN + 3];
    size_t given_len, dot = view_find(pass, '.');
    struct view signature = view_skip(pass, dot + 1);
    if (pass.len > PASS_TEXT_MAX || !view_parse_u64(view_slice(pass, 0, dot), ret_expires_s)) return false;
    if (signature.len != MAC_LEN || *ret_expires_s <= now_s) return false;
    return base64url_decode(signature, given, &given_len) && given_len == MAC_BYTES &&
           sign(purpose, tunnel, *ret_expires_s, key, mac) && CRYPTO_memcmp(mac, given, MAC_BYTES) == 0;
}

struct view cookie_next(struct view *rest, struct view name) {
    struct view cookie;
    while (view_split(rest, ';', &cookie)) {
        size_t equals = view_find(cookie, '=');
        if (equals < cookie.len && view_eq(view_trim(view_slice(cookie, 0, equals)), name))
            return view_trim(view_skip(cookie, equals + 1));
    }
    return (struct view){0};
}

bool cookie_is_set_as(struct view set_cookie, struct view prefix) {
    struct view rest = view_trim(set_cookie);
    while (rest.len && rest.ptr[0] == '=') rest = view_trim(view_skip(rest, 1));
    return view_starts_with(rest, prefix);
}

bool pass_in_cookies(const struct headers *headers, struct view name, const unsigned char key[PASS_KEY_LEN],
                     struct view purpose, struct view tunnel, uint64_t now_s) {
    uint64_t expires_s;
    int tried = 0;
    for (size_t i = 0; i < headers->count; i++) {
        if (!view_eq(headers->fields[i].name, VIEW("cookie"))) continue;
        struct view rest = headers->fields[i].value, pass;
        while ((pass = cookie_next(&rest, name)).ptr && tried++ < COOKIES_TRIED)
            if (pass_holds(pass, key, purpose, tunnel, now_s, &expires_s)) return true;
    }
    return false;
}
