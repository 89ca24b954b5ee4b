/* libFuzzer target: resume tokens. Byte 0 says how the rest is meant: a token as it is; the payload of one
 * that is rightly signed; or a tunnel and an owner, on two lines, whose token must come back as it was made
 * and not survive a changed byte. */
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "auth/resume.h"
#include "base/base64.h"
#include "fuzz.h"

#define NOW_MS 1700000000000u

static const unsigned char key[SECRET_LEN] = "a key of the fuzz target alone";

static bool decode(struct view token, struct resume *ret_resume, char storage[RESUME_TOKEN_MAX]) {
    char *copy = exact_copy(token);
    bool good = resume_decode(view_of(copy, token.len), key, NOW_MS, storage, ret_resume);
    free(copy);
    return good;
}

static void append_base64url(struct buf *out, struct view v) {
    char *room = buf_reserve(out, base64_encoded_len(v.len) + 1);
    require(room != NULL);
    buf_commit(out, base64url_encode(v, room));
}

/* Whoever has the key may still have signed nonsense: another version of the program, say. */
static void sign_payload(struct view payload, struct buf *token) {
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    append_base64url(token, payload);
    require(HMAC(EVP_sha256(), key, SECRET_LEN, (const unsigned char *)token->ptr + token->start, token->len,
                 mac, &len) != NULL);
    buf_append_byte(token, '.');
    append_base64url(token, view_of(mac, len));
}

static void require_live(const struct resume *resume, const char *storage) {
    require(resume->expires_ms > NOW_MS);
    require(resume->tunnel_id.ptr >= storage && resume->owner.ptr >= resume->tunnel_id.ptr);
    require(resume->owner.ptr + resume->owner.len <= storage + RESUME_TOKEN_MAX);
}

static void make_and_break(struct view input, struct buf *token) {
    struct resume made = {.epoch = input.len, .expires_ms = NOW_MS + 1}, read;
    char storage[RESUME_TOKEN_MAX];
    made.tunnel_id = take_line(&input);
    made.owner = take_line(&input);
    bool has_nul =
        view_find(made.tunnel_id, '\0') < made.tunnel_id.len || view_find(made.owner, '\0') < made.owner.len;
    if (has_nul || !resume_encode(token, &made, key)) return;
    bool good = decode(buf_view(token), &read, storage);
    if (token->len > RESUME_TOKEN_MAX) require(!good);
    if (!good) return;
    require(view_eq(read.tunnel_id, made.tunnel_id) && view_eq(read.owner, made.owner));
    require(read.epoch == made.epoch && read.expires_ms == made.expires_ms);
    size_t at = (made.tunnel_id.len * 31 + made.owner.len * 7 + made.epoch) % token->len;
    token->ptr[token->start + at] ^= 1;
    require(!decode(buf_view(token), &read, storage));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct resume resume;
    struct buf token;
    char storage[RESUME_TOKEN_MAX];
    if (size == 0) return 0;
    struct view input = view_of(data + 1, size - 1);
    buf_init(&token, (size_t)1024 * 1024);
    if (data[0] % 3 == 0) {
        require(!decode(input, &resume, storage)); /* nobody guesses a signature */
    } else if (data[0] % 3 == 1) {
        sign_payload(input, &token);
        if (decode(buf_view(&token), &resume, storage)) require_live(&resume, storage);
    } else {
        make_and_break(input, &token);
    }
    buf_done(&token);
    return 0;
}
