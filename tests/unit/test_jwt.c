/* Agents' tokens: what is good, and each attack on the list of RFC 8725 that concerns HS256. Tokens are
 * signed here with OpenSSL, not with what is tested. */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth/jwt.h"
#include "base/base64.h"
#include "cmocka_setup.h"

#define NOW 1700000000u
#define KEY "0123456789abcdef0123456789abcdef"
#define HS256 "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define ALICE "{\"sub\":\"alice\",\"exp\":1700000100}"

static const struct jwt_settings plain = {.secret = {KEY, 32}, .leeway_s = 30};
static const struct jwt_settings bound = {
    .secret = {KEY, 32}, .audience = {"tunnels", 7}, .issuer = {"us", 2}, .leeway_s = 30};

static void append_base64url(struct buf *out, struct view v) {
    char *room = buf_reserve(out, base64_encoded_len(v.len) + 1);
    assert_non_null(room);
    buf_commit(out, base64url_encode(v, room));
}

static void sign(struct buf *out, struct view header, struct view payload, const EVP_MD *hash,
                 struct view key) {
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    buf_init(out, 64 * 1024);
    append_base64url(out, header);
    buf_append_byte(out, '.');
    append_base64url(out, payload);
    HMAC(hash, key.ptr, (int)key.len, (const unsigned char *)buf_view(out).ptr, out->len, mac, &len);
    buf_append_byte(out, '.');
    append_base64url(out, view_of(mac, len));
}

static const char *check(const struct jwt_settings *settings, struct view token, struct jwt_claims *claims) {
    const char *reason = "no reason";
    return jwt_check(settings, token, NOW, claims, &reason) ? "good" : reason;
}

static const struct {
    const char *name, *header, *payload, *says; /* rightly signed with HS256 and our key */
    const struct jwt_settings *settings;
} rows[] = {
    {"good", HS256, ALICE, "good", &plain},
    {"no typ", "{\"alg\":\"HS256\"}", ALICE, "good", &plain},
    {"typ in lower case", "{\"alg\":\"HS256\",\"typ\":\"jwt\"}", ALICE, "good", &plain},
    {"kid, jku, x5u and jwk are not looked at",
     "{\"alg\":\"HS256\",\"kid\":\"../../etc/passwd\",\"jku\":\"http://evil/\",\"x5u\":\"http://evil/\","
     "\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"}}",
     ALICE, "good", &plain},

    {"none", "{\"alg\":\"none\"}", ALICE, "HS256", &plain},
    {"None", "{\"alg\":\"None\"}", ALICE, "HS256", &plain},
    {"nOnE", "{\"alg\":\"nOnE\"}", ALICE, "HS256", &plain},
    {"hs256", "{\"alg\":\"hs256\"}", ALICE, "HS256", &plain},
    {"HS256 and a NUL", "{\"alg\":\"HS256\\u0000\"}", ALICE, "malformed", &plain},
    {"HS384", "{\"alg\":\"HS384\"}", ALICE, "HS256", &plain},
    {"HS512", "{\"alg\":\"HS512\"}", ALICE, "HS256", &plain},
    {"RS256", "{\"alg\":\"RS256\"}", ALICE, "HS256", &plain},
    {"ES256", "{\"alg\":\"ES256\"}", ALICE, "HS256", &plain},
    {"PS256", "{\"alg\":\"PS256\"}", ALICE, "HS256", &plain},
    {"EdDSA", "{\"alg\":\"EdDSA\"}", ALICE, "HS256", &plain},
    {"alg is empty", "{\"alg\":\"\"}", ALICE, "HS256", &plain},
    {"no alg", "{\"typ\":\"JWT\"}", ALICE, "HS256", &plain},
    {"alg is a number", "{\"alg\":256}", ALICE, "HS256", &plain},
    {"alg is a list", "{\"alg\":[\"HS256\"]}", ALICE, "HS256", &plain},
    {"two algs", "{\"alg\":\"none\",\"alg\":\"HS256\"}", ALICE, "malformed", &plain},
    {"crit", "{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", ALICE, "extensions", &plain},
    {"zip", "{\"alg\":\"HS256\",\"zip\":\"DEF\"}", ALICE, "extensions", &plain},
    {"another typ", "{\"alg\":\"HS256\",\"typ\":\"JWE\"}", ALICE, "type JWT", &plain},
    {"typ is a number", "{\"alg\":\"HS256\",\"typ\":1}", ALICE, "type JWT", &plain},
    {"the header is a list", "[\"HS256\"]", ALICE, "malformed", &plain},
    {"the header is no JSON", "HS256", ALICE, "malformed", &plain},
    {"behind the header is more", HS256 "{}", ALICE, "malformed", &plain},

    {"expired", HS256, "{\"sub\":\"a\",\"exp\":1699999970}", "expired", &plain},
    {"expired within the leeway", HS256, "{\"sub\":\"a\",\"exp\":1699999971}", "good", &plain},
    {"no exp", HS256, "{\"sub\":\"a\"}", "never expires", &plain},
    {"exp is a text", HS256, "{\"sub\":\"a\",\"exp\":\"1700000100\"}", "not a date", &plain},
    {"exp is negative", HS256, "{\"sub\":\"a\",\"exp\":-1}", "not a date", &plain},
    {"exp is 0", HS256, "{\"sub\":\"a\",\"exp\":0}", "expired", &plain},
    {"exp is huge", HS256, "{\"sub\":\"a\",\"exp\":1e300}", "not a date", &plain},
    {"exp at its bound", HS256, "{\"sub\":\"a\",\"exp\":1000000000000000}", "not a date", &plain},
    {"exp before its bound", HS256, "{\"sub\":\"a\",\"exp\":999999999999999}", "good", &plain},
    {"exp is beyond integers", HS256, "{\"sub\":\"a\",\"exp\":99999999999999999999}", "malformed", &plain},
    {"exp is null", HS256, "{\"sub\":\"a\",\"exp\":null}", "not a date", &plain},
    {"exp is true", HS256, "{\"sub\":\"a\",\"exp\":true}", "not a date", &plain},
    {"exp with a fraction", HS256, "{\"sub\":\"a\",\"exp\":1700000100.5}", "good", &plain},
    {"two exps", HS256, "{\"sub\":\"a\",\"exp\":1,\"exp\":1700000100}", "malformed", &plain},
    {"not yet", HS256, "{\"sub\":\"a\",\"exp\":1700000100,\"nbf\":1700000031}", "not valid yet", &plain},
    {"nearly yet", HS256, "{\"sub\":\"a\",\"exp\":1700000100,\"nbf\":1700000030}", "good", &plain},
    {"nbf is a text", HS256, "{\"sub\":\"a\",\"exp\":1700000100,\"nbf\":\"0\"}", "nbf", &plain},
    {"from the future", HS256, "{\"sub\":\"a\",\"exp\":1700000100,\"iat\":1700000031}", "future", &plain},
    {"hardly from the future", HS256, "{\"sub\":\"a\",\"exp\":1700000100,\"iat\":1700000030}", "good",
     &plain},
    {"iat is a text", HS256, "{\"sub\":\"a\",\"exp\":1700000100,\"iat\":\"0\"}", "iat", &plain},

    {"no sub", HS256, "{\"exp\":1700000100}", "subject", &plain},
    {"sub is empty", HS256, "{\"sub\":\"\",\"exp\":1700000100}", "subject", &plain},
    {"sub is a number", HS256, "{\"sub\":7,\"exp\":1700000100}", "subject", &plain},
    {"sub has a line break", HS256, "{\"sub\":\"a\\nb\",\"exp\":1700000100}", "subject", &plain},
    {"sub begins with a control byte", HS256, "{\"sub\":\"\\u0001a\",\"exp\":1700000100}", "subject", &plain},
    {"sub has a DEL", HS256,
     "{\"sub\":\"a\x7f"
     "b\",\"exp\":1700000100}",
     "subject", &plain},
    {"sub has bytes above", HS256, "{\"sub\":\"a \\u0080\",\"exp\":1700000100}", "good", &plain},
    {"sub has a NUL", HS256, "{\"sub\":\"a\\u0000b\",\"exp\":1700000100}", "malformed", &plain},
    {"two subs", HS256, "{\"sub\":\"a\",\"sub\":\"b\",\"exp\":1700000100}", "malformed", &plain},
    {"the payload is a text", HS256, "\"alice\"", "malformed", &plain},
    {"the payload is no JSON", HS256, "alice", "malformed", &plain},

    {"aud and iss are not looked at", HS256, "{\"sub\":\"a\",\"exp\":1700000100,\"aud\":\"x\",\"iss\":\"y\"}",
     "good", &plain},
    {"aud and iss", HS256, "{\"sub\":\"a\",\"exp\":1700000100,\"aud\":\"tunnels\",\"iss\":\"us\"}", "good",
     &bound},
    {"aud among others", HS256,
     "{\"sub\":\"a\",\"exp\":1700000100,\"aud\":[\"x\",\"tunnels\"],\"iss\":\"us\"}", "good", &bound},
    {"aud before others", HS256,
     "{\"sub\":\"a\",\"exp\":1700000100,\"aud\":[\"tunnels\",\"x\"],\"iss\":\"us\"}", "good", &bound},
    {"another aud", HS256, "{\"sub\":\"a\",\"exp\":1700000100,\"aud\":\"tunnel\",\"iss\":\"us\"}", "audience",
     &bound},
    {"no aud of them", HS256,
     "{\"sub\":\"a\",\"exp\":1700000100,\"aud\":[\"x\",1,[\"tunnels\"]],\"iss\":\"us\"}", "audience", &bound},
    {"aud is an object", HS256, "{\"sub\":\"a\",\"exp\":1700000100,\"aud\":{\"tunnels\":1},\"iss\":\"us\"}",
     "audience", &bound},
    {"no aud", HS256, "{\"sub\":\"a\",\"exp\":1700000100,\"iss\":\"us\"}", "audience", &bound},
    {"another iss", HS256, "{\"sub\":\"a\",\"exp\":1700000100,\"aud\":\"tunnels\",\"iss\":\"them\"}",
     "issuer", &bound},
    {"iss is a list", HS256, "{\"sub\":\"a\",\"exp\":1700000100,\"aud\":\"tunnels\",\"iss\":[\"us\"]}",
     "issuer", &bound},
    {"no iss", HS256, "{\"sub\":\"a\",\"exp\":1700000100,\"aud\":\"tunnels\"}", "issuer", &bound},
};

static void test_rows(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct jwt_claims claims;
        struct buf token;
        sign(&token, view_from_cstr(rows[i].header), view_from_cstr(rows[i].payload), EVP_sha256(),
             VIEW(KEY));
        const char *says = check(rows[i].settings, buf_view(&token), &claims);
        if (!strstr(says, rows[i].says)) fail_msg("%s: %s", rows[i].name, says);
        buf_done(&token);
    }
}

static void test_the_subject(void **state) {
    (void)state;
    struct jwt_claims claims;
    struct buf token;
    sign(&token, VIEW(HS256), VIEW(ALICE), EVP_sha256(), VIEW(KEY));
    assert_string_equal(check(&plain, buf_view(&token), &claims), "good");
    assert_string_equal(claims.subject, "alice");
    assert_int_equal(claims.expires_s, 1700000100);
    buf_done(&token);
    for (int len = JWT_SUBJECT_MAX; len <= JWT_SUBJECT_MAX + 1; len++) {
        char payload[256];
        snprintf(payload, sizeof(payload), "{\"sub\":\"%0*d\",\"exp\":1700000100}", len, 0);
        sign(&token, VIEW(HS256), view_from_cstr(payload), EVP_sha256(), VIEW(KEY));
        bool good = strcmp(check(&plain, buf_view(&token), &claims), "good") == 0;
        assert_int_equal(good, len == JWT_SUBJECT_MAX);
        buf_done(&token);
    }
}

static void refused(const char *name, const struct jwt_settings *settings, struct view token) {
    struct jwt_claims claims;
    memset(&claims, 'x', sizeof(claims));
    const char *says = check(settings, token, &claims);
    if (strcmp(says, "good") == 0) fail_msg("%s", name);
    assert_string_equal(claims.subject, "");
}

static void test_signatures(void **state) {
    (void)state;
    struct buf token;
    sign(&token, VIEW(HS256), VIEW(ALICE), EVP_sha256(), VIEW("another key of thirty-two bytes!"));
    refused("another key", &plain, buf_view(&token));
    buf_done(&token);
    sign(&token, VIEW(HS256), VIEW(ALICE), EVP_sha512(), VIEW(KEY));
    refused("another hash under the name HS256", &plain, buf_view(&token));
    buf_done(&token);
    struct jwt_settings none = {.leeway_s = 30}, brief = {.secret = VIEW("brief"), .leeway_s = 30};
    sign(&token, VIEW(HS256), VIEW(ALICE), EVP_sha256(), VIEW(""));
    refused("no key", &none, buf_view(&token));
    buf_done(&token);
    sign(&token, VIEW(HS256), VIEW(ALICE), EVP_sha256(), VIEW("brief"));
    refused("a short key", &brief, buf_view(&token));
    buf_done(&token);
}

/* Each byte of a good token, changed. */
static void test_bytes(void **state) {
    (void)state;
    struct buf token;
    sign(&token, VIEW(HS256), VIEW(ALICE), EVP_sha256(), VIEW(KEY));
    char *bytes = token.ptr + token.start;
    for (size_t i = 0; i < token.len; i++) {
        static const char others[] = {'A', 'B', '=', '.', ' ', '\0', '\n', '+', '/', '\xff'};
        for (size_t j = 0; j < sizeof(others); j++) {
            char kept = bytes[i];
            if (others[j] == kept) continue;
            bytes[i] = others[j];
            refused("a changed byte", &plain, buf_view(&token));
            bytes[i] = kept;
        }
    }
    buf_done(&token);
}

static void test_texts(void **state) {
    (void)state;
    struct buf token, other;
    sign(&token, VIEW(HS256), VIEW(ALICE), EVP_sha256(), VIEW(KEY));
    struct view good = buf_view(&token);
    size_t last = view_find_last(good, '.');
    refused("empty", &plain, VIEW(""));
    refused("dots", &plain, VIEW(".."));
    refused("two segments", &plain, view_slice(good, 0, last));
    refused("no signature", &plain, view_slice(good, 0, last + 1));
    refused("cut", &plain, view_slice(good, 0, good.len - 1));
    static const char *const behind[] = {"=", " ", "\n", ".", ".x", "A"};
    for (size_t i = 0; i < sizeof(behind) / sizeof(behind[0]); i++) {
        buf_init(&other, 8192);
        buf_append_view(&other, good);
        buf_append_view(&other, view_from_cstr(behind[i]));
        refused("more behind it", &plain, buf_view(&other));
        buf_done(&other);
    }
    buf_init(&other, 8192);
    buf_append_byte(&other, ' ');
    buf_append_view(&other, good);
    refused("a blank before it", &plain, buf_view(&other));
    buf_done(&other);
    buf_init(&other, 8192);
    buf_append_view(&other, good);
    buf_append_byte(&other, '\0');
    refused("a NUL behind it", &plain, buf_view(&other));
    buf_done(&other);
    buf_done(&token);
}

static void test_lengths(void **state) {
    (void)state;
    for (size_t pad = 2900; pad < 8192; pad += 37) {
        struct buf payload, token;
        struct jwt_claims claims;
        buf_init(&payload, 16384);
        buf_printf(&payload, "{\"sub\":\"a\",\"exp\":1700000100,\"pad\":\"%0*d\"}", (int)pad, 0);
        sign(&token, VIEW(HS256), buf_view(&payload), EVP_sha256(), VIEW(KEY));
        const char *says = check(&plain, buf_view(&token), &claims);
        assert_string_equal(says, token.len <= JWT_TOKEN_MAX ? "good" : "the token is too long");
        buf_done(&payload);
        buf_done(&token);
    }
}

static void test_issue(void **state) {
    (void)state;
    struct jwt_claims claims;
    struct buf token;
    const char *reason;
    buf_init(&token, JWT_TOKEN_MAX);
    assert_true(jwt_issue(&bound, VIEW("alice \xc3\xa9"), NOW, 60, &token));
    assert_string_equal(check(&bound, buf_view(&token), &claims), "good");
    assert_string_equal(claims.subject, "alice \xc3\xa9");
    assert_int_equal(claims.expires_s, NOW + 60);
    assert_true(jwt_check(&bound, buf_view(&token), NOW + 89, &claims, &reason));
    assert_false(jwt_check(&bound, buf_view(&token), NOW + 90, &claims, &reason));
    buf_clear(&token);
    assert_true(jwt_issue(&plain, VIEW("alice"), NOW, 60, &token));
    assert_string_equal(check(&bound, buf_view(&token), &claims), "the token is of another issuer");
    buf_clear(&token);
    struct jwt_settings none = {.leeway_s = 0};
    assert_false(jwt_issue(&none, VIEW("alice"), NOW, 60, &token));
    assert_false(jwt_issue(&plain, VIEW(""), NOW, 60, &token));
    assert_false(jwt_issue(&plain, VIEW("a\nb"), NOW, 60, &token));
    assert_false(jwt_issue(&plain, VIEW("alice"), NOW, UINT64_MAX, &token));
    assert_false(jwt_issue(&plain, VIEW("alice"), NOW, UINT64_C(1000000000000000) - NOW, &token));
    assert_false(jwt_issue(&plain, VIEW("not UTF-8 \xff"), NOW, 60, &token));
    assert_int_equal(token.len, 0);
    assert_true(jwt_issue(&plain, VIEW("alice"), NOW, 0, &token)); /* which has expired */
    buf_done(&token);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),  cmocka_unit_test(test_the_subject), cmocka_unit_test(test_signatures),
        cmocka_unit_test(test_bytes), cmocka_unit_test(test_texts),       cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_issue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
