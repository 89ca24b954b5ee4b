/* Webhooks' signatures: what the senders' documents and their own libraries say, and what is nearly that. */
#include <stdio.h>

#include "cmocka_setup.h"
#include "policy/webhook.h"

#define GITHUB_BODY "Hello, World!"
#define GITHUB_MAC "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
#define SLACK_TIME 1531420618
#define SLACK_BODY                                                                                           \
    "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&"         \
    "channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&"           \
    "response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F"                    \
    "96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
#define SLACK_MAC "a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
#define SLACK_SECRET "8f742231b10e8888abcd99yyyzzz85a5"
#define STRIPE_TIME 1492774577
#define STRIPE_BODY "{\n  \"id\": \"evt_test_webhook\",\n  \"object\": \"event\"\n}"
#define STRIPE_MAC "c2f890decbc5ede7c5060bb9a6d31e0626a4342bacb9aeae2adb1bcea72f9812"
#define TWILIO_BODY                                                                                          \
    "CallSid=CA1234567890ABCDE&Caller=%2B12349013030&Digits=1234&From=%2B12349013030&To=%2B18005551212"
#define TWILIO_PATH "/myapp.php?foo=1&bar=2"
#define TWILIO_MAC "0/KCTR6DLpKmkAf8muzZqo1nDgQ="
#define SHA "bodySHA256=f9d86028c6e0d64e225186f96acb69338b2c59764df79162107f5c4bb34d1310"
#define FORM "application/x-www-form-urlencoded"

static const struct row {
    const char *name, *scheme, *secret, *body, *path, *signature;
    uint64_t now_s;
    const char *other, *other_value; /* one more field */
    const char *host;                /* NULL: mycompany.com */
    bool is_signed;
} rows[] = {
    {"github's own example", "github", "It's a Secret to Everybody", GITHUB_BODY, "/", "sha256=" GITHUB_MAC,
     0, NULL, NULL, NULL, true},
    {"no prefix", "github", "It's a Secret to Everybody", GITHUB_BODY, "/", GITHUB_MAC, 0, NULL, NULL, NULL,
     false},
    {"sha1", "github", "It's a Secret to Everybody", GITHUB_BODY, "/", "sha1=" GITHUB_MAC, 0, NULL, NULL,
     NULL, false},
    {"another body", "github", "It's a Secret to Everybody", "Hello, World", "/", "sha256=" GITHUB_MAC, 0,
     NULL, NULL, NULL, false},
    {"another secret", "github", "It's a secret to Everybody", GITHUB_BODY, "/", "sha256=" GITHUB_MAC, 0,
     NULL, NULL, NULL, false},
    {"short", "github", "It's a Secret to Everybody", GITHUB_BODY, "/", "sha256=757107", 0, NULL, NULL, NULL,
     false},
    {"empty", "github", "It's a Secret to Everybody", GITHUB_BODY, "/", "", 0, NULL, NULL, NULL, false},
    {"generic", "generic-hmac", "It's a Secret to Everybody", GITHUB_BODY, "/", GITHUB_MAC, 0, NULL, NULL,
     NULL, true},
    {"generic with its name", "generic-hmac", "It's a Secret to Everybody", GITHUB_BODY, "/",
     "sha256=" GITHUB_MAC, 0, NULL, NULL, NULL, true},
    {"generic of another", "generic-hmac", "It's", GITHUB_BODY, "/", GITHUB_MAC, 0, NULL, NULL, NULL, false},
    {"slack's own example", "slack", SLACK_SECRET, SLACK_BODY, "/", "v0=" SLACK_MAC, SLACK_TIME,
     "x-slack-request-timestamp", "1531420618", NULL, true},
    {"five minutes later", "slack", SLACK_SECRET, SLACK_BODY, "/", "v0=" SLACK_MAC, SLACK_TIME + 300,
     "x-slack-request-timestamp", "1531420618", NULL, true},
    {"too late", "slack", SLACK_SECRET, SLACK_BODY, "/", "v0=" SLACK_MAC, SLACK_TIME + 301,
     "x-slack-request-timestamp", "1531420618", NULL, false},
    {"too early", "slack", SLACK_SECRET, SLACK_BODY, "/", "v0=" SLACK_MAC, SLACK_TIME - 301,
     "x-slack-request-timestamp", "1531420618", NULL, false},
    {"another time", "slack", SLACK_SECRET, SLACK_BODY, "/", "v0=" SLACK_MAC, SLACK_TIME,
     "x-slack-request-timestamp", "1531420619", NULL, false},
    {"no time", "slack", SLACK_SECRET, SLACK_BODY, "/", "v0=" SLACK_MAC, SLACK_TIME, NULL, NULL, NULL, false},
    {"no number", "slack", SLACK_SECRET, SLACK_BODY, "/", "v0=" SLACK_MAC, SLACK_TIME,
     "x-slack-request-timestamp", "-1531420618", NULL, false},
    {"as stripe's library signs", "stripe", "whsec_test_secret", STRIPE_BODY, "/",
     "t=1492774577,v1=" STRIPE_MAC, STRIPE_TIME + 9, NULL, NULL, NULL, true},
    {"two secrets, and v0", "stripe", "whsec_test_secret", STRIPE_BODY, "/",
     "t=1492774577, v1=" SLACK_MAC ", v1=" STRIPE_MAC ",v0=1", STRIPE_TIME, NULL, NULL, NULL, true},
    {"v0 alone", "stripe", "whsec_test_secret", STRIPE_BODY, "/", "t=1492774577,v0=" STRIPE_MAC, STRIPE_TIME,
     NULL, NULL, NULL, false},
    {"no time", "stripe", "whsec_test_secret", STRIPE_BODY, "/", "v1=" STRIPE_MAC, STRIPE_TIME, NULL, NULL,
     NULL, false},
    {"too late", "stripe", "whsec_test_secret", STRIPE_BODY, "/", "t=1492774577,v1=" STRIPE_MAC,
     STRIPE_TIME + 301, NULL, NULL, NULL, false},
    {"two times", "stripe", "whsec_test_secret", STRIPE_BODY, "/",
     "t=1492774577,v1=" STRIPE_MAC ",t=1492774999", STRIPE_TIME + 400, NULL, NULL, NULL, false},
    {"shopify", "shopify", "hush", "{\"id\":1}", "/", "VnKUjZsLuN5iZWjn5EntcBVCF9kMN43LglzCE1/GSeY=", 0, NULL,
     NULL, NULL, true},
    {"shopify of another body", "shopify", "hush", "{\"id\":2}", "/",
     "VnKUjZsLuN5iZWjn5EntcBVCF9kMN43LglzCE1/GSeY=", 0, NULL, NULL, NULL, false},
    {"twilio's own example", "twilio", "12345", TWILIO_BODY, TWILIO_PATH, TWILIO_MAC, 0, "content-type", FORM,
     NULL, true},
    {"with a port", "twilio", "12345", TWILIO_BODY, TWILIO_PATH, TWILIO_MAC, 0, "content-type", FORM,
     "mycompany.com:443", true},
    {"pairs in another order", "twilio", "12345",
     "To=%2B18005551212&From=%2B12349013030&Digits=1234&Caller=%2B12349013030&CallSid=CA1234567890ABCDE",
     TWILIO_PATH, TWILIO_MAC, 0, "content-type", FORM, NULL, true},
    {"a pair without a name", "twilio", "12345", "a=b&=1", "/x", "cqS/x2HRDY1kQ7ErOAqgwplSxL4=", 0,
     "content-type", FORM, NULL, true},
    {"no body", "twilio", "12345", "", "/x", "JBdRms30VeGWdwrFlqv1KCn20yU=", 0, NULL, NULL, NULL, true},
    {"a body of one byte", "twilio", "12345", "x", "/x", "JBdRms30VeGWdwrFlqv1KCn20yU=", 0, NULL, NULL, NULL,
     false},
    {"one pair more", "twilio", "12345", TWILIO_BODY "&x=y", TWILIO_PATH, TWILIO_MAC, 0, "content-type", FORM,
     NULL, false},
    {"another host", "twilio", "12345", TWILIO_BODY, TWILIO_PATH, TWILIO_MAC, 0, "content-type", FORM,
     "yourcompany.com", false},
    {"another path", "twilio", "12345", TWILIO_BODY, "/myapp.php?foo=1&bar=3", TWILIO_MAC, 0, "content-type",
     FORM, NULL, false},
    {"no form", "twilio", "12345", TWILIO_BODY, TWILIO_PATH, TWILIO_MAC, 0, "content-type", "text/plain",
     NULL, false},
    {"values that stand twice", "twilio", "12345", "a=2&b=x+y%26z&a=1&%C3%A9=%C3%BC&B=&a=2", "/x",
     "e3TypIL2ID61IfYT7ffu6IPO5GA=", 0, "content-type", FORM, NULL, true},
    {"a hash of what is no form", "twilio", "12345", "{\"a\": 1}", "/x?" SHA,
     "UT+2dhqL+P+oYB7yQuPJwQBjIJM=", 0, "content-type", "application/json", NULL, true},
    {"and another body", "twilio", "12345", "{\"a\": 2}", "/x?" SHA, "UT+2dhqL+P+oYB7yQuPJwQBjIJM=", 0,
     "content-type", "application/json", NULL, false},
};

static bool is_signed(const struct row *row) {
    struct arena arena;
    struct headers headers;
    arena_init(&arena, 65536);
    headers_init(&headers, &arena);
    headers_add(&headers, VIEW("x-forwarded-host"), view_from_cstr(row->host ? row->host : "mycompany.com"));
    if (row->other) headers_add(&headers, view_from_cstr(row->other), view_from_cstr(row->other_value));
    struct webhook_request request = {.headers = &headers,
                                      .body = view_from_cstr(row->body),
                                      .path = view_from_cstr(row->path),
                                      .now_s = row->now_s,
                                      .arena = &arena};
    const struct webhook_scheme *scheme = webhook_scheme(view_from_cstr(row->scheme));
    assert_non_null(scheme);
    bool is = scheme->is_signed(&request, view_from_cstr(row->secret), view_from_cstr(row->signature));
    arena_done(&arena);
    return is;
}

static void test_signatures(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (is_signed(&rows[i]) != rows[i].is_signed) fail_msg("%s: %s", rows[i].scheme, rows[i].name);
}

static void append(char *text, size_t size, const char *more) {
    size_t len = strlen(text);
    assert_true(len + strlen(more) < size);
    snprintf(text + len, size - len, "%s", more);
}

/* A body is long, and each try costs. */
static void test_how_many_signatures_are_tried(void **state) {
    (void)state;
    for (int wrong = 0; wrong < 16; wrong++) {
        char signature[2000] = "t=1492774577";
        for (int i = 0; i <= wrong; i++)
            append(signature, sizeof(signature), i < wrong ? ",v1=" SLACK_MAC : ",v1=" STRIPE_MAC);
        const struct row row = {.scheme = "stripe",
                                .secret = "whsec_test_secret",
                                .body = STRIPE_BODY,
                                .path = "/",
                                .signature = signature,
                                .now_s = STRIPE_TIME};
        assert_int_equal(is_signed(&row), wrong < 8);
    }
}

static void test_how_many_pairs_a_form_has(void **state) {
    (void)state;
    static char body[20000];
    struct row row = {.scheme = "twilio",
                      .secret = "12345",
                      .body = body,
                      .path = "/x",
                      .signature = "RyHleyMRJaxgBQCsqz1cMXREMeE=",
                      .other = "content-type",
                      .other_value = FORM};
    for (int i = 0; i < 1000; i++) {
        char pair[16];
        snprintf(pair, sizeof(pair), "%sp%d=v", i ? "&" : "", i);
        append(body, sizeof(body), pair);
    }
    assert_true(is_signed(&row));
    append(body, sizeof(body), "&p1000=v");
    assert_false(is_signed(&row)); /* what was signed, and one more */
    row.signature = "84thSI1VSXFOs27QCePNYcJSmd8=";
    assert_false(is_signed(&row));
}

static void test_no_scheme(void **state) {
    (void)state;
    assert_null(webhook_scheme(VIEW("gitlab")));
    assert_null(webhook_scheme(VIEW("")));
    assert_null(webhook_scheme(VIEW("GitHub")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signatures),
        cmocka_unit_test(test_how_many_signatures_are_tried),
        cmocka_unit_test(test_how_many_pairs_a_form_has),
        cmocka_unit_test(test_no_scheme),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
