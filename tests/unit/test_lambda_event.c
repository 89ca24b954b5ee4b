/* Events of AWS, and the function's answers: the golden files, and what becomes of targets, fields and
 * bodies. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmocka_setup.h"
#include "runtime/lambda_answer.h"
#include "runtime/lambda_event.h"

static char *read_file(const char *folder, const char *name, size_t *ret_len) {
    char path[1024];
    snprintf(path, sizeof(path), TEST_DATA "/golden/lambda/%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *text = malloc(65536);
    assert_non_null(text);
    *ret_len = fread(text, 1, 65536, file);
    fclose(file);
    return text;
}

static void golden(const char *folder, bool good) {
    char path[1024];
    snprintf(path, sizeof(path), TEST_DATA "/golden/lambda/%s", folder);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    unsigned count = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (!strstr(entry->d_name, ".json")) continue;
        size_t len;
        const char *why;
        char *text = read_file(folder, entry->d_name, &len);
        struct lambda_event *event = lambda_event_parse(view_of(text, len), &why);
        free(text);
        if ((event != NULL) != good) fail_msg("%s/%s: %s", folder, entry->d_name, event ? "taken" : why);
        if (!event) assert_non_null(why);
        lambda_event_free(event);
        count++;
    }
    closedir(dir);
    assert_true(count >= 7);
}

static void good_events_are_taken(void **state) {
    (void)state;
    golden("ok", true);
}

static void bad_events_are_refused(void **state) {
    (void)state;
    golden("bad", false);
}

static struct lambda_event *parse_golden(const char *name) {
    size_t len;
    const char *why;
    char *text = read_file("ok", name, &len);
    struct lambda_event *event = lambda_event_parse(view_of(text, len), &why);
    free(text);
    assert_non_null(event);
    return event;
}

#define assert_view(view, text) assert_true(view_eq(view, view_from_cstr(text)))

static void payload_2_is_read(void **state) {
    (void)state;
    struct lambda_event *event = parse_golden("http_api_2_0.json");
    assert_int_equal(event->kind, LAMBDA_HTTP_2);
    assert_view(event->method, "POST");
    assert_view(event->target, "/my/path?parameter1=value1&parameter1=value2&parameter2=value");
    assert_view(event->client, "192.0.2.1");
    assert_view(event->request_id, "JKJaXmPLvHcESHA=");
    assert_view(event->body, "Hello from Lambda");
    assert_view(headers_get(&event->headers, VIEW("cookie")), "cookie1; cookie2");
    assert_view(headers_get(&event->headers, VIEW("header2")), "value1,value2");
    assert_view(headers_get(&event->headers, VIEW("content-length")), "17");
    lambda_event_free(event);
}

static void payload_1_is_read(void **state) {
    (void)state;
    struct lambda_event *event = parse_golden("http_api_1_0.json");
    assert_int_equal(event->kind, LAMBDA_HTTP_1);
    assert_view(event->method, "GET");
    assert_view(event->target, "/my/path?parameter1=value1&parameter1=value2&parameter2=value");
    assert_view(event->client, "192.0.2.1");
    assert_int_equal(headers_count(&event->headers, VIEW("header2")), 2);
    assert_view(headers_get(&event->headers, VIEW("host")), "id.execute-api.us-east-1.amazonaws.com");
    lambda_event_free(event);
}

static void websocket_routes_are_read(void **state) {
    (void)state;
    struct lambda_event *event = parse_golden("websocket_connect.json");
    assert_int_equal(event->kind, LAMBDA_CONNECT);
    assert_view(event->connection_id, "L0SM9cOFvHcCIhw=");
    assert_view(event->target, "/");
    assert_view(headers_get(&event->headers, VIEW("sec-websocket-version")), "13");
    lambda_event_free(event);
    event = parse_golden("websocket_message.json");
    assert_int_equal(event->kind, LAMBDA_MESSAGE);
    assert_view(event->body, "{\"type\":\"ready\"}");
    lambda_event_free(event);
    event = parse_golden("websocket_disconnect.json");
    assert_int_equal(event->kind, LAMBDA_DISCONNECT);
    lambda_event_free(event);
    event = parse_golden("dynamodb_stream.json");
    assert_int_equal(event->kind, LAMBDA_STREAM);
    assert_int_equal(json_array_size(event->records), 1);
    lambda_event_free(event);
    event = parse_golden("schedule.json");
    assert_int_equal(event->kind, LAMBDA_CLEANUP);
    lambda_event_free(event);
}

static void check_target(const char *text, const char *expected) {
    const char *why;
    struct lambda_event *event = lambda_event_parse(view_from_cstr(text), &why);
    if (!event) fail_msg("%s: %s", text, why);
    if (!view_eq(event->target, view_from_cstr(expected)))
        fail_msg("%s: got %.*s, expected %s", text, VIEW_ARG(event->target), expected);
    lambda_event_free(event);
}

/* An HTTP API's event of payload 2.0 with that path, query and context. */
#define EVENT_2(path, query, context)                                                                        \
    "{\"version\":\"2.0\",\"rawPath\":\"" path "\",\"rawQueryString\":\"" query                              \
    "\",\"headers\":{},\"requestContext\":{" context "\"http\":{\"method\":\"GET\"}}}"
#define EVENT_1(version, path, more, context)                                                                \
    "{" version "\"path\":\"" path "\",\"httpMethod\":\"GET\"," more "\"requestContext\":{" context "}}"
#define OWN "\"apiId\":\"abc\",\"domainName\":\"abc.execute-api.x.amazonaws.com\","
#define CUSTOM "\"apiId\":\"abc\",\"domainName\":\"abc-example.com\","

static void targets_are_made(void **state) {
    (void)state;
    const struct {
        const char *event, *target;
    } rows[] = {
        /* decoded paths are encoded again, and a '%' stands for itself */
        {EVENT_2("/a b", "", ""), "/a%20b"},
        {EVENT_2("/a%41", "", ""), "/a%2541"},
        {EVENT_2("/\\u00e9?#", "x=%20+&x", ""), "/%C3%A9%3F%23?x=%20+&x"},
        {EVENT_2("/-._~!$&'()*+,;=:@/", "", ""), "/-._~!$&'()*+,;=:@/"},
        {EVENT_2("/[\\\\]\\u0001", "", ""), "/%5B%5C%5D%01"},
        {EVENT_2("", "", ""), "/"},
        {EVENT_2("a", "", ""), "/a"},
        /* those that were not decoded stay */
        {EVENT_2("/a%41%2f%", "", "\"domainName\":\"x.lambda-url.y.on.aws\","), "/a%41%2f%25"},
        {EVENT_1("", "/a%41", "", ""), "/a%41"},
        {EVENT_1("\"version\":\"1.0\",", "/a%41", "", ""), "/a%2541"},
        /* a query as it was; what cannot stand in a target is encoded */
        {EVENT_2("/", "a=%zz&&=", ""), "/?a=%zz&&="},
        {EVENT_2("/", "a b#\\u00e9", ""), "/?a%20b%23%C3%A9"},
        /* a decoded query */
        {EVENT_1("", "/", "\"multiValueQueryStringParameters\":{\"a b\":[\"&=\",\"\"],\"c\":[\"+%\"]},", ""),
         "/?a%20b=%26%3D&a%20b=&c=%2B%25"},
        {EVENT_1("", "/", "\"multiValueQueryStringParameters\":null,\"queryStringParameters\":{\"a\":\"b\"},",
                 ""),
         "/?a=b"},
        {EVENT_1("", "/", "\"multiValueQueryStringParameters\":{},", ""), "/"},
        /* the stage, on the API's own host alone */
        {EVENT_2("/dev/x", "", OWN "\"stage\":\"dev\","), "/x"},
        {EVENT_2("/dev", "", OWN "\"stage\":\"dev\","), "/"},
        {EVENT_2("/dev/", "", OWN "\"stage\":\"dev\","), "/"},
        {EVENT_2("/device", "", OWN "\"stage\":\"dev\","), "/device"},
        {EVENT_2("/x/dev", "", OWN "\"stage\":\"dev\","), "/x/dev"},
        {EVENT_2("/$default/x", "", OWN "\"stage\":\"$default\","), "/$default/x"},
        {EVENT_2("/dev/x", "", CUSTOM "\"stage\":\"dev\","), "/dev/x"},
        {EVENT_2("/dev/x", "", "\"stage\":\"dev\","), "/dev/x"},
        {EVENT_1("", "/dev/x", "", OWN "\"stage\":\"dev\""), "/x"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) check_target(rows[i].event, rows[i].target);
}

static struct lambda_event *parse(const char *text) {
    const char *why;
    struct lambda_event *event = lambda_event_parse(view_from_cstr(text), &why);
    if (!event) fail_msg("%s: %s", text, why);
    return event;
}

static void framing_is_what_the_body_is(void **state) {
    (void)state;
    struct lambda_event *event = parse(
        "{\"httpMethod\":\"POST\",\"path\":\"/\",\"body\":\"AAH/\",\"isBase64Encoded\":true,"
        "\"multiValueHeaders\":{\"Content-Length\":[\"7\",\"9\"],\"Transfer-Encoding\":[\"chunked\"]}}");
    assert_int_equal(event->body.len, 3);
    assert_int_equal(headers_count(&event->headers, VIEW("content-length")), 1);
    assert_view(headers_get(&event->headers, VIEW("content-length")), "3");
    assert_int_equal(headers_count(&event->headers, VIEW("transfer-encoding")), 0);
    lambda_event_free(event);
    event = parse("{\"httpMethod\":\"GET\",\"path\":\"/\",\"body\":null,\"headers\":null}");
    assert_int_equal(headers_count(&event->headers, VIEW("content-length")), 0);
    lambda_event_free(event);
}

static void the_query_of_connect_is_a_target(void **state) {
    (void)state;
    struct lambda_event *event =
        parse("{\"requestContext\":{\"routeKey\":\"$connect\",\"connectionId\":\"a=\",\"stage\":\"dev\"},"
              "\"queryStringParameters\":{\"name\":\"x y\"},\"headers\":{\"Authorization\":\"Bearer t\"}}");
    assert_view(event->target, "/?name=x%20y");
    assert_view(headers_get(&event->headers, VIEW("authorization")), "Bearer t");
    lambda_event_free(event);
}

static void load_balancers_are_read(void **state) {
    (void)state;
    struct lambda_event *event = parse_golden("alb.json");
    assert_int_equal(event->kind, LAMBDA_ALB);
    assert_view(event->method, "POST");
    assert_view(event->target, "/lambda%2Fx?name=a%20b%26&x=%C3%A4");
    assert_view(event->client, "72.12.164.125");
    assert_view(event->scheme, "http");
    assert_view(event->body, "hello");
    lambda_event_free(event);
    event = parse_golden("alb_multi_value.json");
    assert_int_equal(event->kind, LAMBDA_ALB_MULTI);
    assert_view(event->target, "/lambda%2Fx?name=a%20b%26&x=1&x=%C3%A4");
    assert_int_equal(headers_count(&event->headers, VIEW("cookie")), 2);
    lambda_event_free(event);
    event = parse("{\"httpMethod\":\"GET\",\"path\":\"/a b\",\"requestContext\":{\"elb\":{}},"
                  "\"queryStringParameters\":{\"a b#\":\"%zz\\u0000\",\"c\":\"\"}}");
    assert_view(event->target, "/a%20b?a%20b%23=%zz%00&c=");
    assert_view(event->client, "unknown");
    assert_view(event->scheme, "https");
    lambda_event_free(event);
}

static void an_http_route_named_default_is_no_message(void **state) {
    (void)state;
    struct lambda_event *event = parse("{\"version\":\"1.0\",\"httpMethod\":\"GET\",\"path\":\"/"
                                       "\",\"requestContext\":{\"routeKey\":\"$default\"}}");
    assert_int_equal(event->kind, LAMBDA_HTTP_1);
    lambda_event_free(event);
}

static void answers_have_the_shape_of_the_payload(void **state) {
    (void)state;
    struct arena arena;
    struct headers headers;
    struct buf out;
    arena_init(&arena, 65536);
    headers_init(&headers, &arena);
    headers_add(&headers, VIEW("a"), VIEW("1"));
    headers_add(&headers, VIEW("set-cookie"), VIEW("x=1"));
    headers_add(&headers, VIEW("b"), VIEW("\xe9\""));
    headers_add(&headers, VIEW("a"), VIEW("2"));
    headers_add(&headers, VIEW("set-cookie"), VIEW("y=2"));
    buf_init(&out, 65536);
    assert_true(lambda_answer_http(&out, LAMBDA_HTTP_2, 201, &headers, VIEW("hi")));
    assert_view(buf_view(&out), "{\"statusCode\":201,\"headers\":{\"a\":\"1, 2\",\"b\":\"\\u00e9\\\"\"},"
                                "\"cookies\":[\"x=1\",\"y=2\"],\"body\":\"aGk=\",\"isBase64Encoded\":true}");
    buf_clear(&out);
    assert_true(lambda_answer_http(&out, LAMBDA_HTTP_1, 204, &headers, (struct view){0}));
    assert_view(
        buf_view(&out),
        "{\"statusCode\":204,\"multiValueHeaders\":{\"a\":[\"1\",\"2\"],\"set-cookie\":[\"x=1\",\"y=2\"],"
        "\"b\":[\"\\u00e9\\\"\"]},\"body\":\"\",\"isBase64Encoded\":true}");
    buf_clear(&out);
    assert_true(lambda_answer_http(&out, LAMBDA_ALB_MULTI, 204, &headers, (struct view){0}));
    assert_true(
        view_starts_with(buf_view(&out), VIEW("{\"statusCode\":204,\"multiValueHeaders\":{\"a\":[\"1\"")));
    buf_clear(&out);
    headers_add(&headers, VIEW("set-cookie"), VIEW("z=3"));
    assert_true(lambda_answer_http(&out, LAMBDA_ALB, 200, &headers, (struct view){0}));
    assert_view(
        buf_view(&out),
        "{\"statusCode\":200,\"headers\":{\"a\":\"1, 2\",\"set-cookie\":\"x=1\",\"b\":\"\\u00e9\\\"\","
        "\"Set-cookie\":\"y=2\",\"sEt-cookie\":\"z=3\"},\"body\":\"\",\"isBase64Encoded\":true}");
    buf_clear(&out);
    headers_init(&headers, &arena);
    assert_true(lambda_answer_http(&out, LAMBDA_HTTP_2, 200, &headers, (struct view){0}));
    assert_view(buf_view(&out), "{\"statusCode\":200,\"headers\":{},\"body\":\"\",\"isBase64Encoded\":true}");
    buf_clear(&out);
    assert_true(lambda_answer_status(&out, 409, "it is \"taken\""));
    assert_view(buf_view(&out), "{\"statusCode\":409,\"body\":\"it is \\\"taken\\\"\"}");
    buf_clear(&out);
    assert_true(lambda_answer_status(&out, 200, ""));
    assert_view(buf_view(&out), "{\"statusCode\":200}");
    buf_done(&out);
    arena_done(&arena);
}

static void test_nul_in_names_and_values(void **state) {
    static const struct view text =
        VIEW("{\"version\":\"1.0\",\"httpMethod\":\"GET\",\"path\":\"/a\\u0000\","
             "\"multiValueQueryStringParameters\":{\"a\\\\u0000\\u0000\":[\"\\u0000\"]},"
             "\"body\":\"x\\u0000y\",\"requestContext\":{}}");
    const char *why;
    (void)state;
    struct lambda_event *event = lambda_event_parse(text, &why);
    assert_non_null(event);
    assert_true(view_eq(event->target, VIEW("/a%00?a%5Cu0000%EF%BF%BD=%00")));
    assert_true(view_eq(event->body, view_of("x\0y", 3)));
    lambda_event_free(event);
    assert_null(lambda_event_parse(VIEW("{\"a\\u0000"), &why));
    assert_null(lambda_event_parse(VIEW("{\"a\\"), &why));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nul_in_names_and_values),
        cmocka_unit_test(good_events_are_taken),
        cmocka_unit_test(bad_events_are_refused),
        cmocka_unit_test(payload_2_is_read),
        cmocka_unit_test(payload_1_is_read),
        cmocka_unit_test(load_balancers_are_read),
        cmocka_unit_test(websocket_routes_are_read),
        cmocka_unit_test(targets_are_made),
        cmocka_unit_test(framing_is_what_the_body_is),
        cmocka_unit_test(the_query_of_connect_is_a_target),
        cmocka_unit_test(an_http_route_named_default_is_no_message),
        cmocka_unit_test(answers_have_the_shape_of_the_payload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
