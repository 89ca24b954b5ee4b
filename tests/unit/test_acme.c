/* Certificates that come by themselves: what an authority says, which names, when, and what is signed. */
#include <openssl/x509v3.h>

#include "acme/acme_answer.h"
#include "acme/acme_jws.h"
#include "acme/acme_names.h"
#include "acme/acme_request.h"
#include "acme/acme_seal.h"
#include "acme/acme_waits.h"
#include "base/base64.h"
#include "cmocka_setup.h"

/* ---- answers ---- */

#define DIRECTORY(more)                                                                                      \
    "{\"newNonce\":\"https://a/n\",\"newAccount\":\"https://a/a\",\"newOrder\":\"https://a/o\"" more "}"

static const struct {
    const char *text;
    bool is_good, wants_binding;
} directories[] = {
    {DIRECTORY(""), true, false},
    {DIRECTORY(",\"meta\":{\"termsOfService\":\"https://a/t\",\"externalAccountRequired\":true}"), true,
     true},
    {DIRECTORY(",\"meta\":[]"), true, false},
    {DIRECTORY(",\"newNonce\":\"https://b/n\""), false, false}, /* twice */
    {DIRECTORY("") "x", false, false},
    {"", false, false},
    {"[]", false, false},
    {"null", false, false},
    {"{\"newNonce\":\"http://a/n\",\"newAccount\":\"https://a/a\",\"newOrder\":\"https://a/o\"}", false,
     false},
    {"{\"newNonce\":\"https://a/n\",\"newAccount\":7,\"newOrder\":\"https://a/o\"}", false, false},
    {"{\"newNonce\":\"https://a/n\",\"newOrder\":\"https://a/o\"}", false, false},
};

static void test_directories(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
        struct acme_directory directory;
        bool is_good = acme_directory_parse(view_from_cstr(directories[i].text), &directory);
        if (is_good != directories[i].is_good ||
            (is_good && directory.wants_binding != directories[i].wants_binding))
            fail_msg("%s", directories[i].text);
    }
}

static const struct {
    const char *url;
    bool is_good;
} urls[] = {
    {"https://a", true},           {"https://a:14000/x?y=%20", true},
    {"https://[::1]/", true},      {"http://a/", false},
    {"https://", false},           {"https:///x", false},
    {"https://:1/", false},        {"https://u@a/", false},
    {"https://a/\"", false},       {"https://a/\\", false},
    {"https://a/ b", false},       {"https://a/#f", false},
    {"https://a/\xc3\xa4", false}, {"HTTPS://a/", false},
    {"https://a/\r\nx: y", false},
};

static void test_urls(void **state) {
    (void)state;
    char longest[ACME_URL_MAX + 2] = "https://a/";
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
        if (acme_url_is_good(view_from_cstr(urls[i].url)) != urls[i].is_good) fail_msg("%s", urls[i].url);
    memset(longest + strlen(longest), 'x', sizeof(longest) - 1 - strlen(longest));
    assert_false(acme_url_is_good(view_of(longest, ACME_URL_MAX + 1)));
    assert_true(acme_url_is_good(view_of(longest, ACME_URL_MAX)));
}

static void test_words(void **state) {
    (void)state;
    assert_true(acme_word_is_good(VIEW("aZ09-_"), 6));
    assert_false(acme_word_is_good(VIEW("aZ09-_"), 5));
    assert_false(acme_word_is_good(VIEW(""), 5));
    assert_false(acme_word_is_good(VIEW("a/b"), 5));
    assert_false(acme_word_is_good(VIEW("a.b"), 5));
    assert_false(acme_word_is_good(VIEW("a="), 5));
}

static void test_retry_after(void **state) {
    (void)state;
    assert_int_equal(acme_retry_after_ms(VIEW("120")), 120000);
    assert_int_equal(acme_retry_after_ms(VIEW("999999999")), 86400000);
    assert_int_equal(acme_retry_after_ms(VIEW("Fri, 31 Dec 1999 23:59:59 GMT")), 0);
    assert_int_equal(acme_retry_after_ms(VIEW("-1")), 0);
    assert_int_equal(acme_retry_after_ms((struct view){0}), 0);
}

#define ORDER(status, urls, more)                                                                            \
    "{\"status\":\"" status "\",\"authorizations\":[" urls "],\"finalize\":\"https://a/f\"" more "}"

static void test_orders(void **state) {
    (void)state;
    struct acme_order_word order;
    assert_true(acme_order_parse(VIEW(ORDER("pending", "\"https://a/1\",\"https://a/2\"", "")), &order));
    assert_int_equal(order.state, ACME_PENDING);
    assert_int_equal(order.count, 2);
    assert_string_equal(order.authorizations[1], "https://a/2");
    assert_false(acme_order_parse(VIEW(ORDER("pending", "", "")), &order));
    assert_false(acme_order_parse(
        VIEW(ORDER("pending", "\"https://a/1\",\"https://a/2\",\"https://a/3\"", "")), &order));
    assert_false(acme_order_parse(VIEW(ORDER("pending", "1", "")), &order));
    assert_false(acme_order_parse(VIEW(ORDER("valid", "\"https://a/1\"", "")), &order)); /* where is it? */
    assert_true(acme_order_parse(VIEW(ORDER("valid", "\"https://a/1\"", ",\"certificate\":\"https://a/c\"")),
                                 &order));
    assert_string_equal(order.certificate, "https://a/c");
    assert_true(acme_order_parse(
        VIEW(ORDER("invalid", "\"https://a/1\"",
                   ",\"error\":{\"type\":\"urn:ietf:params:acme:error:caa\",\"detail\":\"no\"}")),
        &order));
    assert_int_equal(order.state, ACME_INVALID);
    assert_string_equal(order.problem.type, "caa");
    assert_true(acme_order_parse(VIEW(ORDER("dancing", "\"https://a/1\"", "")), &order));
    assert_int_equal(order.state, ACME_INVALID);
}

static void test_authorizations(void **state) {
    (void)state;
    struct acme_authorization authorization;
    assert_true(
        acme_authorization_parse(VIEW("{\"status\":\"pending\",\"identifier\":{\"type\":\"dns\",\"value\":"
                                      "\"a.example\"},\"challenges\":["
                                      "{\"type\":\"new-99\",\"url\":\"https://a/9\",\"token\":\"t\"},"
                                      "{\"type\":\"http-01\",\"url\":\"https://a/h\",\"token\":\"a/../b\"},"
                                      "{\"type\":\"dns-01\",\"url\":\"https://a/"
                                      "d\",\"token\":\"tok_en-1\",\"error\":{\"detail\":\"hm\"}}, 7]}"),
                                 &authorization));
    assert_string_equal(authorization.name, "a.example");
    assert_string_equal(authorization.challenges[ACME_HTTP].url, ""); /* its token is a path */
    assert_string_equal(authorization.challenges[ACME_TLS].url, "");
    assert_string_equal(authorization.challenges[ACME_DNS].url, "https://a/d");
    assert_string_equal(authorization.challenges[ACME_DNS].token, "tok_en-1");
    assert_string_equal(authorization.problem.detail, "hm");
    assert_false(
        acme_authorization_parse(VIEW("{\"status\":\"pending\",\"challenges\":[]}"), &authorization));
    assert_false(acme_authorization_parse(
        VIEW("{\"status\":\"valid\",\"identifier\":{\"type\":\"ip\",\"value\":\"192.0.2.1\"}}"),
        &authorization));
}

/* ---- names ---- */

static const struct {
    const char *name;
    bool is_good;
} names[] = {
    {"a.example", true},     {"a-b.c1.example", true}, {"xn--bcher-kva.example", true},
    {"a1.example", true},    {"example", false},       {"", false},
    {".example", false},     {"a..example", false},    {"a.example.", false},
    {"-a.example", false},   {"a-.example", false},    {"A.example", false},
    {"*.example", false},    {"a_b.example", false},   {"192.0.2.1", false},
    {"../x.example", false}, {"a/b.example", false},
};

static void test_names(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (acme_name_is_good(view_from_cstr(names[i].name)) != names[i].is_good)
            fail_msg("%s", names[i].name);
    char label[70];
    memset(label, 'a', sizeof(label));
    memcpy(label + 64, ".b", 2);
    assert_false(acme_name_is_good(view_of(label, 66)));
    assert_true(acme_name_is_good(view_of(label + 1, 65)));
}

static void test_a_list_of_names(void **state) {
    (void)state;
    static struct acme_names list;
    struct acme_name *first = acme_names_add(&list, VIEW("a.example"), true);
    assert_non_null(first);
    first->due_ms = 50;
    assert_ptr_equal(acme_names_add(&list, VIEW("a.example"), false), first);
    assert_true(first->is_ours);
    assert_string_equal(first->wildcard, "*.a.example");
    struct acme_name *second = acme_names_add(&list, VIEW("b.example"), false);
    second->due_ms = 10;
    assert_ptr_equal(acme_names_next(&list), second);
    acme_names_remove(&list, second);
    assert_ptr_equal(acme_names_next(&list), first);
    for (unsigned i = 0; i < ACME_NAMES_ROOM - 1; i++) {
        char name[32];
        snprintf(name, sizeof(name), "n%u.example", i);
        assert_non_null(acme_names_add(&list, view_from_cstr(name), false));
    }
    assert_null(acme_names_add(&list, VIEW("more.example"), false));
}

static void test_times(void **state) {
    (void)state;
    const int64_t day_s = 86400;
    for (uint32_t random = 0; random < 1000; random++) {
        uint64_t due_ms = acme_renewal_ms(1000 * day_s, 1090 * day_s, random * 4294967u);
        assert_in_range(due_ms / 1000, 1060 * day_s, 1062 * day_s);
    }
    assert_int_equal(acme_renewal_ms(10, 10, 7), 0);
    for (unsigned failures = 1; failures < 80; failures++)
        for (uint32_t random = 0; random < 100; random++) {
            uint64_t away_ms = acme_pause_ms(failures, true, random * 42949672u);
            uint64_t no_ms = acme_pause_ms(failures, false, random * 42949672u);
            assert_in_range(away_ms, 8000, 3600000 / 5 * 6);
            assert_in_range(no_ms, failures == 1 ? 8000 : 720000, 43200000ull / 5 * 6);
        }
    assert_in_range(acme_pause_ms(1, false, 0), 0, 12000);
    assert_int_equal(acme_look_ms(30ull * 86400000), 86400000);
    assert_int_equal(acme_look_ms(60000), 15000);
    assert_int_equal(acme_look_ms(20000), 10000);
    assert_int_equal(acme_look_ms(7), 7);
}

/* What is kept of them is read again only up to a bound; and each second one goes the other way. */
static void test_many_failures(void **state) {
    (void)state;
    struct acme_name name = {0};
    for (unsigned i = 0; i < 500; i++) {
        unsigned before = name.failures;
        acme_name_failed(&name);
        assert_in_range(name.failures, 1, ACME_FAILURES_MAX);
        assert_int_not_equal(name.failures % 2, before % 2);
    }
}

/* ---- what is signed ---- */

static size_t decode_part(struct view json, const char *name, char *out) {
    char begin[32];
    size_t len;
    snprintf(begin, sizeof(begin), "\"%s\":\"", name);
    const char *at = memmem(json.ptr, json.len, begin, strlen(begin));
    assert_non_null(at);
    at += strlen(begin);
    struct view value = view_of(at, (size_t)((const char *)memchr(at, '"', 4096) - at));
    assert_true(base64url_decode(value, out, &len));
    out[len] = '\0';
    return len;
}

static void test_a_signature(void **state) {
    (void)state;
    EVP_PKEY *key = acme_key_new();
    struct buf out;
    char head[4096], payload[4096], signature[4096];
    const struct acme_jws jws = {
        .key = key, .account = "https://a/1", .url = "https://a/o", .nonce = "n-1", .payload = VIEW("{}")};
    buf_init(&out, 65536);
    assert_true(acme_jws_print(&jws, &out));
    decode_part(buf_view(&out), "protected", head);
    assert_string_equal(
        head, "{\"alg\":\"ES256\",\"nonce\":\"n-1\",\"url\":\"https://a/o\",\"kid\":\"https://a/1\"}");
    decode_part(buf_view(&out), "payload", payload);
    assert_string_equal(payload, "{}");
    assert_int_equal(decode_part(buf_view(&out), "signature", signature), ACME_SIGNATURE_LEN);
    buf_done(&out);
    EVP_PKEY_free(key);
}

static void test_a_key_is_the_same_when_it_was_kept(void **state) {
    (void)state;
    EVP_PKEY *key = acme_key_new(), *again;
    struct buf pem;
    char one[ACME_THUMBPRINT_LEN + 1], other[ACME_THUMBPRINT_LEN + 1];
    buf_init(&pem, 4096);
    assert_true(acme_key_print(key, &pem));
    again = acme_key_parse(buf_view(&pem));
    assert_non_null(again);
    assert_true(acme_key_thumbprint(key, one) && acme_key_thumbprint(again, other));
    assert_string_equal(one, other);
    assert_null(acme_key_parse(VIEW("nothing")));
    EVP_PKEY_free(key);
    EVP_PKEY_free(again);
    buf_done(&pem);
}

static void test_a_request(void **state) {
    (void)state;
    const struct view wanted[] = {VIEW("a.example"), VIEW("*.a.example")};
    EVP_PKEY *key = acme_key_new();
    struct buf der;
    buf_init(&der, 4096);
    assert_true(acme_request_print(key, wanted, 2, &der));
    const unsigned char *at = (const unsigned char *)buf_view(&der).ptr;
    X509_REQ *request = d2i_X509_REQ(NULL, &at, (long)der.len);
    assert_non_null(request);
    assert_int_equal(X509_REQ_verify(request, key), 1);
    X509_REQ_free(request);
    EVP_PKEY_free(key);
    buf_done(&der);
}

static void test_waits(void **state) {
    (void)state;
    const uint64_t now_ms = 1000000;
    struct acme_names kept = {0}, again = {0};
    struct buf text;
    buf_init(&text, 1000);
    acme_names_add(&kept, VIEW("well.example"), true);
    struct acme_name *name = acme_names_add(&kept, VIEW("a.example"), true);
    name->failures = 3;
    name->due_ms = now_ms + 5000;
    acme_waits_print(&kept, &text);
    assert_true(view_eq(buf_view(&text), VIEW("a.example 3 1005000\n")));
    acme_waits_parse(buf_view(&text), now_ms, &again);
    assert_int_equal(again.count, 1);
    assert_int_equal(again.items[0].failures, 3);
    assert_int_equal(again.items[0].due_ms, now_ms + 5000);
    static const struct view bad[] = {VIEW(""),
                                      VIEW("\n\n"),
                                      VIEW("b.example"),
                                      VIEW("b.example 1"),
                                      VIEW(" 1 1005000"),
                                      VIEW("b.example 0 1005000"),
                                      VIEW("b.example 101 1005000"),
                                      VIEW("b.example 1 1000000"),
                                      VIEW("b.example 1 18446744073709551615"),
                                      VIEW("b.example -1 1005000"),
                                      VIEW("b.example 1 1005000 "),
                                      VIEW("../b 1 1005000"),
                                      VIEW("B.example 1 1005000")};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) acme_waits_parse(bad[i], now_ms, &again);
    assert_int_equal(again.count, 1);
    buf_done(&text);
}

static void test_what_is_sealed(void **state) {
    (void)state;
    static const unsigned char key[SECRET_LEN] = {7}, other[SECRET_LEN] = {8};
    const struct view texts[] = {VIEW(""), VIEW("a"), VIEW("-----BEGIN PRIVATE KEY-----\n")};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct buf sealed, again, opened;
        buf_init(&sealed, 1000);
        buf_init(&again, 1000);
        buf_init(&opened, 1000);
        assert_true(acme_seal(key, VIEW("account"), texts[i], &sealed));
        assert_true(acme_seal(key, VIEW("account"), texts[i], &again));
        assert_false(view_eq(buf_view(&sealed), buf_view(&again))); /* a nonce each */
        assert_int_equal(sealed.len, texts[i].len + ACME_SEAL_MORE);
        assert_false(acme_unseal(other, VIEW("account"), buf_view(&sealed), &opened));
        assert_false(acme_unseal(key, VIEW("certificate a.example"), buf_view(&sealed), &opened));
        for (size_t at = 0; at < sealed.len; at++) {
            sealed.ptr[at] ^= 1;
            assert_false(acme_unseal(key, VIEW("account"), buf_view(&sealed), &opened));
            sealed.ptr[at] ^= 1;
            assert_false(acme_unseal(key, VIEW("account"), view_slice(buf_view(&sealed), 0, at), &opened));
        }
        assert_int_equal(opened.len, 0);
        assert_true(acme_unseal(key, VIEW("account"), buf_view(&sealed), &opened));
        assert_true(view_eq(buf_view(&opened), texts[i]));
        buf_done(&sealed);
        buf_done(&again);
        buf_done(&opened);
    }
}

static void test_what_stands_in(void **state) {
    (void)state;
    EVP_PKEY *key = acme_key_new();
    X509 *certificate = acme_request_challenge(key, VIEW("a.example"), VIEW("token.thumb"));
    assert_non_null(certificate);
    assert_int_equal(X509_check_host(certificate, "a.example", 0, 0, NULL), 1);
    ASN1_OBJECT *id = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
    int at = X509_get_ext_by_OBJ(certificate, id, -1);
    assert_true(at >= 0 && X509_EXTENSION_get_critical(X509_get_ext(certificate, at)));
    ASN1_OBJECT_free(id);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_directories),    cmocka_unit_test(test_urls),
        cmocka_unit_test(test_words),          cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_orders),         cmocka_unit_test(test_authorizations),
        cmocka_unit_test(test_names),          cmocka_unit_test(test_a_list_of_names),
        cmocka_unit_test(test_times),          cmocka_unit_test(test_many_failures),
        cmocka_unit_test(test_a_signature),    cmocka_unit_test(test_a_key_is_the_same_when_it_was_kept),
        cmocka_unit_test(test_a_request),      cmocka_unit_test(test_waits),
        cmocka_unit_test(test_what_is_sealed), cmocka_unit_test(test_what_stands_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
