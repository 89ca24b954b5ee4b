/* The v1 codec: golden messages, round trips, and what is refused. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmocka_setup.h"
#include "protocol/v1.h"

enum { BODY_MAX = 2 * 1024 * 1024 };

static struct v1_message *parse(struct view text, size_t body_max) {
    enum status status;
    struct v1_message *message = v1_message_parse(text, body_max, &status);
    assert_int_equal(message != NULL, status == STATUS_OK);
    return message;
}

static struct v1_message *parse_cstr(const char *text) {
    return parse(view_from_cstr(text), BODY_MAX);
}

static void read_file(const char *path, struct buf *out) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char piece[4096];
    for (size_t len; (len = fread(piece, 1, sizeof(piece), file)) > 0;)
        assert_true(buf_append(out, piece, len));
    fclose(file);
}

/* Each file of the folder must (or must not) parse; a type that we do not know counts as parsed. */
static void golden(const char *folder, bool good) {
    char path[1024];
    snprintf(path, sizeof(path), "%s/golden/%s", TEST_DATA, folder);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    unsigned count = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof(path), "%s/golden/%s/%s", TEST_DATA, folder, entry->d_name);
        struct buf text;
        buf_init(&text, 16 * 1024 * 1024);
        read_file(path, &text);
        struct v1_message *message = parse(buf_view(&text), BODY_MAX);
        if ((message != NULL) != good) fail_msg("%s", path);
        v1_message_free(message);
        buf_done(&text);
        count++;
    }
    closedir(dir);
    assert_true(count >= 10);
}

static void golden_ok(void **state) {
    (void)state;
    golden("ok", true);
}

static void golden_bad(void **state) {
    (void)state;
    golden("bad", false);
}

static void a_request_survives_the_way(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 65536);
    struct headers headers;
    headers_init(&headers, &arena);
    headers_add(&headers, VIEW("set-cookie"), VIEW("a=1"));
    headers_add(&headers, VIEW("x"), VIEW(""));
    headers_add(&headers, VIEW("set-cookie"), VIEW("b=\"2\\\""));
    headers_add(&headers, VIEW("u"), VIEW("\xc3\xa9\xf0\x9f\x98\x80\t"));
    char body[256];
    for (size_t i = 0; i < sizeof(body); i++) body[i] = (char)i;
    struct v1_request request = {VIEW("id-1"), VIEW("GET"),        VIEW("/a?%2F=\"x"),
                                 &headers,     view_of(body, 256), 12345};
    struct buf text;
    buf_init(&text, 1 << 20);
    assert_true(v1_encode_request(&text, &request));
    for (size_t i = 0; i < text.len; i++) assert_in_range(buf_view(&text).ptr[i], 0x20, 0x7e);
    struct v1_message *message = parse(buf_view(&text), BODY_MAX);
    assert_non_null(message);
    assert_int_equal(message->type, V1_HTTP_REQUEST);
    assert_true(view_eq(message->request_id, VIEW("id-1")));
    assert_true(view_eq(message->uri, VIEW("/a?%2F=\"x")));
    assert_int_equal(message->timestamp_ms, 12345);
    assert_int_equal(message->headers.count, 4);
    assert_int_equal(headers_count(&message->headers, VIEW("set-cookie")), 2);
    assert_true(view_eq(headers_get(&message->headers, VIEW("set-cookie")), VIEW("a=1")));
    assert_true(view_eq(headers_get(&message->headers, VIEW("x")), VIEW("")));
    assert_true(view_eq(headers_get(&message->headers, VIEW("u")), VIEW("\xc3\xa9\xf0\x9f\x98\x80\t")));
    assert_true(view_eq(message->body, view_of(body, 256)));
    v1_message_free(message);
    buf_done(&text);
    arena_done(&arena);
}

static void latin_1_becomes_utf_8(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 4096);
    struct headers headers;
    headers_init(&headers, &arena);
    headers_add(&headers, VIEW("a"), VIEW("\xe9t\xe9"));
    struct v1_response response = {VIEW("id"), 200, &headers, VIEW(""), 0};
    struct buf text;
    buf_init(&text, 4096);
    assert_true(v1_encode_response(&text, &response));
    struct v1_message *message = parse(buf_view(&text), BODY_MAX);
    assert_non_null(message);
    assert_true(view_eq(headers_get(&message->headers, VIEW("a")), VIEW("\xc3\xa9t\xc3\xa9")));
    v1_message_free(message);
    buf_done(&text);
    arena_done(&arena);
}

static void the_largest_body_passes_and_one_byte_more_is_said_so(void **state) {
    (void)state;
    for (size_t len = 98; len <= 103; len++) {
        char body[128] = {0};
        struct v1_response response = {VIEW("id"), 200, NULL, view_of(body, len), 0};
        struct buf text;
        buf_init(&text, 4096);
        assert_true(v1_encode_response(&text, &response));
        struct v1_message *message = parse(buf_view(&text), 100);
        assert_non_null(message);
        assert_int_equal(message->body_too_large, len > 100);
        assert_int_equal(message->body.len, len > 100 ? 0 : len);
        v1_message_free(message);
        buf_done(&text);
    }
}

/* Longer than what is parsed as it is: its body goes another way, to the same end. */
static void a_long_body(void **state) {
    (void)state;
    static const struct {
        const char *before, *after;
        bool is_one;
    } rows[] = {
        {"\"body\":\"", "\"", true},
        {"\"x\":{\"body\":\"no\"},\"body\" : \"", "\" ", true},
        {"\"body\":\"", "\",\"body\":\"\"", false}, /* twice */
        {"\"body\":\"", "", false},
        {"\"body\":\"", "!\"", false},
        {"\"body\":\"\\n", "\"", false},
        {"\"body\":[\"", "\"]", false},
        {"\"body\":\"\\/\\/\\/\\/", "\"", true}, /* as some write it */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf text;
        buf_init(&text, 65536);
        buf_printf(&text, "{\"type\":\"http_response\",\"request_id\":\"id\",\"status_code\":200,%s",
                   rows[i].before);
        for (int j = 0; j < 2000; j++) buf_append_view(&text, VIEW("YWFh"));
        buf_printf(&text, "%s}", rows[i].after);
        struct v1_message *message = parse(buf_view(&text), 7000);
        if ((message != NULL) != rows[i].is_one) fail_msg("row %zu", i);
        if (message) {
            size_t slashes = i == 7 ? 3 : 0;
            assert_int_equal(message->body.len, 6000 + slashes);
            assert_memory_equal(message->body.ptr + slashes, "aaa", 3);
            assert_null(message->long_body.ptr);
        }
        v1_message_free(message);
        buf_done(&text);
    }
}

/* Nothing of it is parsed that no message of ours has. */
static void too_many_names(void **state) {
    (void)state;
    struct buf text;
    buf_init(&text, 1 << 20);
    buf_printf(&text, "{\"type\":\"ping\"");
    for (int i = 0; i < 9000; i++) buf_printf(&text, ",\"h%d\":1", i);
    buf_printf(&text, "}");
    assert_null(parse(buf_view(&text), BODY_MAX));
    buf_clear(&text);
    buf_printf(&text, "{\"type\":\"ping\",\"x\":\"");
    while (text.len < 768 * 1024) buf_append_view(&text, VIEW("xxxxxxxxxxxxxxxx"));
    buf_printf(&text, "\"}");
    assert_null(parse(buf_view(&text), BODY_MAX));
    buf_done(&text);
}

static void established_and_ready_and_errors(void **state) {
    (void)state;
    struct buf text;
    buf_init(&text, 4096);
    struct v1_established established = {.connection_id = VIEW("c"),
                                         .tunnel_id = VIEW("t"),
                                         .public_url = VIEW("http://p"),
                                         .resume = VIEW("r"),
                                         .capabilities = V1_CAP_RESUME | V1_CAP_CHUNKS,
                                         .heartbeat_s = 300};
    assert_true(v1_encode_established(&text, &established));
    struct v1_message *message = parse(buf_view(&text), BODY_MAX);
    assert_int_equal(message->type, V1_CONNECTION_ESTABLISHED);
    assert_true(view_eq(message->resume, VIEW("r")));
    assert_null(message->subdomain_url.ptr);
    assert_int_equal(message->heartbeat_s, 300);
    assert_int_equal(message->capabilities, V1_CAP_RESUME | V1_CAP_CHUNKS);
    v1_message_free(message);

    buf_clear(&text);
    assert_true(v1_encode_ready(&text, V1_CAP_RESUME | V1_CAP_UPGRADES, 25000));
    message = parse(buf_view(&text), BODY_MAX);
    assert_int_equal(message->type, V1_READY);
    assert_int_equal(message->capabilities, V1_CAP_RESUME | V1_CAP_UPGRADES);
    assert_int_equal(message->request_timeout_ms, 25000);
    v1_message_free(message);

    buf_clear(&text);
    assert_true(v1_encode_error(&text, (struct view){0}, VIEW("timeout"), VIEW("m"), VIEW("r")));
    message = parse(buf_view(&text), BODY_MAX);
    assert_int_equal(message->type, V1_ERROR);
    assert_null(message->request_id.ptr);
    assert_true(view_eq(message->reason, VIEW("r")));
    v1_message_free(message);
    buf_done(&text);
}

static void types(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum v1_type type;
    } rows[] = {
        {"{\"type\":\"ping\"}", V1_PING},
        {"{\"type\":\"pong\",\"more\":[1,{}]}", V1_PONG},
        {"{\"action\":\"ready\"}", V1_READY},
        {"{\"type\":\"ready\"}", V1_READY},
        {"{\"type\":\"news\"}", V1_UNKNOWN},
        {"{\"action\":\"other\"}", V1_UNKNOWN},
        {"{\"type\":\"error\",\"request_id\":null,\"code\":\"timeout\",\"message\":\"\"}", V1_ERROR},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct v1_message *message = parse_cstr(rows[i].text);
        if (!message || message->type != rows[i].type) fail_msg("%s", rows[i].text);
        v1_message_free(message);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_ok),
        cmocka_unit_test(golden_bad),
        cmocka_unit_test(a_request_survives_the_way),
        cmocka_unit_test(latin_1_becomes_utf_8),
        cmocka_unit_test(the_largest_body_passes_and_one_byte_more_is_said_so),
        cmocka_unit_test(a_long_body),
        cmocka_unit_test(too_many_names),
        cmocka_unit_test(established_and_ready_and_errors),
        cmocka_unit_test(types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
