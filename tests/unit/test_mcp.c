/* forwarder/mcp: messages of JSON-RPC, schemas, and what is hidden of a body. */
#include "cmocka_setup.h"
#include "mcp/agent_api.h"
#include "mcp/rpc.h"
#include "mcp/schema.h"
#include "mcp/secrets.h"

static void messages(void **state) {
    static const struct {
        const char *line;
        enum rpc_kind kind;
        int code;
    } rows[] = {
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", RPC_REQUEST, 0},
        {"{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"ping\",\"params\":{}}", RPC_REQUEST, 0},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"ping\"}", RPC_NOTIFICATION, 0},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", RPC_ANSWER, 0},
        {"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{}}", RPC_REFUSED, RPC_INVALID_REQUEST},
        {"{\"jsonrpc\":\"2.0\",\"id\":[],\"method\":\"ping\"}", RPC_REFUSED, RPC_INVALID_REQUEST},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":1}", RPC_REFUSED, RPC_INVALID_REQUEST},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"params\":[]}", RPC_REFUSED, RPC_INVALID_REQUEST},
        {"[]", RPC_REFUSED, RPC_INVALID_REQUEST},
        {"1", RPC_REFUSED, RPC_INVALID_REQUEST},
        {"", RPC_REFUSED, RPC_PARSE_ERROR},
        {"{\"a\":1,\"a\":2}", RPC_REFUSED, RPC_PARSE_ERROR},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rpc_message message;
        assert_int_equal(rpc_parse(view_from_cstr(rows[i].line), &message), rows[i].kind);
        assert_int_equal(message.code, rows[i].code);
        rpc_done(&message);
    }
}

static enum rpc_kind nested(unsigned depth, const char *open, const char *close) {
    struct buf line;
    struct rpc_message message;
    buf_init(&line, 4096);
    buf_append_view(&line, VIEW("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"params\":{\"b\":"));
    for (unsigned i = 0; i < depth; i++) buf_append_view(&line, view_from_cstr(open));
    buf_append_view(&line, VIEW("\"[[[[\\\"{{{\""));
    for (unsigned i = 0; i < depth; i++) buf_append_view(&line, view_from_cstr(close));
    buf_append_view(&line, VIEW("}}"));
    enum rpc_kind kind = rpc_parse(buf_view(&line), &message);
    rpc_done(&message);
    buf_done(&line);
    return kind;
}

static void depth(void **state) {
    (void)state;
    assert_int_equal(nested(RPC_DEPTH_MAX - 2, "[", "]"), RPC_REQUEST);
    assert_int_equal(nested(RPC_DEPTH_MAX - 1, "[", "]"), RPC_REFUSED);
    assert_int_equal(nested(RPC_DEPTH_MAX - 2, "{\"x\":", "}"), RPC_REQUEST);
    assert_int_equal(nested(RPC_DEPTH_MAX - 1, "{\"x\":", "}"), RPC_REFUSED);
}

static void answers(void **state) {
    struct buf out;
    json_t *id = json_string("\"é\n");
    (void)state;
    buf_init(&out, 1000);
    assert_true(rpc_write_result(&out, id, json_object()));
    assert_true(rpc_write_error(&out, NULL, RPC_BUSY, "no", NULL));
    assert_true(rpc_write_notification(&out, "n", json_pack("{s:i}", "a", 1)));
    assert_true(
        view_eq(buf_view(&out),
                VIEW("{\"jsonrpc\":\"2.0\",\"id\":\"\\\"é\\n\",\"result\":{}}\n"
                     "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32000,\"message\":\"no\"}}\n"
                     "{\"jsonrpc\":\"2.0\",\"method\":\"n\",\"params\":{\"a\":1}}\n")));
    buf_done(&out);
    buf_init(&out, 60); /* what does not fit leaves nothing behind */
    assert_false(rpc_write_result(&out, id, json_pack("{s:s}", "a", "a text that is too long for it")));
    assert_int_equal(out.len, 0);
    buf_done(&out);
    json_decref(id);
}

static void schemas(void **state) {
    static const char schema[] =
        "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"id\"],\"properties\":{"
        "\"id\":{\"type\":[\"string\",\"integer\"]},\"n\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":5},"
        "\"e\":{\"enum\":[\"a\",2]},\"s\":{\"type\":\"string\",\"maxLength\":3},"
        "\"h\":{\"type\":\"object\",\"additionalProperties\":{\"type\":[\"string\",\"null\"]}}}}";
    static const struct {
        const char *value, *names; /* NULL: it fits */
    } rows[] = {
        {"{\"id\":1}", NULL},
        {"{\"id\":\"1\",\"n\":5,\"e\":2,\"s\":\"abc\",\"h\":{\"a\":\"b\",\"c\":null}}", NULL},
        {"{}", "id is needed"},
        {"[]", "arguments"},
        {"{\"id\":1.0}", "id"},
        {"{\"id\":1,\"x\":1}", "x is no argument"},
        {"{\"id\":1,\"n\":0}", "n must be from 1 to 5"},
        {"{\"id\":1,\"n\":6}", "n must be"},
        {"{\"id\":1,\"n\":\"1\"}", "n must be of type"},
        {"{\"id\":1,\"e\":\"b\"}", "e is none"},
        {"{\"id\":1,\"s\":\"abcd\"}", "s is too long"},
        {"{\"id\":1,\"h\":{\"a\":1}}", "a must be of type"},
    };
    json_t *rule = json_loads(schema, 0, NULL);
    (void)state;
    assert_non_null(rule);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char error[200] = "";
        json_t *value = json_loads(rows[i].value, 0, NULL);
        assert_int_equal(schema_check(rule, value, error, sizeof(error)), !rows[i].names);
        assert_non_null(strstr(error, rows[i].names ? rows[i].names : ""));
        json_decref(value);
    }
    json_decref(rule);
}

static void masks(void **state) {
    static const struct {
        const char *text, *shown;
    } rows[] = {
        {"{\"token\":\"x\"}", "{\"token\":\"***\"}"},
        {"{\"access_token\" : \"a\\\"b\", \"n\": 1}", "{\"access_token\" : \"***\", \"n\": 1}"},
        {"{\"user\":{\"Password\":\"x\"}}", "{\"user\":{\"Password\":\"***\"}}"},
        {"{\"token\":123,\"code\":\"E1\",\"key\":\"k\"}", "{\"token\":123,\"code\":\"E1\",\"key\":\"k\"}"},
        {"{\"a\":\"token\",\"b\":\"c\"}", "{\"a\":\"token\",\"b\":\"c\"}"},
        {"[\"token\",\"x\"]", "[\"token\",\"x\"]"},
        {"{\"apiKey\":\"it is cut her", "{\"apiKey\":\"***\""},
        {"no JSON, \"secret\": \"x\" it is", "no JSON, \"secret\": \"***\" it is"},
        {"\"token\"", "\"token\""},
        {"\"token\":", "\"token\":"},
        {"\"", "\""},
        {"\"\\", "\"\\"},
        {"", ""},
    };
    struct buf out;
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        buf_init(&out, 1000);
        assert_true(secrets_mask_text(&out, view_from_cstr(rows[i].text)));
        assert_true(view_eq(buf_view(&out), view_from_cstr(rows[i].shown)));
        buf_done(&out);
    }
    buf_init(&out, 1000);
    assert_true(secrets_mask_form(&out, VIEW("pass=a&b=c&api%5Fkey=d")));
    assert_true(view_eq(buf_view(&out), VIEW("pass=***&b=c&api%5Fkey=***")));
    buf_done(&out);
    assert_true(secrets_is_field(VIEW("Set-Cookie")) && secrets_is_field(VIEW("x-api-key")));
    assert_false(secrets_is_field(VIEW("content-type")) || secrets_is_field(VIEW("etag")));
}

static void places(void **state) {
    struct agent_api_place place;
    (void)state;
    assert_null(agent_api_parse("http://127.0.0.1:5000/#k3v9", &place));
    assert_string_equal(place.host, "127.0.0.1");
    assert_int_equal(place.port, 5000);
    assert_null(agent_api_parse("http://[::1]:81", &place));
    assert_string_equal(place.host, "::1");
    assert_null(agent_api_parse("http://localhost", &place));
    assert_int_equal(place.port, 4040);
    assert_non_null(agent_api_parse("http://[::1", &place));
    assert_non_null(agent_api_parse("http://:80", &place));
    assert_non_null(agent_api_parse("http://a:b", &place));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages), cmocka_unit_test(depth), cmocka_unit_test(answers),
        cmocka_unit_test(schemas),  cmocka_unit_test(masks), cmocka_unit_test(places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
