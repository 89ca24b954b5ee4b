#include "auth/websocket.h"

#include <assert.h>
#include <openssl/evp.h>

#include "base/base64.h"

void websocket_accept(struct view key, char out[WEBSOCKET_ACCEPT_LEN + 1]) {
    static const struct view guid = {"258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36};
    unsigned char digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert(context);
    EVP_DigestInit_ex(context, EVP_sha1(), NULL);
    EVP_DigestUpdate(context, key.ptr, key.len);
    EVP_DigestUpdate(context, guid.ptr, guid.len);
    EVP_DigestFinal_ex(context, digest, NULL);
    EVP_MD_CTX_free(context);
    size_t len = base64_encode(view_of(digest, 20), out);
    out[len] = '\0';
}
