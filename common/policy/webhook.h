/* Signatures of webhooks: what well-known senders sign, and where they put it. Each scheme is HMAC with a
 * secret that its sender and the tunnel's owner know; compared in constant time.
 *
 *     github        X-Hub-Signature-256: sha256=<hex>           of the body
 *     stripe        Stripe-Signature: t=<time>,v1=<hex>,...     of "<time>.<body>"
 *     slack         X-Slack-Signature: v0=<hex>                 of "v0:<X-Slack-Request-Timestamp>:<body>"
 *     twilio        X-Twilio-Signature: <base64>                SHA-1, of the URL and the form's pairs
 *     shopify       X-Shopify-Hmac-Sha256: <base64>             of the body
 *     generic-hmac  X-Signature: [sha256=]<hex>                 of the body
 *
 * Where a scheme has a time, it may differ from ours by WEBHOOK_LEEWAY_S. */
#ifndef POLICY_WEBHOOK_H
#define POLICY_WEBHOOK_H

#include "http/headers.h"

#define WEBHOOK_LEEWAY_S 300

struct webhook_request {
    const struct headers *headers; /* x-forwarded-proto and -host are ours */
    struct view body;              /* all of it */
    struct view path;              /* that the sender asked for, with the query */
    uint64_t now_s;                /* since 1970 */
    struct arena *arena;
};

struct webhook_scheme {
    struct view name;
    struct view field; /* that has the signature, in lower case */
    bool (*is_signed)(const struct webhook_request *request, struct view secret, struct view signature);
};

/* NULL: there is none of that name. */
const struct webhook_scheme *webhook_scheme(struct view name);

/* ---- the schemes' own ---- */

enum { WEBHOOK_SHA1_BYTES = 20, WEBHOOK_SHA256_BYTES = 32 };

bool webhook_sha256_is(struct view secret, struct view text, const unsigned char mac[WEBHOOK_SHA256_BYTES]);
/* Of exactly so many bytes. */
bool webhook_read_base64(struct view text, unsigned char *out, size_t bytes);
bool webhook_twilio_is_signed(const struct webhook_request *request, struct view secret,
                              struct view signature);

#endif
