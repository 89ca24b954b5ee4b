/* The forms of the access log, and what must never stand in it. The core is played. */
#include <jansson.h>
#include <time.h>

#include "base/log.h"
#include "cmocka_setup.h"
#include "handler/access_log.h"
#include "handler/core.h"

static char seen[16 * 1024];
static size_t seen_count;

static struct exchange_facts facts;
static uint64_t passed_after_us; /* the service's answer; 0: nothing has passed */
static bool sent_again;
static enum quota quota;

struct exchange_facts exchange_facts(const struct exchange *exchange) {
    assert_non_null(exchange);
    return facts;
}

static void take(void *ctx, struct view line) {
    (void)ctx;
    assert_true(view_ends_with(line, VIEW("\n")));
    assert_int_equal(view_find(line, '\n'), line.len - 1);
    assert_true(view_copy_to(view_slice(line, 0, line.len - 1), seen, sizeof(seen)));
    seen_count++;
}

static void choose(enum access_form form, bool shows_query) {
    access_log_set(&(struct access_log_settings){
        .form = form, .shows_query = shows_query, .gateway = VIEW("ws://one:8081"), .write = take});
    seen[0] = '\0';
    seen_count = 0;
}

static void end(struct view target, struct view agent, bool from_peer) {
    struct arena arena;
    struct access access;
    const struct answer_head head = {.status = 503, .error = HTTP_ERROR_OVERLOADED};
    char none;
    arena_init(&arena, 4096);
    access_begin(&access, 1000);
    access.from_peer = from_peer;
    access.client = VIEW("192.0.2.1");
    access.method = VIEW("GET");
    access.target = target;
    access.version = VIEW("HTTP/1.1");
    access.referer = VIEW("http://other/?token=secret");
    access.agent = agent;
    facts = (struct exchange_facts){.tunnel = VIEW("demo"),
                                    .owner = VIEW("sub:a \"b\x7f~"),
                                    .x_request_id = VIEW("id-1"),
                                    .trace_id = VIEW("4bf92f3577b34da6a3ce929d0e0e4736"),
                                    .given_us = access.begin_us + 10,
                                    .answered_us = access.begin_us + 1500020,
                                    .sent_again = sent_again,
                                    .quota = quota,
                                    .protocol = LINK_V2};
    access_head(&access, (const struct exchange *)(const void *)&none, &head, &arena, 1010);
    facts = (struct exchange_facts){0};
    access_received(&access, 3);
    access.bytes_out = 5;
    access.passed_us = access.answered_us + passed_after_us;
    if (!passed_after_us) access.passed_us = 0;
    access_end(&access, true, 1020);
    arena_done(&arena);
}

static json_t *parsed(void) {
    json_t *object = json_loads(seen, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(object);
    return object;
}

static const char *text_of(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "(none)";
}

static void test_json(void **state) {
    (void)state;
    choose(ACCESS_FORM_JSON, false);
    end(VIEW("/a\"b?token=secret&x=1"), VIEW("curl"), false);
    json_t *object = parsed();
    static const char *const rows[][2] = {
        {"method", "GET"},
        {"path", "/a\"b"},
        {"error", "overloaded"},
        {"tunnel", "demo"},
        {"owner", "sub:a \"b\x7f~"},
        {"client", "192.0.2.1"},
        {"protocol", "HTTP/1.1"},
        {"agent_protocol", "v2"},
        {"request_id", "id-1"},
        {"trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"},
        {"gateway", "ws://one:8081"},
        {"fate", "whole"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(text_of(object, rows[i][0]), rows[i][1]);
    assert_int_equal(json_integer_value(json_object_get(object, "status")), 503);
    assert_int_equal(json_integer_value(json_object_get(object, "bytes_in")), 3);
    assert_int_equal(json_integer_value(json_object_get(object, "bytes_out")), 5);
    assert_true(json_real_value(json_object_get(object, "service_duration")) == 1.50001);
    assert_true(json_is_real(json_object_get(object, "duration")));
    assert_null(strstr(seen, "secret"));
    assert_null(strstr(seen, "x=1"));
    json_decref(object);
}

static void test_json_of_what_has_passed(void **state) {
    (void)state;
    choose(ACCESS_FORM_JSON, false);
    passed_after_us = 1000030;
    sent_again = true;
    quota = QUOTA_OWNER_RATE;
    end(VIEW("/"), VIEW(""), false);
    passed_after_us = 0;
    sent_again = false;
    quota = QUOTA_NONE;
    json_t *object = parsed();
    assert_true(json_is_true(json_object_get(object, "sent_again")));
    assert_string_equal(text_of(object, "quota"), "owner-rate");
    assert_true(json_real_value(json_object_get(object, "own_duration")) == 1.00004);
    json_decref(object);
    end(VIEW("/"), VIEW(""), false);
    object = parsed();
    assert_null(json_object_get(object, "sent_again"));
    assert_null(json_object_get(object, "quota"));
    assert_null(json_object_get(object, "own_duration"));
    json_decref(object);
}

static char logged[2048];
static size_t logged_count;

static void log_sink(void *ctx, enum log_level level, const char *component, struct view line) {
    (void)ctx;
    assert_int_equal(level, LOG_LEVEL_INFO);
    assert_string_equal(component, "access");
    assert_true(view_copy_to(line, logged, sizeof(logged)));
    logged_count++;
}

static void test_text(void **state) {
    (void)state;
    struct access access;
    char target[400];
    choose(ACCESS_FORM_TEXT, false);
    log_set_sink(log_sink, NULL);
    end(VIEW("/a\xff\x01?token=secret"), VIEW("curl"), false);
    assert_string_equal(logged,
                        "192.0.2.1 GET /a\\xff\\x01?token=*** 503 20ms 5B tunnel=demo error=overloaded");
    end(VIEW("/"), VIEW(""), true); /* a line for who looks for faults */
    assert_int_equal(logged_count, 1);
    access_begin(&access, 0);
    access_end(&access, false, 7);
    assert_string_equal(logged, "-   0 7ms 0B tunnel=- error=- aborted");
    memset(target, 'a', sizeof(target));
    access_begin(&access, 0);
    access.target = view_of(target, sizeof(target));
    access_end(&access, false, 0);
    assert_int_equal(strlen(logged), strlen("-   0 0ms 0B tunnel=- error=- aborted") + 300);
    log_set_sink(NULL, NULL);
}

/* [31/Jan/2026:12:00:00 +0000] */
static void assert_time(const char *text) {
    struct tm fields = {0};
    const char *end = strptime(text, "[%d/%b/%Y:%H:%M:%S +0000] ", &fields);
    assert_non_null(end);
    assert_in_range(time(NULL) - timegm(&fields), 0, 60);
}

static void test_json_with_a_query(void **state) {
    (void)state;
    choose(ACCESS_FORM_JSON, true);
    end(VIEW("/a?token=secret&x=1"), VIEW(""), false);
    json_t *object = parsed();
    assert_string_equal(text_of(object, "target"), "/a?token=***&x=1");
    json_decref(object);
}

static void test_json_of_odd_bytes(void **state) {
    (void)state;
    char target[600];
    memset(target, '\x01', sizeof(target));
    memcpy(target, "/\xff\"\\\n\x7f", 6);
    choose(ACCESS_FORM_JSON, false);
    end(view_of(target, sizeof(target)), VIEW(""), false);
    json_decref(parsed());
}

static void test_combined(void **state) {
    (void)state;
    choose(ACCESS_FORM_COMBINED, false);
    end(VIEW("/a\"b\x01~\x7f?token=secret"), VIEW("curl/8 \"x\"\r\n"), false);
    const char *end_of_time = strchr(seen, ']');
    assert_time(strchr(seen, '['));
    assert_true(view_starts_with(view_from_cstr(seen), VIEW("192.0.2.1 - sub:a__b_~ [")));
    assert_string_equal(end_of_time, "] \"GET /a\\x22b\\x01~\\x7f HTTP/1.1\" 503 5 \"http://other/\" "
                                     "\"curl/8 \\x22x\\x22\\x0d\\x0a\"");
}

static void test_combined_without_fields(void **state) {
    (void)state;
    struct access access;
    choose(ACCESS_FORM_COMBINED, true);
    access_begin(&access, 0);
    access_end(&access, false, 0);
    assert_string_equal(strchr(seen, ']'), "] \"  -\" 0 0 \"-\" \"-\"");
    assert_true(view_starts_with(view_from_cstr(seen), VIEW("- - - [")));
}

static void test_off_and_peers(void **state) {
    (void)state;
    choose(ACCESS_FORM_OFF, false);
    end(VIEW("/"), VIEW(""), false);
    choose(ACCESS_FORM_JSON, false);
    end(VIEW("/"), VIEW(""), true); /* the gateway where the visitor is writes the line */
    assert_int_equal(seen_count, 0);
}

static void test_forms(void **state) {
    (void)state;
    enum access_form form;
    assert_true(access_form_parse(VIEW("off"), &form));
    assert_int_equal(form, ACCESS_FORM_OFF);
    assert_true(access_form_parse(VIEW("json"), &form));
    assert_int_equal(form, ACCESS_FORM_JSON);
    assert_false(access_form_parse(VIEW("JSON"), &form));
    assert_false(access_form_parse(VIEW(""), &form));
}

static void test_missing_lines(void **state) {
    (void)state;
    char text[200];
    choose(ACCESS_FORM_COMBINED, false);
    assert_int_equal(access_log_missing(text, sizeof(text), 7), 0);
    choose(ACCESS_FORM_JSON, false);
    take(NULL, view_of(text, access_log_missing(text, sizeof(text), 7)));
    json_t *object = parsed();
    assert_int_equal(json_integer_value(json_object_get(object, "missing_lines")), 7);
    json_decref(object);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_json_of_what_has_passed),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_json_with_a_query),
        cmocka_unit_test(test_json_of_odd_bytes),
        cmocka_unit_test(test_combined),
        cmocka_unit_test(test_combined_without_fields),
        cmocka_unit_test(test_off_and_peers),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_missing_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
