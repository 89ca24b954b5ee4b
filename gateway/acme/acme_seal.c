/* See acme_seal.h. */
#include "acme/acme_seal.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/ids.h"

#define MARK "sealed 1\n"
#define MARK_LEN (sizeof(MARK) - 1)
#define NONCE_LEN 12
#define TAG_LEN 16

_Static_assert(ACME_SEAL_MORE == MARK_LEN + NONCE_LEN + TAG_LEN, "what stands around it");

/* Everything but the text and the tag is said here: the key, the nonce, and the place as what is signed
 * along. NULL: OpenSSL fails. */
static EVP_CIPHER_CTX *begin(const unsigned char *key, const unsigned char *nonce, struct view place,
                             int seals) {
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int len;
    if (context && place.len <= INT_MAX &&
        EVP_CipherInit_ex(context, EVP_aes_256_gcm(), NULL, key, nonce, seals) == 1 &&
        EVP_CipherUpdate(context, NULL, &len, (const unsigned char *)place.ptr, (int)place.len) == 1)
        return context;
    EVP_CIPHER_CTX_free(context);
    return NULL;
}

static bool turn(EVP_CIPHER_CTX *context, struct view text, unsigned char *out) {
    int len = 0, more = 0;
    return text.len <= INT_MAX &&
           EVP_CipherUpdate(context, out, &len, (const unsigned char *)text.ptr, (int)text.len) == 1 &&
           EVP_CipherFinal_ex(context, out + len, &more) == 1;
}

bool acme_seal(const unsigned char key[SECRET_LEN], struct view place, struct view text, struct buf *record) {
    unsigned char *room = (unsigned char *)buf_reserve(record, text.len + ACME_SEAL_MORE);
    if (!room) return false;
    unsigned char *nonce = room + MARK_LEN, *body = nonce + NONCE_LEN;
    memcpy(room, MARK, MARK_LEN);
    ids_random(nonce, NONCE_LEN);
    EVP_CIPHER_CTX *context = begin(key, nonce, place, 1);
    bool ok = context && turn(context, text, body) &&
              EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, TAG_LEN, body + text.len) == 1;
    EVP_CIPHER_CTX_free(context);
    ERR_clear_error();
    if (ok) buf_commit(record, text.len + ACME_SEAL_MORE);
    return ok;
}

bool acme_unseal(const unsigned char key[SECRET_LEN], struct view place, struct view record,
                 struct buf *text) {
    if (record.len < ACME_SEAL_MORE || !view_starts_with(record, VIEW(MARK))) return false;
    struct view nonce = view_slice(record, MARK_LEN, MARK_LEN + NONCE_LEN),
                body = view_slice(record, MARK_LEN + NONCE_LEN, record.len - TAG_LEN);
    unsigned char *room = (unsigned char *)buf_reserve(text, body.len + 1), tag[TAG_LEN];
    memcpy(tag, record.ptr + record.len - TAG_LEN, TAG_LEN);
    EVP_CIPHER_CTX *context = room ? begin(key, (const unsigned char *)nonce.ptr, place, 0) : NULL;
    bool ok = context && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, TAG_LEN, tag) == 1 &&
              turn(context, body, room);
    EVP_CIPHER_CTX_free(context);
    ERR_clear_error();
    if (room && !ok) explicit_bzero(room, body.len + 1); /* what was not proved is not to be seen */
    if (ok) buf_commit(text, body.len);
    return ok;
}
