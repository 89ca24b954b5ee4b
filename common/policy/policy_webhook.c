/* webhook=<scheme>:<secret>: each request is signed by who sends it (webhook.h); the secret is base64url. The
 * service gets the body after that, as it came. */
#include <openssl/crypto.h>

#include "base/base64.h"
#include "policy/policy_rules.h"
#include "policy/webhook.h"

#define SECRET_ROOM (POLICY_WEBHOOK_SECRET_MAX / 3 * 4 + 8)

static const struct webhook_scheme *read_value(struct view value, char secret[SECRET_ROOM],
                                               struct view *ret_secret) {
    size_t colon = view_find(value, ':'), len;
    struct view text = view_skip(value, colon + 1);
    if (text.len == 0 || base64_decoded_max(text.len) > SECRET_ROOM) return NULL;
    if (!base64url_decode(text, secret, &len) || len == 0 || len > POLICY_WEBHOOK_SECRET_MAX) return NULL;
    *ret_secret = view_of(secret, len);
    return webhook_scheme(view_slice(value, 0, colon));
}

bool policy_webhook_append(struct buf *out, struct view scheme, struct view secret) {
    char text[SECRET_ROOM * 2];
    if (!webhook_scheme(scheme) || secret.len == 0 || secret.len > POLICY_WEBHOOK_SECRET_MAX) return false;
    size_t len = base64url_encode(secret, text);
    bool ok = buf_printf(out, "%.*s:", VIEW_ARG(scheme)) && buf_append(out, text, len);
    OPENSSL_cleanse(text, sizeof(text));
    return ok;
}

bool policy_webhook_valid(struct view value) {
    char bytes[SECRET_ROOM];
    struct view secret;
    bool is_one = read_value(value, bytes, &secret) != NULL;
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return is_one;
}

static enum policy_verdict judge(const struct webhook_scheme *scheme, struct view secret,
                                 const struct policy_request *request, struct policy_outcome *outcome) {
    struct webhook_request said = {
        .headers = request->headers, .body = request->body, .now_s = request->now_s, .arena = request->arena};
    if (headers_count(request->headers, scheme->field) != 1) return POLICY_ASKS_SIGNATURE;
    outcome->body_most = POLICY_WEBHOOK_BODY_MAX;
    if (!request->has_body) return POLICY_READS;
    said.path = arena_printf(request->arena, "%.*s%.*s", VIEW_ARG(request->base), VIEW_ARG(request->target));
    if (!said.path.ptr) return POLICY_FAILS;
    return scheme->is_signed(&said, secret, headers_get(request->headers, scheme->field))
               ? POLICY_LETS_IN
               : POLICY_ASKS_SIGNATURE;
}

enum policy_verdict policy_webhook_check(struct view value, const struct policy_request *request,
                                         struct policy_outcome *outcome) {
    char bytes[SECRET_ROOM];
    struct view secret;
    const struct webhook_scheme *scheme = read_value(value, bytes, &secret);
    enum policy_verdict verdict = scheme ? judge(scheme, secret, request, outcome) : POLICY_FAILS;
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return verdict;
}
