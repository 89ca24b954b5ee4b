/* The token of a file: what is taken, what is refused, and that the one of before stays. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmocka_setup.h"
#include "token.h"

static void put(const char *path, const char *text, size_t len) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    fclose(file);
}

static void test_files(void **state) {
    (void)state;
    static char long_one[TOKEN_MAX + 2];
    char path[] = "/tmp/test-token-XXXXXX", error[512];
    close(mkstemp(path));
    memset(long_one, 'a', sizeof(long_one));
    const struct {
        const char *text;
        size_t len;
        const char *says; /* NULL: it is taken */
    } rows[] = {{"abc", 3, NULL},
                {"abc\n", 4, NULL},
                {"abc \r\n\n", 7, NULL},
                {"", 0, "is empty"},
                {" \n", 2, "is empty"},
                {"a b", 3, "something else"},
                {"a\r\nX: y", 7, "something else"},
                {"a\0b", 3, "something else"},
                {"\xc3\xa4", 2, "something else"},
                {long_one, TOKEN_MAX, NULL},
                {long_one, TOKEN_MAX + 1, "something else"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct token token = {.path = path, .text = "before"};
        put(path, rows[i].text, rows[i].len);
        bool ok = token_refresh(&token, error, sizeof(error));
        if (ok != !rows[i].says || (!ok && !strstr(error, rows[i].says))) fail_msg("%zu: %s", i, error);
        if (rows[i].len < 9) assert_string_equal(token_text(&token), ok ? "abc" : "before");
        if (rows[i].len == TOKEN_MAX) assert_int_equal(strlen(token_text(&token)), TOKEN_MAX);
    }
    unlink(path);
    struct token token = {.path = path, .text = "before"};
    assert_false(token_refresh(&token, error, sizeof(error)));
    assert_non_null(strstr(error, "No such file"));
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_false(token_refresh(&token, error, sizeof(error))); /* at once */
    assert_non_null(strstr(error, "no file"));
    assert_string_equal(token_text(&token), "before");
    unlink(path);
}

static void test_given(void **state) {
    char error[512];
    struct token token = {.given = "abc"}, none = {0};
    (void)state;
    assert_true(token_refresh(&token, error, sizeof(error)));
    assert_string_equal(token_text(&token), "abc");
    assert_true(token_refresh(&none, error, sizeof(error)));
    assert_null(token_text(&none));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_files), cmocka_unit_test(test_given)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
