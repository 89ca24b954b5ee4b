/* libFuzzer target: a webhook's signature. Lines: scheme, signature, time, path; then the body. Whatever is
 * said, nothing is signed with a secret that nobody has. */
#include <openssl/hmac.h>

#include "base/base64.h"
#include "fuzz.h"
#include "policy/webhook.h"

static const struct view secret = {"one that nobody has: 6f1c9b0e2d", 31};

/* What the sender would have said of this body; false for a scheme whose signature is not made here. */
static bool sign(struct view scheme, struct view time, struct view body, char out[256]) {
    unsigned char mac[EVP_MAX_MD_SIZE];
    char hex[65];
    unsigned len;
    struct buf text;
    buf_init(&text, 65536 + body.len);
    bool is_stripe = view_eq(scheme, VIEW("stripe")), is_slack = view_eq(scheme, VIEW("slack"));
    if (is_stripe || is_slack)
        buf_printf(&text, "%s%.*s%c", is_slack ? "v0:" : "", VIEW_ARG(time), is_slack ? ':' : '.');
    require(buf_append_view(&text, body) && text.len + 1);
    struct view whole = buf_view(&text);
    require(HMAC(EVP_sha256(), secret.ptr, (int)secret.len,
                 (const unsigned char *)(whole.len ? whole.ptr : ""), whole.len, mac, &len));
    buf_done(&text);
    for (unsigned i = 0; i < len; i++) snprintf(hex + 2 * i, 3, "%02x", mac[i]);
    if (view_eq(scheme, VIEW("shopify")))
        out[base64_encode(view_of(mac, len), out)] = '\0';
    else
        snprintf(out, 256, "%s%.*s%s%s",
                 is_stripe  ? "t="
                 : is_slack ? "v0="
                            : "sha256=",
                 is_stripe ? (int)view_slice(time, 0, 100).len : 0, time.ptr, is_stripe ? ",v1=" : "", hex);
    return !view_eq(scheme, VIEW("twilio"));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    struct view rest = view_of(bytes, len), lines[4];
    for (size_t i = 0; i < 4; i++) lines[i] = take_line(&rest);
    const struct webhook_scheme *scheme = webhook_scheme(lines[0]);
    if (!scheme || !rest.ptr) return 0;
    char *body = exact_copy(rest), *signature = exact_copy(lines[1]);
    struct arena arena;
    struct headers headers;
    arena_init(&arena, 65536);
    headers_init(&headers, &arena);
    require(headers_add(&headers, VIEW("x-forwarded-host"), VIEW("a.example")) &&
            headers_add(&headers, VIEW("content-type"), VIEW("application/x-www-form-urlencoded")) &&
            headers_add(&headers, VIEW("x-slack-request-timestamp"), view_slice(lines[2], 0, 100)));
    struct webhook_request request = {.headers = &headers,
                                      .body = view_of(body, rest.len),
                                      .path = lines[3],
                                      .now_s = 1000,
                                      .arena = &arena};
    struct view said = view_of(signature, lines[1].len);
    require(!scheme->is_signed(&request, secret, said));
    char right[256];
    if (sign(lines[0], lines[2], request.body, right) && view_eq(lines[2], VIEW("1000")))
        require(scheme->is_signed(&request, secret, view_from_cstr(right)));
    arena_done(&arena);
    free(body);
    free(signature);
    return 0;
}
