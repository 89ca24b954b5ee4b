/* Ranges and preconditions of files (RFC 9110 13 and 14). */
#include <stdio.h>

#include "cmocka_setup.h"
#include "folder/media_type.h"
#include "folder/validators.h"

#define SIZE 1000
#define MODIFIED "Sun, 06 Nov 1994 08:49:37 GMT"
#define MODIFIED_S 784111777

static struct validators made(void) {
    struct validators validators;
    struct stat file = {.st_size = SIZE, .st_mtim = {.tv_sec = MODIFIED_S, .tv_nsec = 255}};
    validators_of(&file, &validators);
    return validators;
}

static void test_validators(void **state) {
    (void)state;
    struct validators validators = made();
    assert_string_equal(validators.modified, MODIFIED);
    assert_string_equal(validators.etag, "\"3e8-2ebc98a1.ff\"");
}

#define ETAG "\"3e8-2ebc98a1.ff\""

static void test_ranges(void **state) {
    (void)state;
    static const struct {
        const char *range;
        unsigned status;
        uint64_t first, count;
    } rows[] = {
        {NULL, 200, 0, SIZE},
        {"", 200, 0, SIZE},
        {"bytes=0-0", 206, 0, 1},
        {"bytes=0-", 206, 0, SIZE},
        {"bytes=0-999", 206, 0, SIZE},
        {"bytes=0-99999", 206, 0, SIZE},
        {"bytes=999-", 206, 999, 1},
        {"bytes=10-19", 206, 10, 10},
        {"Bytes= 10-19 ", 206, 10, 10},
        {"bytes=-1", 206, 999, 1},
        {"bytes=-1000", 206, 0, SIZE},
        {"bytes=-5000", 206, 0, SIZE},
        {"bytes=5-18446744073709551615", 206, 5, 995},
        {"bytes=1000-", 416, 0, 0},
        {"bytes=1000-1001", 416, 0, 0},
        {"bytes=18446744073709551615-", 416, 0, 0},
        {"bytes=-0", 416, 0, 0},
        {"bytes=", 200, 0, SIZE},
        {"bytes=-", 200, 0, SIZE},
        {"bytes=5", 200, 0, SIZE},
        {"bytes=5-4", 200, 0, SIZE},
        {"bytes=a-b", 200, 0, SIZE},
        {"bytes=0-1,5-6", 200, 0, SIZE},
        {"bytes=0-1, 5-6", 200, 0, SIZE},
        {"bytes=0 - 1", 200, 0, SIZE},
        {"bytes=+0-1", 200, 0, SIZE},
        {"bytes=0-99999999999999999999999", 200, 0, SIZE},
        {"bytes 0-1", 200, 0, SIZE},
        {"items=0-1", 200, 0, SIZE},
    };
    struct validators validators = made();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct conditions conditions = {.range = rows[i].range};
        struct portion portion = validators_choose(&validators, SIZE, &conditions, MODIFIED_S + 100);
        if (portion.status != rows[i].status || portion.first != rows[i].first ||
            portion.count != rows[i].count)
            fail_msg("%s: %u %llu %llu", rows[i].range, portion.status, (unsigned long long)portion.first,
                     (unsigned long long)portion.count);
    }
}

static void test_an_empty_file(void **state) {
    (void)state;
    struct validators validators = made();
    static const char *const ranges[] = {"bytes=0-", "bytes=0-0", "bytes=-1"};
    for (size_t i = 0; i < 3; i++) {
        struct conditions conditions = {.range = ranges[i]};
        assert_int_equal(validators_choose(&validators, 0, &conditions, MODIFIED_S).status, 416);
    }
}

static void test_conditions(void **state) {
    (void)state;
    static const struct {
        unsigned status;
        struct conditions conditions;
    } rows[] = {
        {304, {.if_none_match = ETAG}},
        {304, {.if_none_match = "W/" ETAG}},
        {304, {.if_none_match = "\"x\", " ETAG}},
        {304, {.if_none_match = "*"}},
        {304, {.if_none_match = ETAG, .range = "bytes=0-1"}},
        {200, {.if_none_match = "\"x\""}},
        {200, {.if_none_match = ""}},
        {200, {.if_none_match = "3e8-2ebc98a1.ff"}},
        {200, {.if_none_match = "\"x\"", .if_modified_since = MODIFIED}}, /* the tag counts alone */
        {304, {.if_modified_since = MODIFIED}},
        {304, {.if_modified_since = "Sunday, 06-Nov-94 08:49:37 GMT"}},
        {304, {.if_modified_since = "Sun Nov  6 08:49:37 1994"}},
        {304, {.if_modified_since = "Sun, 06 Nov 1994 08:49:38 GMT"}},
        {200, {.if_modified_since = "Sun, 06 Nov 1994 08:49:36 GMT"}},
        {200, {.if_modified_since = MODIFIED "x"}},
        {200, {.if_modified_since = "yesterday"}},
        {200, {.if_match = ETAG}},
        {200, {.if_match = "*"}},
        {412, {.if_match = "\"x\""}},
        {412, {.if_match = "W/" ETAG}},
        {200, {.if_unmodified_since = MODIFIED}},
        {412, {.if_unmodified_since = "Sun, 06 Nov 1994 08:49:36 GMT"}},
        {206, {.range = "bytes=0-1", .if_range = ETAG}},
        {206, {.range = "bytes=0-1", .if_range = MODIFIED}},
        {200, {.range = "bytes=0-1", .if_range = "W/" ETAG}},
        {200, {.range = "bytes=0-1", .if_range = "\"x\""}},
        {200, {.range = "bytes=0-1", .if_range = "Sun, 06 Nov 1994 08:49:38 GMT"}},
        {200, {.range = "bytes=5000-", .if_range = "\"x\""}},
    };
    struct validators validators = made();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct portion portion = validators_choose(&validators, SIZE, &rows[i].conditions, MODIFIED_S + 100);
        if (portion.status != rows[i].status) fail_msg("%zu: %u", i, portion.status);
    }
    /* written in this second: it may be so once more */
    struct conditions just_now = {.range = "bytes=0-1", .if_range = MODIFIED};
    assert_int_equal(validators_choose(&validators, SIZE, &just_now, MODIFIED_S + 1).status, 200);
}

static void test_media_types(void **state) {
    (void)state;
    static const struct {
        const char *path, *type;
    } rows[] = {
        {"index.html", "text/html; charset=utf-8"},
        {"a/INDEX.HTM", "text/html; charset=utf-8"},
        {"app.min.js", "text/javascript; charset=utf-8"},
        {"a.wasm", "application/wasm"},
        {"a.svg", "image/svg+xml; charset=utf-8"},
        {"a.json", "application/json"},
        {"b.html/README", "application/octet-stream"},
        {"html", "application/octet-stream"},
        {"a.", "application/octet-stream"},
        {"a.unheard", "application/octet-stream"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(media_type_of(rows[i].path), rows[i].type);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_validators), cmocka_unit_test(test_ranges),
                                       cmocka_unit_test(test_an_empty_file),
                                       cmocka_unit_test(test_conditions), cmocka_unit_test(test_media_types)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
