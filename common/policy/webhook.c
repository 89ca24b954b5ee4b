/* See webhook.h. */
#include "policy/webhook.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/hex.h"

#define SIGNED_MAX ((size_t)2 * 1024 * 1024)
#define SIGNATURES_TRIED 8

/* ---- bytes ---- */

bool webhook_read_base64(struct view text, unsigned char *out, size_t bytes) {
    char decoded[64];
    size_t len;
    if (base64_decoded_max(text.len) > sizeof(decoded) || !base64_decode(text, decoded, &len)) return false;
    if (len != bytes) return false;
    memcpy(out, decoded, bytes);
    return true;
}

bool webhook_sha256_is(struct view secret, struct view text, const unsigned char mac[WEBHOOK_SHA256_BYTES]) {
    unsigned char wanted[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    return HMAC(EVP_sha256(), secret.ptr, (int)secret.len, (const unsigned char *)text.ptr, text.len, wanted,
                &len) &&
           len == WEBHOOK_SHA256_BYTES && CRYPTO_memcmp(wanted, mac, len) == 0;
}

static bool is_hex_of(const struct webhook_request *request, struct view secret, struct view hex) {
    unsigned char mac[WEBHOOK_SHA256_BYTES];
    return hex_read(hex, mac, sizeof(mac)) && webhook_sha256_is(secret, request->body, mac);
}

/* Absent where `text` does not begin with it. */
static struct view behind(struct view text, struct view prefix) {
    return view_starts_with(text, prefix) ? view_skip(text, prefix.len) : (struct view){0};
}

/* ---- of the body alone ---- */

static bool github(const struct webhook_request *request, struct view secret, struct view signature) {
    return is_hex_of(request, secret, behind(signature, VIEW("sha256=")));
}

static bool generic(const struct webhook_request *request, struct view secret, struct view signature) {
    struct view hex = behind(signature, VIEW("sha256="));
    return is_hex_of(request, secret, hex.ptr ? hex : signature);
}

static bool shopify(const struct webhook_request *request, struct view secret, struct view signature) {
    unsigned char mac[WEBHOOK_SHA256_BYTES];
    return webhook_read_base64(signature, mac, sizeof(mac)) && webhook_sha256_is(secret, request->body, mac);
}

/* ---- with a time ---- */

static bool is_timely(const struct webhook_request *request, struct view time) {
    uint64_t said_s, now_s = request->now_s;
    return view_parse_u64(time, &said_s) &&
           (said_s > now_s ? said_s - now_s : now_s - said_s) <= WEBHOOK_LEEWAY_S;
}

/* Of "<before><time><between><body>". */
static bool is_timed_hex(const struct webhook_request *request, struct view secret, const char *before,
                         struct view time, char between, struct view hex) {
    unsigned char mac[WEBHOOK_SHA256_BYTES];
    struct buf text;
    if (!is_timely(request, time) || !hex_read(hex, mac, sizeof(mac))) return false;
    buf_init(&text, SIGNED_MAX);
    bool is_signed = buf_printf(&text, "%s%.*s%c", before, VIEW_ARG(time), between) &&
                     buf_append_view(&text, request->body) && webhook_sha256_is(secret, buf_view(&text), mac);
    buf_done(&text);
    return is_signed;
}

/* While a secret is changed there is a signature by each. Those of v0 are for tests. */
static bool stripe(const struct webhook_request *request, struct view secret, struct view signature) {
    struct view rest = signature, item, time = {0};
    int tried = 0;
    while (view_split(&rest, ',', &item))
        if (view_starts_with(view_trim(item), VIEW("t="))) time = view_skip(view_trim(item), 2);
    for (rest = signature; view_split(&rest, ',', &item);) {
        struct view hex = behind(view_trim(item), VIEW("v1="));
        if (!hex.ptr || tried++ >= SIGNATURES_TRIED) continue;
        if (is_timed_hex(request, secret, "", time, '.', hex)) return true;
    }
    return false;
}

static bool slack(const struct webhook_request *request, struct view secret, struct view signature) {
    struct view name = VIEW("x-slack-request-timestamp");
    return headers_count(request->headers, name) == 1 &&
           is_timed_hex(request, secret, "v0:", headers_get(request->headers, name), ':',
                        behind(signature, VIEW("v0=")));
}

/* ---- all of them ---- */

#define TEXT(text)                                                                                           \
    { text, sizeof(text) - 1 }

static const struct webhook_scheme schemes[] = {
    {TEXT("github"), TEXT("x-hub-signature-256"), github},
    {TEXT("stripe"), TEXT("stripe-signature"), stripe},
    {TEXT("slack"), TEXT("x-slack-signature"), slack},
    {TEXT("twilio"), TEXT("x-twilio-signature"), webhook_twilio_is_signed},
    {TEXT("shopify"), TEXT("x-shopify-hmac-sha256"), shopify},
    {TEXT("generic-hmac"), TEXT("x-signature"), generic},
};

const struct webhook_scheme *webhook_scheme(struct view name) {
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
        if (view_eq(schemes[i].name, name)) return &schemes[i];
    return NULL;
}
