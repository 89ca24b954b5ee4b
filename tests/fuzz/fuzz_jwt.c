/* libFuzzer target: agents' tokens. Byte 0 says how the rest is meant: a token as it is; header and payload,
 * on two lines, of one that is rightly signed; or a subject, whose token must be good and not survive a
 * changed byte. */
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "auth/jwt.h"
#include "base/base64.h"
#include "fuzz.h"

#define NOW_S 1700000000u

static const struct view own = {"a key of the fuzz target, and of it alone", 41};

/* Set by each input: who the token must be for, and of. */
static struct jwt_settings settings = {.leeway_s = 30};

/* What is accepted for somebody names him, and likewise of whom it is: in one string, or in a list. */
static void require_named(struct view payload) {
    char *text = view_to_cstr(payload);
    require(text != NULL);
    if (settings.audience.len && !strchr(text, '\\')) require(strstr(text, "\"gate\"") != NULL);
    if (settings.issuer.len && !strchr(text, '\\')) require(strstr(text, "\"us\"") != NULL);
    free(text);
}

static bool check(struct view token, struct jwt_claims *claims) {
    const char *reason = NULL;
    char *copy = exact_copy(token);
    bool good = jwt_check(&settings, view_of(copy, token.len), NOW_S, claims, &reason);
    free(copy);
    require(good || (reason && reason[0]));
    require(!good || (claims->subject[0] && claims->expires_s + settings.leeway_s > NOW_S));
    require(!good || claims->names.is_bound || !claims->names.text[0]);
    return good;
}

static void append_base64url(struct buf *out, struct view v) {
    char *room = buf_reserve(out, base64_encoded_len(v.len) + 1);
    require(room != NULL);
    buf_commit(out, base64url_encode(v, room));
}

static void sign(struct view input, struct buf *token) {
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    struct view header = take_line(&input);
    append_base64url(token, header);
    buf_append_byte(token, '.');
    append_base64url(token, input);
    struct view text = buf_view(token);
    require(HMAC(EVP_sha256(), own.ptr, (int)own.len, (const unsigned char *)text.ptr, text.len, mac, &len) !=
            NULL);
    buf_append_byte(token, '.');
    append_base64url(token, view_of(mac, len));
}

static void issue_and_break(struct view subject, struct buf *token) {
    struct jwt_claims claims;
    if (!jwt_issue(&settings, subject, NOW_S, 60, token)) return;
    require(check(buf_view(token), &claims));
    require(view_eq(view_from_cstr(claims.subject), subject));
    token->ptr[token->start + (subject.len * 31 + (unsigned char)subject.ptr[0]) % token->len] ^= 1;
    require(!check(buf_view(token), &claims));
}

/* Public keys of RFC 7515 A.3 and RFC 8037 A.1, and two whose private halves have signed a few inputs of the
 * corpus; beside them HS256 is the secret's. */
static const struct jwks *public_keys(void) {
    static struct jwks *set;
    char why[JWKS_WHY_MAX];
    if (!set)
        set = jwks_parse(VIEW("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"e\","
                              "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                              "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"
                              "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"o\","
                              "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"},"
                              "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"q\","
                              "\"x\":\"2M0nvj35d_n6ksfVrwYK0xZvN3RVQwSjip8rQT4vhnY\"},"
                              "{\"kty\":\"RSA\",\"kid\":\"r\",\"e\":\"AQAB\",\"n\":\""
                              "2K_g-l9VNmC-J4pcPl-XwdCXe_buRE7crGLBDJnRpmuJH-ZtBq5f-8c0asMhK85gww9dM3"
                              "n5bkJObTZmfukY6o8IhbjZqPrYeolwpA9eeORvB1YktpiwLEcDK2gU6orr8jwBzJaY8SJD"
                              "lbmd6ZQ3Xchg3MqIyHT0ZC_uamujYC9Bfx8oM1ZLkI1tR1i79ACWeFK2P4lmr9DPwRSRsN"
                              "Og987Jqq0mEU8Tqmbo3boxp5LUas0cTIcrKMTWYilUNIBLcgMVubS4gDZWv_16cSQy1Jnf"
                              "4rNZwhxL_TX44Sfhgf3O9w8vQ36oP8rs3roX1nGQtGRbKWWCZWO0btQ45eyy_Q\"}]}"),
                         why);
    require(set != NULL);
    return set;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct jwt_claims claims;
    struct buf token;
    if (size == 0) return 0;
    struct view input = view_of(data + 1, size - 1);
    settings.audience = data[0] & 64 ? VIEW("gate") : VIEW("");
    settings.issuer = data[0] & 128 ? VIEW("us") : VIEW("");
    settings.keys = data[0] & 32 ? public_keys() : NULL;
    bool is_older = data[0] & 8; /* the secret is being replaced */
    settings.older[0] = is_older ? own : VIEW("");
    settings.secret = is_older ? VIEW("another one, with which nothing was signed yet") : own;
    buf_init(&token, (size_t)1024 * 1024);
    if (data[0] % 3 == 0) {
        bool good = check(input, &claims); /* nobody guesses a signature */
        require(!good || (data[0] & 16 && settings.keys));
    } else if (data[0] % 3 == 1) {
        sign(input, &token);
        if (check(buf_view(&token), &claims)) require_named(input);
    } else {
        issue_and_break(input, &token);
    }
    buf_done(&token);
    return 0;
}
