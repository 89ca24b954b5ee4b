#include <stdio.h>
#include <stdlib.h>

#include "base/help.h"
#include "cmocka_setup.h"

static char *put(const char *name, size_t column, const char *text) {
    char *out = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&out, &len);
    help_put(file, name, column, text);
    fclose(file);
    return out;
}

static void expect(const char *name, size_t column, const char *text, const char *expected) {
    char *out = put(name, column, text);
    assert_string_equal(out, expected);
    free(out);
}

static void text_stands_beside_the_name(void **state) {
    (void)state;
    expect("  -v", 8, "what goes on", "  -v    what goes on\n");
    expect("  -v", 5, "close", "  -v close\n");
    expect("  -v", 4, "below", "  -v\n    below\n");
    expect("  --long-name", 8, "below it", "  --long-name\n        below it\n");
}

static void lines_break_between_words(void **state) {
    (void)state;
    char text[2 * HELP_WIDTH + 2], expected[4 * HELP_WIDTH];
    memset(text, 'a', sizeof(text));
    text[HELP_WIDTH - 10 - 2] = ' '; /* "aaa a": the second would be one too far */
    text[HELP_WIDTH - 10] = '\0';
    text[HELP_WIDTH - 10 - 1] = 'b';
    snprintf(expected, sizeof(expected), "x         %s\n", text);
    expect("x", 10, text, expected);
    text[HELP_WIDTH - 10] = 'b';
    text[HELP_WIDTH - 10 + 1] = '\0';
    snprintf(expected, sizeof(expected), "x         %.*s\n          bb\n", HELP_WIDTH - 10 - 2, text);
    expect("x", 10, text, expected);
}

static void a_long_word_stays_whole(void **state) {
    (void)state;
    char text[HELP_WIDTH + 50], expected[2 * HELP_WIDTH + 50];
    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    snprintf(expected, sizeof(expected), "x   %s\n", text);
    expect("x", 4, text, expected);
}

static void topics_are_first_words(void **state) {
    (void)state;
    char name[HELP_NAME_MAX];
    assert_string_equal(help_name("Names and URLs", name), "names");
    assert_string_equal(help_name("TLS", name), "tls");
    assert_string_equal(help_name("Incomprehensibilities", name), "incomprehensibi");
    assert_true(help_is_topic("Names and URLs", VIEW("names")));
    assert_true(help_is_topic("TLS", VIEW("TLS")));
    assert_false(help_is_topic("Names and URLs", VIEW("name")));
    assert_false(help_is_topic("Names and URLs", VIEW("")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_stands_beside_the_name),
        cmocka_unit_test(lines_break_between_words),
        cmocka_unit_test(a_long_word_stays_whole),
        cmocka_unit_test(topics_are_first_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
