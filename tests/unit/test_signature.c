/* What the stand-in for API Gateway says of signatures: those of our own signer are right, whatever is
 * changed afterwards makes them wrong. (tests/e2e/test_aws_websocket.py has botocore's.) */
#include <stdlib.h>

#include "apigw/signature.h"
#include "cmocka_setup.h"

#define NOW_S 1440938160 /* 20150830T123600Z */
#define INVALID "InvalidSignatureException"
#define INCOMPLETE "IncompleteSignatureException"
#define UNRECOGNIZED "UnrecognizedClientException"

static const struct signature_rules rules = {
    .credentials = {VIEW("AKIDEXAMPLE"), VIEW("secret"), VIEW("token")},
    .region = VIEW("eu-west-1"),
    .service = VIEW("execute-api"),
};

/* A request, signed, and what is changed of it then: one field is put in a field's place, or taken away. */
struct row {
    const char *name;
    struct view method, path, query, body; /* as they arrive; absent: as signed */
    struct view field, value;              /* changed; an absent value: removed */
    int64_t now_s;                         /* when it arrives; 0: NOW_S */
    const char *type, *says;               /* says: how the message begins */
};

static void sign(struct headers *headers) {
    const struct sigv4_request request = {.method = VIEW("POST"),
                                          .path = VIEW("/dev/@connections/R0oXAdfD0kwCH6w%3D"),
                                          .query = VIEW("b=2&a=1"),
                                          .body = VIEW("hello")};
    const struct sigv4_scope scope = {rules.region, rules.service, NOW_S};
    headers_add(headers, VIEW("host"), VIEW("127.0.0.1:8081"));
    headers_add(headers, VIEW("x-more"), VIEW("  a   b "));
    headers_add(headers, VIEW("x-more"), VIEW("c"));
    assert_true(sigv4_sign(&request, &scope, &rules.credentials, headers));
    headers_add(headers, VIEW("user-agent"), VIEW("not signed"));
}

static struct view given(struct view changed, struct view signed_value) {
    return changed.ptr ? changed : signed_value;
}

static void check_row(const struct row *row) {
    struct arena arena;
    struct headers headers;
    arena_init(&arena, 65536);
    headers_init(&headers, &arena);
    sign(&headers);
    if (row->value.ptr)
        headers_set(&headers, row->field, row->value);
    else if (row->field.ptr)
        assert_true(headers_remove(&headers, row->field) > 0);
    const struct sigv4_request request = {
        .method = given(row->method, VIEW("POST")),
        .path = given(row->path, VIEW("/dev/@connections/R0oXAdfD0kwCH6w%3D")),
        .query = given(row->query, VIEW("b=2&a=1")),
        .body = given(row->body, VIEW("hello")),
    };
    struct signature_verdict verdict =
        signature_check(&rules, &request, &headers, (uint64_t)(row->now_s ? row->now_s : NOW_S), &arena);
    const char *type = verdict.type ? verdict.type : "right";
    if (strcmp(type, row->type ? row->type : "right") != 0 ||
        (row->says && !view_starts_with(verdict.message, view_from_cstr(row->says))))
        fail_msg("%s: %s: %.*s", row->name, type, VIEW_ARG(verdict.message));
    arena_done(&arena);
}

#define SCOPE "/20150830/eu-west-1/execute-api/aws4_request"
#define REST ", SignedHeaders=host;x-amz-date;x-amz-security-token, Signature=00"
#define FIELD(text) .field = VIEW("authorization"), .value = VIEW(text)
#define DIFFERS "The request signature we calculated does not match the signature you provided."

static void test_verdicts(void **state) {
    (void)state;
    const struct row rows[] = {
        {.name = "as signed"},
        {.name = "the query in another order", .query = VIEW("a=1&b=2")},
        {.name = "a field that is not signed", .field = VIEW("user-agent"), .value = VIEW("x")},
        {.name = "blanks of a field", .field = VIEW("host"), .value = VIEW(" 127.0.0.1:8081 ")},
        {.name = "5 minutes late", .now_s = NOW_S + 300},
        {.name = "5 minutes early", .now_s = NOW_S - 300},
        {.name = "method", .method = VIEW("GET"), .type = INVALID, .says = DIFFERS},
        {.name = "path",
         .path = VIEW("/dev/@connections/R0oXAdfD0kwCH6w="),
         .type = INVALID,
         .says = DIFFERS},
        {.name = "query", .query = VIEW("a=1"), .type = INVALID, .says = DIFFERS},
        {.name = "body", .body = VIEW("hullo"), .type = INVALID, .says = DIFFERS},
        {.name = "no body", .body = VIEW(""), .type = INVALID, .says = DIFFERS},
        {.name = "a signed field",
         .field = VIEW("host"),
         .value = VIEW("other"),
         .type = INVALID,
         .says = DIFFERS},
        {.name = "a signed field is away", .field = VIEW("x-more"), .type = INVALID, .says = DIFFERS},
        {.name = "too late",
         .now_s = NOW_S + 301,
         .type = INVALID,
         .says =
             "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - "
             "5 min.)"},
        {.name = "too early",
         .now_s = NOW_S - 301,
         .type = INVALID,
         .says = "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z "
                 "(20150830T123059Z + 5 min.)"},
        {.name = "another day",
         .field = VIEW("x-amz-date"),
         .value = VIEW("20150829T123600Z"),
         .type = INVALID,
         .says = "Date in Credential scope does not match"},
        {.name = "another second",
         .field = VIEW("x-amz-date"),
         .value = VIEW("20150830T123601Z"),
         .type = INVALID,
         .says = DIFFERS},
        {.name = "no date", .field = VIEW("x-amz-date"), .type = INCOMPLETE},
        {.name = "a date that is none",
         .field = VIEW("x-amz-date"),
         .value = VIEW("now"),
         .type = INCOMPLETE},
        {.name = "a long date",
         .field = VIEW("x-amz-date"),
         .type = INCOMPLETE,
         .value = VIEW("20150830T123600Z20150830T123600Z20150830T123600Z")},
        {.name = "no token",
         .field = VIEW("x-amz-security-token"),
         .type = UNRECOGNIZED,
         .says = "The security token included in the request is invalid."},
        {.name = "another token",
         .field = VIEW("x-amz-security-token"),
         .value = VIEW("other"),
         .type = UNRECOGNIZED},
        {.name = "a field of AWS that is not signed",
         .field = VIEW("x-amz-more"),
         .value = VIEW("1"),
         .type = INVALID,
         .says = "'x-amz-more' must be a 'SignedHeader'"},
        {.name = "no authorization",
         .field = VIEW("authorization"),
         .type = "MissingAuthenticationTokenException",
         .says = "Missing Authentication Token"},
        {.name = "a bearer",
         FIELD("Bearer x"),
         .type = INCOMPLETE,
         .says = "'Bearer x' not a valid key=value pair (missing equal-sign)"},
        {.name = "empty", FIELD(""), .type = INCOMPLETE},
        {.name = "nothing said", FIELD("AWS4-HMAC-SHA256 "), .type = INCOMPLETE},
        {.name = "one thing said",
         FIELD("AWS4-HMAC-SHA256 Signature=00"),
         .type = INCOMPLETE,
         .says = "Authorization header requires 'Credential' parameter. "},
        {.name = "a short credential",
         FIELD("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE" REST),
         .type = INCOMPLETE,
         .says = "Credential must have exactly 5 slash-delimited elements"},
        {.name = "a long credential",
         FIELD("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/" SCOPE REST),
         .type = INCOMPLETE},
        {.name = "another end",
         FIELD("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-west-1/execute-api/x" REST),
         .type = INVALID,
         .says = "Credential should be scoped with a valid terminator"},
        {.name = "another key",
         FIELD("AWS4-HMAC-SHA256 Credential=AKIDOTHER" SCOPE REST),
         .type = UNRECOGNIZED},
        {.name = "another region",
         FIELD("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/execute-api/aws4_request" REST),
         .type = INVALID,
         .says = "Credential should be scoped to a valid region. "},
        {.name = "another service",
         FIELD("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-west-1/apigateway/aws4_request" REST),
         .type = INVALID,
         .says = "Credential should be scoped to correct service: 'execute-api'. "},
        {.name = "host not signed",
         FIELD("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE" SCOPE ", SignedHeaders=x-amz-date, Signature=00"),
         .type = INVALID,
         .says = "'Host' or ':authority' must be a 'SignedHeader'"},
        {.name = "token not signed",
         FIELD("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE" SCOPE
               ", SignedHeaders=host;x-amz-date, Signature=00"),
         .type = INVALID,
         .says = "'x-amz-security-token' must be a 'SignedHeader'"},
        {.name = "another signature, written without blanks",
         FIELD("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE" SCOPE
               ",SignedHeaders=host;x-amz-date;x-amz-security-token,Signature=00"),
         .type = INVALID,
         .says = DIFFERS},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) check_row(&rows[i]);
}

static void test_a_date_field_will_do(void **state) {
    (void)state;
    const struct sigv4_request request = {
        .method = VIEW("GET"), .path = VIEW("/"), .query = VIEW(""), .body = VIEW("")};
    const struct sigv4_scope scope = {rules.region, rules.service, NOW_S};
    struct sigv4_signature signature;
    struct arena arena;
    struct headers headers;
    struct buf canonical, to_sign;
    arena_init(&arena, 65536);
    headers_init(&headers, &arena);
    buf_init(&canonical, 8192);
    buf_init(&to_sign, 8192);
    headers_add(&headers, VIEW("date"), VIEW("Sun, 30 Aug 2015 12:36:00 GMT"));
    headers_add(&headers, VIEW("host"), VIEW("a"));
    headers_add(&headers, VIEW("x-amz-security-token"), VIEW("token"));
    assert_true(sigv4_compute(&request, &scope, rules.credentials.secret_key, &headers, &canonical, &to_sign,
                              &signature));
    headers_add(&headers, VIEW("authorization"),
                arena_printf(&arena,
                             "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE" SCOPE
                             ", SignedHeaders=date;host;x-amz-security-token, Signature=%s",
                             signature.hex));
    assert_null(signature_check(&rules, &request, &headers, NOW_S, &arena).type);
    assert_string_equal(signature_check(&rules, &request, &headers, NOW_S + 301, &arena).type, INVALID);
    buf_done(&canonical);
    buf_done(&to_sign);
    arena_done(&arena);
}

static void test_too_much_is_refused(void **state) {
    (void)state;
    struct arena arena;
    struct headers headers;
    arena_init(&arena, 65536);
    headers_init(&headers, &arena);
    sign(&headers);
    char *query = malloc(4096);
    assert_non_null(query);
    for (size_t i = 0; i < 4096; i++) query[i] = i % 2 ? '&' : 'a';
    const struct sigv4_request request = {
        .method = VIEW("POST"), .path = VIEW("/"), .query = view_of(query, 4096), .body = VIEW("hello")};
    assert_string_equal(signature_check(&rules, &request, &headers, NOW_S, &arena).type, INVALID);
    free(query);
    arena_done(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_verdicts),
                                       cmocka_unit_test(test_a_date_field_will_do),
                                       cmocka_unit_test(test_too_much_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
