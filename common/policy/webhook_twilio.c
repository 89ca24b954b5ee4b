/* Twilio's scheme: HMAC-SHA1 of the URL, behind which stand the form's pairs, sorted, without anything
 * between them, each value once. Of any other body the query says a hash (bodySHA256). We may know the URL's
 * scheme and port less well than the sender, so they may be those that suit any gateway. */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/hex.h"
#include "http/form.h"
#include "http/uri.h"
#include "policy/webhook.h"

#define PAIRS_MAX 1000
#define SIGNED_MAX ((size_t)2 * 1024 * 1024)

struct pair {
    struct view name, value;
};

static int compare(struct view a, struct view b) {
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common ? memcmp(a.ptr, b.ptr, common) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_pairs(const void *left, const void *right) {
    const struct pair *a = left, *b = right;
    int order = compare(a->name, b->name);
    return order ? order : compare(a->value, b->value);
}

/* Of views into an arena of its own, as a form may be large. */
static bool append_form(struct buf *out, struct view form, struct arena *arena) {
    struct pair *pairs = arena_alloc(arena, PAIRS_MAX * sizeof(*pairs));
    size_t count = 0;
    while (pairs && count < PAIRS_MAX && form_next(&form, arena, &pairs[count].name, &pairs[count].value))
        count++;
    if (!pairs || form.ptr) return false; /* there is more than we have room for */
    qsort(pairs, count, sizeof(*pairs), compare_pairs);
    for (size_t i = 0; i < count; i++) {
        if (i && compare_pairs(&pairs[i], &pairs[i - 1]) == 0) continue;
        if (!buf_append_view(out, pairs[i].name) || !buf_append_view(out, pairs[i].value)) return false;
    }
    return true;
}

static bool is_hashed_in(const struct webhook_request *request) {
    unsigned char wanted[WEBHOOK_SHA256_BYTES], hash[EVP_MAX_MD_SIZE];
    struct view query = view_skip(request->path, view_find(request->path, '?') + 1);
    struct view said = query_get(query, VIEW("bodySHA256"), request->arena);
    unsigned len = 0;
    return hex_read(said, wanted, sizeof(wanted)) &&
           EVP_Digest(request->body.ptr ? request->body.ptr : "", request->body.len, hash, &len, EVP_sha256(),
                      NULL) == 1 &&
           len == sizeof(wanted) && CRYPTO_memcmp(wanted, hash, len) == 0;
}

/* What stands behind the URL. */
static bool append_body(struct buf *out, const struct webhook_request *request) {
    if (request->body.len == 0) return true;
    if (!form_is_one(request->headers)) return is_hashed_in(request);
    struct arena arena;
    arena_init(&arena, SIGNED_MAX + PAIRS_MAX * (sizeof(struct pair) + 64));
    bool ok = append_form(out, request->body, &arena);
    arena_done(&arena);
    return ok;
}

static bool is_mac(struct view secret, struct view url, struct view behind, const unsigned char *mac) {
    unsigned char wanted[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    struct buf text;
    buf_init(&text, SIGNED_MAX + 64 * 1024);
    bool is_it = buf_append_view(&text, url) && buf_append_view(&text, behind) &&
                 HMAC(EVP_sha1(), secret.ptr, (int)secret.len, (const unsigned char *)buf_view(&text).ptr,
                      text.len, wanted, &len) &&
                 len == WEBHOOK_SHA1_BYTES && CRYPTO_memcmp(wanted, mac, len) == 0;
    buf_done(&text);
    return is_it;
}

static bool is_signed_as(const struct webhook_request *request, struct view secret, struct view behind,
                         const char *scheme, struct view authority, const unsigned char *mac) {
    struct view url =
        arena_printf(request->arena, "%s://%.*s%.*s", scheme, VIEW_ARG(authority), VIEW_ARG(request->path));
    return url.ptr && is_mac(secret, url, behind, mac);
}

bool webhook_twilio_is_signed(const struct webhook_request *request, struct view secret,
                              struct view signature) {
    unsigned char mac[WEBHOOK_SHA1_BYTES];
    struct view host = headers_get(request->headers, VIEW("x-forwarded-host"));
    struct view name = view_slice(host, 0, view_find_last(host, ':')); /* without its port */
    struct buf behind;
    if (!webhook_read_base64(signature, mac, sizeof(mac))) return false;
    buf_init(&behind, SIGNED_MAX);
    bool ok = append_body(&behind, request), is_signed = false;
    static const char *const schemes[] = {"https", "http"}, *const ports[] = {":443", ":80"};
    for (size_t i = 0; ok && i < 2 && !is_signed; i++) {
        struct view with_port = arena_printf(request->arena, "%.*s%s", VIEW_ARG(name), ports[i]);
        is_signed = is_signed_as(request, secret, buf_view(&behind), schemes[i], host, mac) ||
                    is_signed_as(request, secret, buf_view(&behind), schemes[i], name, mac) ||
                    is_signed_as(request, secret, buf_view(&behind), schemes[i], with_port, mac);
    }
    buf_done(&behind);
    return is_signed;
}
