/* The log: levels, escaping, the cut at 1 KiB, the default sink's one line, and redacted targets. */
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

static char seen[4096];
static size_t seen_len;
static int calls;
static enum log_level seen_level;

static void sink(void *ctx, enum log_level level, const char *component, struct view line) {
    assert_ptr_equal(ctx, &calls);
    assert_string_equal(component, "test");
    memcpy(seen, line.ptr, line.len);
    seen_len = line.len;
    seen_level = level;
    calls++;
}

static int setup(void **state) {
    (void)state;
    calls = 0;
    log_set_level(LOG_LEVEL_INFO);
    log_set_sink(sink, &calls);
    return 0;
}

static void test_levels(void **state) {
    (void)state;
    log_debug("test", "no %d", 1);
    assert_int_equal(calls, 0);
    log_info("test", "yes %d", 1);
    assert_int_equal(calls, 1);
    assert_int_equal(seen_level, LOG_LEVEL_INFO);
    assert_true(view_eq(view_of(seen, seen_len), VIEW("yes 1")));
    log_set_level(LOG_LEVEL_ERROR);
    log_warn("test", "no");
    log_error("test", "yes");
    assert_int_equal(calls, 2);
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("test", "yes");
    assert_int_equal(calls, 3);
    assert_string_equal(log_level_name(LOG_LEVEL_WARN), "WARN");
}

static void test_control_bytes_are_escaped(void **state) {
    (void)state;
    log_info("test", "a%sb", "\r\n\x1b[31m\x7f\t\xc3\xa4");
    assert_true(view_eq(view_of(seen, seen_len), VIEW("a\\x0d\\x0a\\x1b[31m\\x7f\\x09\xc3\xa4"
                                                      "b")));
}

static void test_what_terminals_take_for_something_else(void **state) {
    (void)state;
    log_info("test", "%s",
             "a\xc2\x9b"
             "31m\x9b\xe2\x80\xae\xe2\x81\xa6\xd8\x9c\xe2\x80\xa8\xef\xbb\xbf "
             "\xe2\x82\xac\xf0\x9f\x8e\x89\xc0\xaf\xed\xa0\x80\xf0\x9f");
    const char *expected =
        "a\\xc2\\x9b31m\\x9b\\xe2\\x80\\xae\\xe2\\x81\\xa6\\xd8\\x9c\\xe2\\x80\\xa8\\xef\\xbb\\xbf "
        "\xe2\x82\xac\xf0\x9f\x8e\x89\\xc0\\xaf\\xed\\xa0\\x80\\xf0\\x9f";
    assert_true(view_eq(view_of(seen, seen_len), view_from_cstr(expected)));
}

static void test_the_same_line_is_counted(void **state) {
    (void)state;
    for (int i = 0; i < 5000; i++) log_warn("test", "from %d: the same", 1);
    assert_int_equal(calls, LOG_REPEATS);
    log_warn("test", "another kind of line");
    assert_int_equal(calls, LOG_REPEATS + 1);
    log_tell_repeats(false); /* the time is not over */
    assert_int_equal(calls, LOG_REPEATS + 1);
    log_tell_repeats(true);
    assert_int_equal(calls, LOG_REPEATS + 2);
    assert_true(view_eq(view_of(seen, seen_len), VIEW("from 1: the same (4990 more like it)")));
    assert_int_equal(seen_level, LOG_LEVEL_WARN);
    log_tell_repeats(true);
    assert_int_equal(calls, LOG_REPEATS + 2);
    log_set_level(LOG_LEVEL_DEBUG);
    for (int i = 0; i < 50; i++) log_debug("test", "debug");
    assert_int_equal(calls, LOG_REPEATS + 52);
}

static void say(struct view source, int number) {
    log_from(LOG_LEVEL_WARN, "test", source, "says %d", number);
}

static void test_varied_text_of_one_source_is_counted(void **state) {
    (void)state;
    for (int i = 1; i <= 5000; i++) say(VIEW("one"), i);
    assert_int_equal(calls, LOG_REPEATS);
    say(VIEW("another"), 1);
    assert_int_equal(calls, LOG_REPEATS + 1);
    assert_true(view_eq(view_of(seen, seen_len), VIEW("another: says 1")));
    log_tell_repeats(true);
    assert_int_equal(calls, LOG_REPEATS + 2);
    assert_true(view_eq(view_of(seen, seen_len), VIEW("one: says 5000 (4990 more like it)")));
}

/* More than are remembered, each of them often: as many lines as if they were one crowd. */
static void test_many_sources_are_bounded_together(void **state) {
    (void)state;
    char name[16];
    for (int i = 0; i < 3000; i++) {
        struct view source = view_of(name, (size_t)snprintf(name, sizeof(name), "crowd %d", i));
        for (int line = 0; line < 20; line++) log_from(LOG_LEVEL_WARN, "test", source, "in a crowd %d", line);
    }
    assert_in_range(calls, LOG_KIND_LINES / 2, 2 * LOG_KIND_LINES);
    int before = calls;
    log_warn("test", "alone");
    assert_int_equal(calls, before + 1);
    log_tell_repeats(true);
    assert_in_range(calls, before + 2, before + 300);
}

static void test_lines_of_requests_all_come(void **state) {
    (void)state;
    for (int i = 0; i < 3000; i++) log_line(LOG_LEVEL_INFO, "test", VIEW("GET / 200"));
    assert_int_equal(calls, 3000);
}

static void test_cut(void **state) {
    (void)state;
    log_info("test", "%5000d", 1);
    assert_int_equal(seen_len, 1024);
    char newlines[600];
    memset(newlines, '\n', sizeof(newlines));
    log_info("test", "x%.*s", (int)sizeof(newlines), newlines);
    assert_int_equal(seen_len, 1021);
    assert_memory_equal(seen + 1017, "\\x0a", 4);
}

static void test_default_sink(void **state) {
    (void)state;
    int ends[2], saved = dup(STDERR_FILENO);
    char text[4096];
    regex_t pattern;
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    log_set_sink(NULL, NULL);
    log_info("gateway", "up\non %d", 8080);
    log_warn("gateway", "%2000d", 1);
    dup2(saved, STDERR_FILENO);
    ssize_t len = read(ends[0], text, sizeof(text) - 1);
    assert_true(len > 0);
    text[len] = '\0';
    regcomp(
        &pattern,
        "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z INFO gateway: up\\\\x0aon 8080\n"
        "[^\n]*Z WARN gateway:  +\n$",
        REG_EXTENDED);
    assert_int_equal(regexec(&pattern, text, 0, NULL, 0), 0);
    regfree(&pattern);
    close(ends[0]), close(ends[1]), close(saved);
}

static void test_redaction(void **state) {
    (void)state;
    static const struct {
        const char *target, *expected;
    } rows[] = {
        {"/", "/"},
        {"", ""},
        {"/?", "/?"},
        {"/connect?token=secret", "/connect?token=***"},
        {"/connect?a=1&token=secret&b=2&resume=r.s", "/connect?a=1&token=***&b=2&resume=***"},
        {"/x?token=a&token=b", "/x?token=***&token=***"},
        {"/x?TOKEN=a", "/x?TOKEN=***"},
        {"/x?token=a=b?c", "/x?token=***"},
        {"/x?token", "/x?token"},
        {"/x?mytoken=1&tokens=2", "/x?mytoken=***&tokens=2"},
        {"/x?access_token=a&id-token=b&user[password]=c",
         "/x?access_token=***&id-token=***&user[password]=***"},
        {"/x?%74oken=a&t%6Fken=b&toke%6e%3dc", "/x?%74oken=***&t%6Fken=***&toke%6e%3d***"},
        {"/x?a=1;token=b;c=d&e=f", "/x?a=1;token=***&e=f"},
        {"/p;token=a/q;b=c?d=e", "/p;token=***/q;b=c?d=e"},
        {"/x?next=%2Fy%3Ftoken%3Da%26b%3Dc&d=e", "/x?next=%2Fy%3Ftoken%3D***&d=e"},
        {"/cb#access_token=a&b=c", "/cb#access_token=***&b=c"},
        {"/x?key=a&monkey=b&code=c&zipcode=d", "/x?key=***&monkey=b&code=***&zipcode=d"},
        {"/x?%=1&%7=2&%zz=3&%", "/x?%=1&%7=2&%zz=3&%"},
        {"/x?a_name_that_is_much_longer_than_the_room_for_it_but_ends_in_a_client_secret=1",
         "/x?a_name_that_is_much_longer_than_the_room_for_it_but_ends_in_a_client_secret=***"},
        {"/token=a?b", "/token=a?b"},
        {"/x?&&token=&", "/x?&&token=***&"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf out;
        buf_init(&out, 200);
        print_message("%s\n", rows[i].target);
        assert_true(log_redact_target(&out, view_from_cstr(rows[i].target)));
        assert_true(view_eq(buf_view(&out), view_from_cstr(rows[i].expected)));
        buf_done(&out);
    }
    struct buf small;
    buf_init(&small, 10);
    assert_false(log_redact_target(&small, VIEW("/x?token=secret&a=b")));
    buf_done(&small);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_levels, setup),
        cmocka_unit_test_setup(test_control_bytes_are_escaped, setup),
        cmocka_unit_test_setup(test_what_terminals_take_for_something_else, setup),
        cmocka_unit_test_setup(test_the_same_line_is_counted, setup),
        cmocka_unit_test_setup(test_varied_text_of_one_source_is_counted, setup),
        cmocka_unit_test_setup(test_many_sources_are_bounded_together, setup),
        cmocka_unit_test_setup(test_lines_of_requests_all_come, setup),
        cmocka_unit_test_setup(test_cut, setup),
        cmocka_unit_test_setup(test_default_sink, setup),
        cmocka_unit_test_setup(test_redaction, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
