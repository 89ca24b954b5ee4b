/* Tokens against key sets: what is good, and each attack on the list of RFC 8725 that concerns keys. Keys and
 * signatures are made here with OpenSSL, not with what is tested; tests/e2e/test_jwks.py does it with a
 * library for tokens. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/jwk.h"
#include "auth/jwt.h"
#include "base/base64.h"
#include "cmocka_setup.h"

#define NOW 1700000000u
#define ALICE "{\"sub\":\"alice\",\"exp\":1700000100}"
#define SECRET "0123456789abcdef0123456789abcdef"
/* base64url of SECRET, of 48 and of 64 times 'k' */
#define K32 "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"
#define K48 "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tr"
#define K47 "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s"
#define K63 "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tr"
#define K64 "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2traw"

enum key { RSA_A, RSA_B, RSA_SHORT, EC_256, EC_384, EC_521, EC_256B, KEYS };
static EVP_PKEY *keys[KEYS];
static char *jwks[KEYS]; /* members of the JWK that say the key: "kty":… */

/* ---- making sets and tokens ---- */

static void append_base64url(struct buf *out, struct view v) {
    char *room = buf_reserve(out, base64_encoded_len(v.len) + 1);
    assert_non_null(room);
    buf_commit(out, base64url_encode(v, room));
}

static void append_number(struct buf *out, EVP_PKEY *key, const char *param, size_t width) {
    BIGNUM *number = NULL;
    unsigned char bytes[1024];
    assert_int_equal(EVP_PKEY_get_bn_param(key, param, &number), 1);
    size_t len = width ? width : (size_t)BN_num_bytes(number);
    assert_int_equal(BN_bn2binpad(number, bytes, (int)len), len);
    append_base64url(out, view_of(bytes, len));
    BN_free(number);
}

static char *describe(EVP_PKEY *key, const char *crv, size_t width) {
    struct buf out;
    buf_init(&out, 8192);
    if (crv) {
        buf_printf(&out, "\"kty\":\"EC\",\"crv\":\"%s\",\"x\":\"", crv);
        append_number(&out, key, OSSL_PKEY_PARAM_EC_PUB_X, width);
        buf_printf(&out, "\",\"y\":\"");
        append_number(&out, key, OSSL_PKEY_PARAM_EC_PUB_Y, width);
    } else {
        buf_printf(&out, "\"kty\":\"RSA\",\"e\":\"");
        append_number(&out, key, OSSL_PKEY_PARAM_RSA_E, 0);
        buf_printf(&out, "\",\"n\":\"");
        append_number(&out, key, OSSL_PKEY_PARAM_RSA_N, 0);
    }
    buf_append_byte(&out, '"');
    buf_append_byte(&out, '\0');
    size_t len;
    return buf_take(&out, &len);
}

static int make_keys(void **state) {
    (void)state;
    static const struct {
        const char *crv, *group;
        size_t width;
        unsigned bits;
    } kinds[KEYS] = {{NULL, NULL, 0, 2048},     {NULL, NULL, 0, 2048},     {NULL, NULL, 0, 1024},
                     {"P-256", "P-256", 32, 0}, {"P-384", "P-384", 48, 0}, {"P-521", "P-521", 66, 0},
                     {"P-256", "P-256", 32, 0}};
    for (size_t i = 0; i < KEYS; i++) {
        keys[i] = kinds[i].crv ? EVP_EC_gen(kinds[i].group) : EVP_RSA_gen(kinds[i].bits);
        if (!keys[i]) return -1;
        jwks[i] = describe(keys[i], kinds[i].crv, kinds[i].width);
    }
    return 0;
}

static int free_keys(void **state) {
    (void)state;
    for (size_t i = 0; i < KEYS; i++) {
        EVP_PKEY_free(keys[i]);
        free(jwks[i]);
    }
    return 0;
}

/* ECDSA's two numbers, as JWS wants them (RFC 7518 3.4). */
static size_t to_raw(unsigned char *signature, size_t len, size_t width) {
    const unsigned char *at = signature;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)len);
    unsigned char raw[132];
    assert_non_null(pair);
    BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, (int)width);
    BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + width, (int)width);
    memcpy(signature, raw, 2 * width);
    ECDSA_SIG_free(pair);
    return 2 * width;
}

static const EVP_MD *hash_of(const char *alg) {
    return strstr(alg, "512") ? EVP_sha512() : strstr(alg, "384") ? EVP_sha384() : EVP_sha256();
}

static size_t sign_with(EVP_PKEY *key, const EVP_MD *hash, struct view text, unsigned char *out,
                        size_t room) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(context, NULL, hash, NULL, key), 1);
    assert_int_equal(EVP_DigestSign(context, out, &room, (const unsigned char *)text.ptr, text.len), 1);
    EVP_MD_CTX_free(context);
    if (!EVP_PKEY_is_a(key, "EC")) return room;
    return to_raw(out, room, ((size_t)EVP_PKEY_get_bits(key) + 7) / 8);
}

/* `more`: further members of the header, behind a comma. */
static void make_token(struct buf *out, const char *alg, const char *more, EVP_PKEY *key,
                       struct view secret) {
    unsigned char signature[1024];
    unsigned mac_len = 0;
    char header[512];
    snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"typ\":\"JWT\"%s}", alg, more);
    buf_init(out, 16 * 1024);
    append_base64url(out, view_from_cstr(header));
    buf_append_byte(out, '.');
    append_base64url(out, VIEW(ALICE));
    struct view text = buf_view(out);
    size_t len = 0;
    if (key) {
        len = sign_with(key, hash_of(alg), text, signature, sizeof(signature));
    } else {
        HMAC(hash_of(alg), secret.ptr, (int)secret.len, (const unsigned char *)text.ptr, text.len, signature,
             &mac_len);
        len = mac_len;
    }
    buf_append_byte(out, '.');
    append_base64url(out, view_of(signature, len));
}

static struct jwks *parse(const char *text) {
    char why[JWKS_WHY_MAX] = "";
    struct jwks *set = jwks_parse(view_from_cstr(text), why);
    if (!set) fail_msg("%s: %s", text, why);
    return set;
}

/* What is said of a token; the queue of OpenSSL's errors must be empty then, or TLS would stumble over it. */
static const char *check(const struct jwks *set, struct view secret, struct view token) {
    const struct jwt_settings settings = {.secret = secret, .keys = set, .leeway_s = 30};
    struct jwt_claims claims;
    const char *reason = "no reason";
    bool good = jwt_check(&settings, token, NOW, &claims, &reason);
    assert_int_equal(ERR_peek_error(), 0);
    return good ? "good" : reason;
}

/* Replaces each %0 … %6 by the members of that key. */
static char *fill(const char *format) {
    struct buf out;
    buf_init(&out, JWKS_TEXT_MAX * 2);
    for (const char *at = format; *at; at++) {
        if (at[0] == '%')
            buf_append_view(&out, view_from_cstr(jwks[*++at - '0']));
        else
            buf_append_byte(&out, *at);
    }
    buf_append_byte(&out, '\0');
    size_t len;
    return buf_take(&out, &len);
}

/* ---- tokens ---- */

#define ALL                                                                                                  \
    "{\"keys\":[{%0,\"kid\":\"a\"},{%1,\"kid\":\"b\",\"use\":\"sig\",\"alg\":\"RS384\"},"                    \
    "{%3,\"kid\":\"p256\",\"alg\":\"ES256\"},{%4,\"kid\":\"p384\",\"key_ops\":[\"verify\"]},"                \
    "{%5,\"kid\":\"p521\"},{\"kty\":\"oct\",\"kid\":\"h\",\"k\":\"" K64 "\"}]}"
#define ONLY_RSA "{\"keys\":[{%0,\"kid\":\"a\"}]}"
#define NAMELESS "{\"keys\":[{%0},{%1}]}"

static const struct {
    const char *name, *set, *alg, *header;
    int key; /* -1: the HMAC of K32, -2: of K64, -3: of RSA_A's PEM */
    const char *says;
} rows[] = {
    {"RS256", ALL, "RS256", ",\"kid\":\"a\"", RSA_A, "good"},
    {"RS384", ALL, "RS384", ",\"kid\":\"a\"", RSA_A, "good"},
    {"RS512", ALL, "RS512", ",\"kid\":\"a\"", RSA_A, "good"},
    {"its one algorithm", ALL, "RS384", ",\"kid\":\"b\"", RSA_B, "good"},
    {"ES256", ALL, "ES256", ",\"kid\":\"p256\"", EC_256, "good"},
    {"ES384", ALL, "ES384", ",\"kid\":\"p384\"", EC_384, "good"},
    {"ES512", ALL, "ES512", ",\"kid\":\"p521\"", EC_521, "good"},
    {"HS256 of the set", ALL, "HS256", ",\"kid\":\"h\"", -2, "good"},
    {"HS512 of the set", ALL, "HS512", ",\"kid\":\"h\"", -2, "good"},

    {"pinned to another", ALL, "RS256", ",\"kid\":\"b\"", RSA_B, "not for its algorithm"},
    {"another key than it says", ALL, "RS256", ",\"kid\":\"a\"", RSA_B, "does not hold"},
    {"another curve's key", ALL, "ES256", ",\"kid\":\"p384\"", EC_256, "not for its algorithm"},
    {"another key of the curve", ALL, "ES256", ",\"kid\":\"p256\"", EC_256B, "does not hold"},
    {"RS256 with an EC key's name", ALL, "RS256", ",\"kid\":\"p256\"", RSA_A, "not for its algorithm"},
    {"ES256 with an RSA key's name", ALL, "ES256", ",\"kid\":\"a\"", EC_256, "not for its algorithm"},
    {"HS256 with the RSA key as secret", ALL, "HS256", ",\"kid\":\"a\"", -3, "not for its algorithm"},
    {"HS256 with the RSA key as secret, unnamed", ONLY_RSA, "HS256", "", -3, "no key for"},
    {"ES256, where there is only RSA", ONLY_RSA, "ES256", "", EC_256, "no key for"},
    {"none", ALL, "none", ",\"kid\":\"a\"", -1, "algorithm is not"},
    {"None", ALL, "None", "", -1, "algorithm is not"},
    {"nOnE", ALL, "nOnE", "", -1, "algorithm is not"},
    {"rs256", ALL, "rs256", ",\"kid\":\"a\"", RSA_A, "algorithm is not"},
    {"PS256 over a signature of RS256", ALL, "PS256", ",\"kid\":\"a\"", RSA_A, "signature does not hold"},
    {"EdDSA without a key for it", ALL, "EdDSA", "", RSA_A, "no key for"},

    {"no kid, one key", ONLY_RSA, "RS256", "", RSA_A, "good"},
    {"no kid, two keys, the second", NAMELESS, "RS256", "", RSA_B, "good"},
    {"no kid, two keys, neither", NAMELESS, "ES256", "", EC_256, "no key for"},
    {"no kid, four keys", "{\"keys\":[{%1},{%1},{%1},{%0}]}", "RS256", "", RSA_A, "good"},
    {"no kid, five keys", "{\"keys\":[{%0},{%1},{%0},{%1},{%0}]}", "RS256", "", RSA_A, "which of many"},
    {"a kid, and a key without", NAMELESS, "RS256", ",\"kid\":\"a\"", RSA_A, "not known here"},
    {"two keys of one name", "{\"keys\":[{%1,\"kid\":\"a\"},{%0,\"kid\":\"a\"}]}", "RS256", ",\"kid\":\"a\"",
     RSA_A, "good"},
    {"one name for two kinds", "{\"keys\":[{%3,\"kid\":\"a\"},{%0,\"kid\":\"a\"}]}", "RS256",
     ",\"kid\":\"a\"", RSA_A, "good"},
    {"an unknown kid", ALL, "RS256", ",\"kid\":\"A\"", RSA_A, "not known here"},
    {"a kid that begins right", ALL, "ES256", ",\"kid\":\"p256x\"", EC_256, "not known here"},
    {"an empty kid", ALL, "RS256", ",\"kid\":\"\"", RSA_A, "not known here"},
    {"a kid like a path", ALL, "RS256", ",\"kid\":\"../../../dev/null\"", RSA_A, "not known here"},
    {"a kid like SQL", ALL, "RS256", ",\"kid\":\"a' OR '1'='1\"", RSA_A, "not known here"},
    {"a kid with a NUL", ALL, "RS256", ",\"kid\":\"a\\u0000\"", RSA_A, "malformed"},
    {"a kid that is a number", ALL, "RS256", ",\"kid\":1", RSA_A, "kid is no text"},
    {"a kid that is null", ALL, "RS256", ",\"kid\":null", RSA_A, "kid is no text"},
    {"a kid that is a list", ALL, "RS256", ",\"kid\":[\"a\"]", RSA_A, "kid is no text"},
    {"two kids", ALL, "RS256", ",\"kid\":\"b\",\"kid\":\"a\"", RSA_A, "malformed"},
    {"two algs", ALL, "RS256", ",\"alg\":\"none\"", RSA_A, "malformed"},
    {"jku, x5u, x5c and jwk are not looked at", ALL, "RS256",
     ",\"kid\":\"a\",\"jku\":\"http://127.0.0.1:1/\",\"x5u\":\"http://127.0.0.1:1/\",\"x5c\":[\"AA\"],"
     "\"jwk\":{\"kty\":\"oct\",\"k\":\"" K32 "\"}",
     RSA_A, "good"},
    {"signed with the key that it brings", ALL, "HS256", ",\"jwk\":{\"kty\":\"oct\",\"k\":\"" K32 "\"}", -1,
     "does not hold"},
    {"crit", ALL, "RS256", ",\"kid\":\"a\",\"crit\":[\"exp\"]", RSA_A, "extensions"},
    {"b64", ALL, "RS256", ",\"kid\":\"a\",\"b64\":false,\"crit\":[\"b64\"]", RSA_A, "extensions"},
    {"zip", ALL, "RS256", ",\"kid\":\"a\",\"zip\":\"DEF\"", RSA_A, "extensions"},
};

static struct view secret_of(int key, char pem[2048]) {
    static const char k64[] = "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk";
    if (key == -1) return VIEW(SECRET);
    if (key == -2) return view_of(k64, 64);
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(bio, keys[RSA_A]);
    int len = BIO_read(bio, pem, 2048);
    BIO_free(bio);
    return view_of(pem, (size_t)len);
}

static void test_tokens(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *text = fill(rows[i].set), pem[2048];
        struct jwks *set = parse(text);
        struct buf token;
        struct view secret = rows[i].key < 0 ? secret_of(rows[i].key, pem) : (struct view){0};
        make_token(&token, rows[i].alg, rows[i].header, rows[i].key < 0 ? NULL : keys[rows[i].key], secret);
        const char *says = check(set, (struct view){0}, buf_view(&token));
        if (!strstr(says, rows[i].says)) fail_msg("%s: %s", rows[i].name, says);
        buf_done(&token);
        jwks_free(set);
        free(text);
    }
}

static void test_a_secret_beside_a_set(void **state) {
    (void)state;
    char *text = fill("{\"keys\":[{%0,\"kid\":\"a\"},{\"kty\":\"oct\",\"k\":\"" K64 "\"}]}"), pem[2048];
    struct jwks *set = parse(text);
    struct buf token;
    make_token(&token, "HS256", "", NULL, VIEW(SECRET));
    assert_string_equal(check(set, VIEW(SECRET), buf_view(&token)), "good");
    assert_string_equal(check(set, (struct view){0}, buf_view(&token)),
                        "the token's signature does not hold");
    buf_done(&token);
    make_token(&token, "HS256", "", NULL, secret_of(-2, pem));
    assert_string_equal(check(set, VIEW(SECRET), buf_view(&token)), "the token's signature does not hold");
    buf_done(&token);
    make_token(&token, "HS512", "", NULL, secret_of(-2, pem));
    assert_string_equal(check(set, VIEW(SECRET), buf_view(&token)), "good");
    buf_done(&token);
    make_token(&token, "RS256", ",\"kid\":\"a\"", keys[RSA_A], (struct view){0});
    assert_string_equal(check(set, VIEW(SECRET), buf_view(&token)), "good");
    assert_string_equal(check(NULL, VIEW(SECRET), buf_view(&token)), "the token is not signed with HS256");
    buf_done(&token);
    jwks_free(set);
    free(text);
}

/* Each character of a good token, changed; and what a token can have too much or too little of. */
static void test_texts(void **state) {
    (void)state;
    char *text = fill(ALL), longer[8192];
    struct jwks *set = parse(text);
    for (int key = RSA_A; key <= EC_256; key += EC_256 - RSA_A) {
        struct buf token;
        make_token(&token, key == RSA_A ? "RS256" : "ES256", "", keys[key], (struct view){0});
        char *bytes = token.ptr + token.start;
        size_t dot = view_find_last(buf_view(&token), '.');
        for (size_t i = 0; i < token.len; i += 7) {
            char kept = bytes[i];
            bytes[i] = kept == 'A' ? 'B' : 'A';
            if (strcmp(check(set, (struct view){0}, buf_view(&token)), "good") == 0) fail_msg("byte %zu", i);
            bytes[i] = kept;
        }
        const size_t cuts[] = {0, 1, dot - 1, dot, dot + 1, dot + 2, token.len - 1};
        for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++)
            assert_string_not_equal(check(set, (struct view){0}, view_of(bytes, cuts[i])), "good");
        snprintf(longer, sizeof(longer), "%.*s.AAAA", VIEW_ARG(buf_view(&token)));
        assert_string_equal(check(set, (struct view){0}, view_from_cstr(longer)), "the token is malformed");
        assert_string_equal(check(set, (struct view){0}, view_of(bytes, dot)), "the token is malformed");
        memset(longer, 'A', sizeof(longer));
        memcpy(longer, bytes, token.len);
        assert_string_equal(check(set, (struct view){0}, view_of(longer, sizeof(longer))),
                            "the token is too long");
        longer[token.len] = '\0';
        assert_string_equal(check(set, (struct view){0}, view_of(longer, token.len + 1)),
                            "the token is malformed");
        buf_done(&token);
    }
    jwks_free(set);
    free(text);
}

/* What is left out stands for six zero bits where somebody fills it up: one more text for the same token. */
static void test_a_signature_without_its_last_character(void **state) {
    (void)state;
    char *text = fill(ALL);
    struct jwks *set = parse(text);
    for (int tries = 0, found = 0; found < 2; tries++) {
        assert_in_range(tries, 0, 400); /* one in four ends so */
        struct buf token;
        make_token(&token, "ES256", "", keys[EC_256], (struct view){0});
        struct view whole = buf_view(&token), cut = view_slice(whole, 0, whole.len - 1);
        assert_string_equal(check(set, (struct view){0}, whole), "good");
        assert_string_equal(check(set, (struct view){0}, cut), "the token is malformed");
        found += whole.ptr[cut.len] == 'A';
        buf_done(&token);
    }
    jwks_free(set);
    free(text);
}

/* ---- sets ---- */

static const struct {
    const char *name, *text, *says; /* NULL: good */
    size_t count, passed_over;
} sets[] = {
    {"all kinds", ALL, NULL, 6, 0},
    {"members of the set that are not known", "{\"keys\":[{%0,\"x\":1}],\"issuer\":\"x\"}", NULL, 1, 0},
    {"use is enc", "{\"keys\":[{%0},{%1,\"use\":\"enc\"}]}", NULL, 1, 1},
    {"use is something else", "{\"keys\":[{%0},{%1,\"use\":\"other\"}]}", NULL, 1, 1},
    {"enc is not looked into", "{\"keys\":[{%0},{\"kty\":\"RSA\",\"use\":\"enc\"}]}", NULL, 1, 1},
    {"key_ops without verify", "{\"keys\":[{%0},{%1,\"key_ops\":[\"sign\",7]}]}", NULL, 1, 1},
    {"key_ops with verify", "{\"keys\":[{%0,\"key_ops\":[\"sign\",\"verify\"]}]}", NULL, 1, 0},
    {"an unknown kty", "{\"keys\":[{%0},{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"AA\"}]}", NULL, 1, 1},
    {"an unknown crv", "{\"keys\":[{%0},{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"AA\",\"y\":\"AA\"}]}",
     NULL, 1, 1},
    {"an unknown alg", "{\"keys\":[{%0},{%1,\"alg\":\"RSA-OAEP\"},{%1,\"alg\":\"PS256\"}]}", NULL, 2, 1},
    {"a private key", "{\"keys\":[{%0,\"d\":\"AQAB\"}]}", NULL, 1, 0},

    {"empty", "", "no JSON", 0, 0},
    {"cut", "{\"keys\":[", "no JSON (line 1, column 9)", 0, 0},
    {"no object", "[]", "list of keys", 0, 0},
    {"a key alone", "{%0}", "list of keys", 0, 0},
    {"keys is an object", "{\"keys\":{%0}}", "list of keys", 0, 0},
    {"no keys", "{\"keys\":[]}", "no key of it", 0, 0},
    {"none for us", "{\"keys\":[{%0,\"use\":\"enc\"}]}", "no key of it", 0, 0},
    {"keys twice", "{\"keys\":[{%0}],\"keys\":[]}", "each name once", 0, 0},
    {"a member twice", "{\"keys\":[{%0,\"kid\":\"a\",\"kid\":\"b\"}]}", "each name once", 0, 0},
    {"more behind it", "{\"keys\":[{%0}]}x", "no JSON", 0, 0},
    {"a NUL in it", "{\"keys\":[{%0,\"kid\":\"a\\u0000b\"}]}", "no JSON", 0, 0},
    {"no UTF-8", "{\"keys\":[{%0,\"kid\":\"\xff\"}]}", "no JSON", 0, 0},

    {"a key that is a text", "{\"keys\":[{%0},\"x\"]}", "key 2: it is no object", 0, 0},
    {"no kty", "{\"keys\":[{\"kid\":\"q\"}]}", "key 1 (kid \"q\"): its kty", 0, 0},
    {"kty is a number", "{\"keys\":[{\"kty\":1}]}", "key 1: its kty", 0, 0},
    {"kid is a number", "{\"keys\":[{%0,\"kid\":1}]}", "key 1: its kid", 0, 0},
    {"kid cannot be shown", "{\"keys\":[{\"kid\":\"a\\u001b[0m\"}]}", "key 1: its kty", 0, 0},
    {"kid of the first and the last that can be shown", "{\"keys\":[{\"kid\":\" ~\"}]}",
     "key 1 (kid \" ~\"): its kty", 0, 0},
    {"kid is DEL", "{\"keys\":[{\"kid\":\"\x7f\"}]}", "key 1: its kty", 0, 0},
    {"kid is US", "{\"keys\":[{\"kid\":\"\\u001f\"}]}", "key 1: its kty", 0, 0},
    {"kid is empty", "{\"keys\":[{\"kid\":\"\"}]}", "key 1: its kty", 0, 0},
    {"use is a list", "{\"keys\":[{%0,\"use\":[\"sig\"]}]}", "its use", 0, 0},
    {"alg is a number", "{\"keys\":[{%0,\"alg\":256}]}", "its alg is no text", 0, 0},
    {"key_ops is a text", "{\"keys\":[{%0,\"key_ops\":\"verify\"}]}", "its key_ops", 0, 0},
    {"alg of another kty", "{\"keys\":[{%0,\"alg\":\"ES256\"}]}", "its alg does not go", 0, 0},
    {"alg of another curve", "{\"keys\":[{%3,\"alg\":\"ES384\"}]}", "its alg does not go", 0, 0},
    {"alg HS256 for RSA", "{\"keys\":[{%0,\"alg\":\"HS256\"}]}", "its alg does not go", 0, 0},
    {"RSA of 1024 bits", "{\"keys\":[{%2,\"kid\":\"weak\"}]}", "key 1 (kid \"weak\"): its n has fewer", 0, 0},
    {"RSA without n", "{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\"}]}", "its n", 0, 0},
    {"RSA, n is a number", "{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":3}]}", "its n", 0, 0},
    {"RSA, n padded", "{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"AQ==\"}]}", "its n", 0, 0},
    {"RSA, n short", "{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"AQAB\"}]}", "fewer than 2048", 0, 0},
    {"EC without crv", "{\"keys\":[{\"kty\":\"EC\",\"x\":\"AA\",\"y\":\"AA\"}]}", "its crv", 0, 0},
    {"EC, x short", "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}]}", "its x", 0,
     0},
    {"EC, y short", "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" K32 "\",\"y\":\"AA\"}]}", "its y",
     0, 0},
    {"EC, y missing", "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" K32 "\"}]}", "its y", 0, 0},
    {"EC, off the curve",
     "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" K32 "\",\"y\":\"" K32 "\"}]}",
     "not on its curve", 0, 0},
    {"EC, at infinity",
     "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
     "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}]}",
     "not on its curve", 0, 0},
    {"oct without k", "{\"keys\":[{\"kty\":\"oct\"}]}", "its k is missing", 0, 0},
    {"oct, empty", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"\"}]}", "its k is missing", 0, 0},
    {"oct of 8 bytes", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"MDEyMzQ1Njc\"}]}", "fewer than 32", 0, 0},
    {"oct of 48 bytes", "{\"keys\":[{\"kty\":\"oct\",\"alg\":\"HS384\",\"k\":\"" K48 "\"}]}", NULL, 1, 0},
    {"oct of 64 bytes", "{\"keys\":[{\"kty\":\"oct\",\"alg\":\"HS512\",\"k\":\"" K64 "\"}]}", NULL, 1, 0},
    {"oct of 47 bytes", "{\"keys\":[{\"kty\":\"oct\",\"alg\":\"HS384\",\"k\":\"" K47 "\"}]}",
     "its alg does not go", 0, 0},
    {"oct of 63 bytes", "{\"keys\":[{\"kty\":\"oct\",\"alg\":\"HS512\",\"k\":\"" K63 "\"}]}",
     "its alg does not go", 0, 0},
    {"oct, too short for its alg", "{\"keys\":[{\"kty\":\"oct\",\"alg\":\"HS512\",\"k\":\"" K48 "\"}]}",
     "its alg does not go", 0, 0},
};

static void test_sets(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        char *text = fill(sets[i].text), why[JWKS_WHY_MAX] = "";
        struct jwks *set = jwks_parse(view_from_cstr(text), why);
        assert_int_equal(ERR_peek_error(), 0);
        if (!sets[i].says) {
            if (!set) fail_msg("%s: %s", sets[i].name, why);
            assert_int_equal(jwks_count(set), sets[i].count);
            assert_int_equal(jwks_passed_over(set), sets[i].passed_over);
        } else if (set || !strstr(why, sets[i].says)) {
            fail_msg("%s: %s", sets[i].name, set ? "good" : why);
        }
        if (strstr(why, "MDEy")) fail_msg("%s: %s", sets[i].name, why);
        jwks_free(set);
        free(text);
    }
}

/* Numbers that OpenSSL would take, and nobody should. */
static void test_weak_rsa(void **state) {
    (void)state;
    static const struct {
        const char *e, *says;
    } exponents[] = {{"AQ", "its e is no exponent"}, /* 1 */
                     {"AA", "its e is no exponent"},
                     {"Ag", "its e is no exponent"},           /* 2 */
                     {"AQAAAAAAAAAB", "its e is no exponent"}, /* 2^64 + 1 */
                     {"gAAAAAAAAAE", NULL},                    /* 2^63 + 1 */
                     {"", "its e is missing"},
                     {"Aw", NULL}}; /* 3 */
    const char *n = strstr(jwks[RSA_A], "\"n\"");
    for (size_t i = 0; i < sizeof(exponents) / sizeof(exponents[0]); i++) {
        char text[2048], why[JWKS_WHY_MAX] = "good";
        snprintf(text, sizeof(text), "{\"keys\":[{\"kty\":\"RSA\",\"e\":\"%s\",%s}]}", exponents[i].e, n);
        struct jwks *set = jwks_parse(view_from_cstr(text), why);
        if (exponents[i].says ? set || !strstr(why, exponents[i].says) : !set)
            fail_msg("e %s: %s", exponents[i].e, why);
        jwks_free(set);
    }
    char even[512], text[1024], why[JWKS_WHY_MAX];
    unsigned char bytes[256] = {0xc0};
    even[base64url_encode(view_of(bytes, sizeof(bytes)), even)] = '\0';
    snprintf(text, sizeof(text), "{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"%s\"}]}", even);
    assert_null(jwks_parse(view_from_cstr(text), why));
    assert_string_equal(why, "key 1: its n is no modulus");
}

/* A number may have JWK_BYTES_MAX bytes. */
static void test_long_numbers(void **state) {
    (void)state;
    static const size_t lengths[] = {JWK_BYTES_MAX, JWK_BYTES_MAX + 1, JWK_BYTES_MAX + 2, JWK_BYTES_MAX + 64};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        char bytes[JWK_BYTES_MAX + 64], encoded[2 * JWK_BYTES_MAX], text[3 * JWK_BYTES_MAX],
            why[JWKS_WHY_MAX];
        memset(bytes, 'k', sizeof(bytes));
        encoded[base64url_encode(view_of(bytes, lengths[i]), encoded)] = '\0';
        snprintf(text, sizeof(text), "{\"keys\":[{\"kty\":\"oct\",\"k\":\"%s\"}]}", encoded);
        struct jwks *set = jwks_parse(view_from_cstr(text), why);
        assert_int_equal(set != NULL, lengths[i] <= JWK_BYTES_MAX);
        jwks_free(set);
    }
}

static void test_what_is_no_key_leaves_nothing(void **state) {
    (void)state;
    static const char *const texts[] = {"{}", "{\"kty\":\"OKP\"}",
                                        "{\"kty\":\"oct\",\"kid\":\"a\",\"alg\":\"x\",\"k\":\"" K32 "\"}"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        json_t *json = json_loads(texts[i], 0, NULL);
        struct jwk key;
        const char *why;
        memset(&key, 0xff, sizeof(key));
        assert_int_not_equal(jwk_read(json, &key, &why), JWK_USABLE);
        assert_true(!key.kid && !key.material && key.algs == 0 && key.len == 0);
        json_decref(json);
    }
}

static void assert_file(const char *path, int error, size_t len) {
    struct buf text;
    buf_init(&text, JWKS_READ_MAX);
    assert_int_equal(jwks_read_file(path, &text), error);
    assert_int_equal(text.len, len);
    buf_done(&text);
}

static size_t open_files(void) {
    size_t count = 0;
    for (int fd = 0; fd < 256; fd++) count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void test_files(void **state) {
    (void)state;
    static const size_t lengths[] = {
        0, 1, 4096, 4097, JWKS_TEXT_MAX, JWKS_TEXT_MAX + 1, JWKS_TEXT_MAX + 100000};
    char folder[] = "/tmp/test-jwks-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/set", folder);
    size_t before = open_files();
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        for (size_t at = 0; at < lengths[i]; at++) putc('a' + (int)(at % 26), file);
        fclose(file);
        struct buf text;
        buf_init(&text, JWKS_READ_MAX);
        assert_int_equal(jwks_read_file(path, &text), 0);
        /* enough to see that it is too large, and no more */
        if (lengths[i] <= JWKS_TEXT_MAX)
            assert_int_equal(text.len, lengths[i]);
        else
            assert_in_range(text.len, JWKS_TEXT_MAX + 1, JWKS_TEXT_MAX + 4096);
        for (size_t at = 0; at < text.len; at++) assert_int_equal(buf_view(&text).ptr[at], 'a' + at % 26);
        buf_done(&text);
        unlink(path);
    }
    assert_file(path, ENOENT, 0);
    assert_file(folder, EISDIR, 0);
    assert_file("/dev/null", EINVAL, 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_file(path, EINVAL, 0);
    assert_int_equal(open_files(), before);
    struct buf small;
    buf_init(&small, 10);
    unlink(path);
    FILE *file = fopen(path, "w");
    fclose(file);
    assert_int_equal(jwks_read_file(path, &small), ENOMEM);
    buf_done(&small);
    unlink(path);
    rmdir(folder);
}

static void test_bounds(void **state) {
    (void)state;
    for (size_t count = JWKS_KEYS_MAX; count <= JWKS_KEYS_MAX + 1; count++) {
        struct buf text;
        char why[JWKS_WHY_MAX];
        buf_init(&text, JWKS_TEXT_MAX * 2);
        buf_printf(&text, "{\"keys\":[");
        for (size_t i = 0; i < count; i++)
            buf_printf(&text, "%s{\"kty\":\"oct\",\"kid\":\"%zu\",\"k\":\"" K32 "\"}", i ? "," : "", i);
        buf_printf(&text, "]}");
        struct jwks *set = jwks_parse(buf_view(&text), why);
        assert_int_equal(set != NULL, count <= JWKS_KEYS_MAX);
        if (!set) assert_string_equal(why, "it has more than 64 keys");
        const struct jwk *found[JWKS_TRIES_MAX];
        if (set) assert_int_equal(jwks_find(set, JWS_HS256, (struct view){0}, found), count);
        jwks_free(set);
        while (text.len < JWKS_TEXT_MAX) buf_append_byte(&text, ' ');
        set = jwks_parse(buf_view(&text), why);
        assert_int_equal(set != NULL, count <= JWKS_KEYS_MAX);
        jwks_free(set);
        char *room = buf_reserve(&text, JWKS_TEXT_MAX);
        memset(room, ' ', JWKS_TEXT_MAX);
        buf_commit(&text, JWKS_TEXT_MAX);
        assert_null(jwks_parse(buf_view(&text), why));
        assert_string_equal(why, "it is larger than 64 KiB");
        buf_done(&text);
    }
    char name[JWK_KID_MAX + 2], text[1024], why[JWKS_WHY_MAX];
    for (size_t len = JWK_KID_MAX; len <= JWK_KID_MAX + 1; len++) {
        memset(name, 'x', len);
        name[len] = '\0';
        snprintf(text, sizeof(text), "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"%s\",\"k\":\"" K32 "\"}]}", name);
        struct jwks *set = jwks_parse(view_from_cstr(text), why);
        assert_int_equal(set != NULL, len <= JWK_KID_MAX);
        jwks_free(set);
    }
    assert_null(jwks_parse((struct view){0}, why));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_a_secret_beside_a_set),
        cmocka_unit_test(test_a_signature_without_its_last_character),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_sets),
        cmocka_unit_test(test_weak_rsa),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_long_numbers),
        cmocka_unit_test(test_what_is_no_key_leaves_nothing),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
