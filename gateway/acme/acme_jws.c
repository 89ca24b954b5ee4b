/* See acme_jws.h. URL and nonce were read by acme_answer.c, which lets no byte pass that JSON would escape.
 */
#include "acme/acme_jws.h"

#include "base/base64.h"

#define HEAD_MAX 4096

static bool print_head(const struct acme_jws *jws, struct buf *head) {
    buf_printf(head, "{\"alg\":\"ES256\",\"nonce\":\"%s\",\"url\":\"%s\",", jws->nonce, jws->url);
    if (jws->account)
        buf_printf(head, "\"kid\":\"%s\"}", jws->account);
    else if (buf_append_view(head, VIEW("\"jwk\":")) && acme_key_jwk(jws->key, head))
        buf_append_byte(head, '}');
    return !head->failed && head->ptr[head->start + head->len - 1] == '}';
}

/* "<head>.<payload>" */
static bool print_signed(const struct acme_jws *jws, struct buf *text, size_t *ret_head_len) {
    struct buf head;
    buf_init(&head, HEAD_MAX);
    bool ok = print_head(jws, &head) && base64url_append(text, buf_view(&head));
    buf_done(&head);
    *ret_head_len = text->len;
    return ok && buf_append_byte(text, '.') &&
           (jws->payload.len == 0 || base64url_append(text, jws->payload));
}

bool acme_jws_print(const struct acme_jws *jws, struct buf *out) {
    struct buf text;
    size_t head_len;
    unsigned char signature[ACME_SIGNATURE_LEN];
    buf_init(&text, out->max);
    bool ok = print_signed(jws, &text, &head_len) && acme_key_sign(jws->key, buf_view(&text), signature);
    if (ok) {
        struct view all = buf_view(&text);
        buf_append_view(out, VIEW("{\"protected\":\""));
        buf_append_view(out, view_slice(all, 0, head_len));
        buf_append_view(out, VIEW("\",\"payload\":\""));
        buf_append_view(out, view_skip(all, head_len + 1));
        buf_append_view(out, VIEW("\",\"signature\":\""));
        base64url_append(out, view_of(signature, sizeof(signature)));
        buf_append_view(out, VIEW("\"}"));
    }
    buf_done(&text);
    return ok && !out->failed;
}
