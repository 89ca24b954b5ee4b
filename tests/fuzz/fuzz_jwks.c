/* libFuzzer target: key sets. Byte 0 says whether the rest is a set, or one key of a set. What is taken must
 * be within its bounds, and must not verify tokens that nobody signed. */
#include "auth/jwt.h"
#include "base/base64.h"
#include "fuzz.h"

#define NOW_S 1700000000u

static void look_at(const struct jwk *key) {
    require(key->material && key->len >= 32);
    require(!key->kid || strlen(key->kid) <= JWK_KID_MAX);
    require((key->algs & ~((1u << JWS_ALGS) - 1)) == 0);
    bool is_secret = key->algs & (1u << JWS_HS256 | 1u << JWS_HS384 | 1u << JWS_HS512);
    bool is_pem = view_starts_with(view_of(key->material, key->len), VIEW("-----BEGIN PUBLIC KEY-----"));
    require(is_pem != is_secret);
}

/* Of RS256, ES256 and HS256, with a signature of zeros that is as long as a right one may be. */
static void try_tokens(const struct jwks *set) {
    static const struct {
        const char *header;
        size_t signature_len;
    } tokens[] = {{"{\"alg\":\"RS256\"}", 256}, {"{\"alg\":\"ES256\"}", 64}, {"{\"alg\":\"HS256\"}", 32}};
    static const char zeros[256];
    const struct jwt_settings settings = {.keys = set, .leeway_s = 30};
    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        char text[1024];
        size_t len = base64url_encode(view_from_cstr(tokens[i].header), text);
        text[len++] = '.';
        len += base64url_encode(VIEW("{\"sub\":\"a\",\"exp\":1700000100}"), text + len);
        text[len++] = '.';
        len += base64url_encode(view_of(zeros, tokens[i].signature_len), text + len);
        struct jwt_claims claims;
        const char *reason = NULL;
        require(!jwt_check(&settings, view_of(text, len), NOW_S, &claims, &reason) && reason);
    }
}

static void parse(struct view text) {
    char why[JWKS_WHY_MAX] = "";
    char *copy = exact_copy(text);
    struct jwks *set = jwks_parse(view_of(copy, text.len), why);
    free(copy);
    require(set || why[0]);
    if (!set) return;
    require(jwks_count(set) > 0 && jwks_count(set) + jwks_passed_over(set) <= JWKS_KEYS_MAX);
    for (int alg = 0; alg < JWS_ALGS; alg++) {
        const struct jwk *keys[JWKS_TRIES_MAX];
        size_t count = jwks_find(set, (enum jws_alg)alg, (struct view){0}, keys);
        require(count <= jwks_count(set));
        for (size_t i = 0; i < count && i < JWKS_TRIES_MAX; i++) look_at(keys[i]);
    }
    try_tokens(set);
    jwks_free(set);
}

/* What anybody can read is no secret. */
static void parse_public(struct view text) {
    char why[JWKS_WHY_MAX] = "";
    struct jwks *set = jwks_parse_public(text, why);
    require(set || why[0]);
    for (int alg = JWS_HS256; set && alg <= JWS_HS512; alg++) {
        const struct jwk *keys[JWKS_TRIES_MAX];
        require(jwks_find(set, (enum jws_alg)alg, (struct view){0}, keys) == 0);
    }
    jwks_free(set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct buf text;
    if (size == 0) return 0;
    struct view input = view_of(data + 1, size - 1);
    buf_init(&text, (size_t)1024 * 1024);
    if (data[0] % 2 == 0) {
        parse(input);
        parse_public(input);
    } else {
        buf_printf(&text, "{\"keys\":[");
        buf_append_view(&text, input);
        buf_printf(&text, "]}");
        parse(buf_view(&text));
    }
    buf_done(&text);
    return 0;
}
