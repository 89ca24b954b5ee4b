/* token = expires "." mac("token", expires);
 * id = "d1." uuid "." expires "." base64url(waiter) "." mac("id", uuid, expires, waiter, agent). */
#include "direct/waiter_id.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/base64.h"
#include "base/ids.h"
#include "protocol/v1.h"

enum { MAC_LEN = 16, MAC_TEXT_LEN = 22, TEXT_MAX = 1024 };

/* Half of the hash is plenty for what lives a minute. */
static bool append_mac(struct buf *out, const unsigned char key[SECRET_LEN], struct view text) {
    unsigned char hash[32];
    unsigned len = 0;
    return HMAC(EVP_sha256(), key, SECRET_LEN, (const unsigned char *)text.ptr, text.len, hash, &len) &&
           base64url_append(out, view_of(hash, MAC_LEN));
}

static bool append_signed(struct buf *out, const unsigned char key[SECRET_LEN], struct buf *text) {
    bool ok = !text->failed && append_mac(out, key, buf_view(text));
    buf_done(text);
    return ok;
}

static bool same(struct view a, struct view b) {
    return a.len == b.len && a.len > 0 && CRYPTO_memcmp(a.ptr, b.ptr, a.len) == 0;
}

static bool token_mac(struct buf *out, const unsigned char key[SECRET_LEN], uint64_t expires_ms) {
    struct buf text;
    buf_init(&text, TEXT_MAX);
    buf_printf(&text, "token\n%" PRIu64, expires_ms);
    return append_signed(out, key, &text);
}

bool waiter_token_encode(struct buf *out, const unsigned char key[SECRET_LEN], uint64_t expires_ms) {
    return buf_printf(out, "%" PRIu64 ".", expires_ms) && token_mac(out, key, expires_ms);
}

bool waiter_token_check(struct view token, const unsigned char key[SECRET_LEN], uint64_t now_ms) {
    struct view expires;
    uint64_t expires_ms;
    struct buf mac;
    if (!view_split(&token, '.', &expires) || !view_parse_u64(expires, &expires_ms)) return false;
    buf_init(&mac, WAITER_TOKEN_MAX);
    bool good = expires_ms > now_ms && token_mac(&mac, key, expires_ms) && same(buf_view(&mac), token);
    buf_done(&mac);
    return good;
}

static bool id_mac(struct buf *out, const unsigned char key[SECRET_LEN], struct view uuid,
                   const struct direct_id *id, struct view agent) {
    struct buf text;
    buf_init(&text, TEXT_MAX);
    buf_printf(&text, "id\n%.*s\n%" PRIu64 "\n%s\n%.*s", VIEW_ARG(uuid), id->expires_ms, id->waiter,
               VIEW_ARG(agent));
    return append_signed(out, key, &text);
}

bool direct_id_encode(struct buf *out, const unsigned char key[SECRET_LEN], const struct direct_id *id,
                      struct view agent) {
    char uuid[UUID_LEN + 1];
    ids_uuid4(uuid);
    return buf_printf(out, "d1.%s.%" PRIu64 ".", uuid, id->expires_ms) &&
           base64url_append(out, view_from_cstr(id->waiter)) && buf_append_byte(out, '.') &&
           id_mac(out, key, view_from_cstr(uuid), id, agent) && out->len <= V1_REQUEST_ID_MAX;
}

static bool read_waiter(struct view text, struct direct_id *id) {
    char bytes[V1_REQUEST_ID_MAX + 4];
    size_t len = 0;
    return text.len <= V1_REQUEST_ID_MAX && base64url_decode(text, bytes, &len) && len > 0 &&
           view_copy_to(view_of(bytes, len), id->waiter, sizeof(id->waiter));
}

enum direct_id_kind direct_id_decode(struct view text, const unsigned char key[SECRET_LEN], struct view agent,
                                     uint64_t now_ms, struct direct_id *ret_id) {
    struct view version, uuid, expires, waiter;
    struct buf mac;
    if (!view_starts_with(text, VIEW("d1.")) || text.len > V1_REQUEST_ID_MAX) return DIRECT_ID_NONE;
    bool good = view_split(&text, '.', &version) && view_split(&text, '.', &uuid) &&
                view_split(&text, '.', &expires) && view_split(&text, '.', &waiter) &&
                text.len == MAC_TEXT_LEN && view_parse_u64(expires, &ret_id->expires_ms) &&
                ret_id->expires_ms > now_ms && read_waiter(waiter, ret_id);
    buf_init(&mac, WAITER_TOKEN_MAX);
    good = good && id_mac(&mac, key, uuid, ret_id, agent) && same(buf_view(&mac), text);
    buf_done(&mac);
    return good ? DIRECT_ID_GOOD : DIRECT_ID_REFUSED;
}
