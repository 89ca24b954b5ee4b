/* The config file's reading: what is an entry, in which line it stood, and what is refused. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "cmocka_setup.h"
#include "yaml/config_file.h"

struct seen {
    char text[2048]; /* "name=value@line;" */
};

static bool take(void *ctx, const struct config_entry *entry, struct config_problem *problem) {
    struct seen *seen = ctx;
    size_t used = strlen(seen->text);
    snprintf(seen->text + used, sizeof(seen->text) - used, "%.*s=%.*s@%u%s;", VIEW_ARG(entry->name),
             VIEW_ARG(entry->value), entry->line, entry->is_list ? "[]" : "");
    if (!view_eq(entry->name, VIEW("refuse"))) return true;
    snprintf(problem->text, sizeof(problem->text), "no");
    return false;
}

static const struct {
    const char *name, *text, *seen;
    unsigned line; /* of the problem; 0: none */
    const char *problem;
} rows[] = {
    {"nothing", "", "", 0, NULL},
    {"comments", "# one\n\n  # two\n", "", 0, NULL},
    {"one", "domain: a.example", "domain=a.example@1;", 0, NULL},
    {"two", "---\na: 1\n# so\nb: \"2 3\"\n", "a=1@2;b=2 3@4;", 0, NULL},
    {"all text", "a: true\nb: 007\nc: null\nd: 1:30\n", "a=true@1;b=007@2;c=null@3;d=1:30@4;", 0, NULL},
    {"all addresses", "agent-listen: :8081\n", "agent-listen=:8081@1;", 0, NULL},
    {"v6", "a: '[::1]:80'\n", "a=[::1]:80@1;", 0, NULL},
    {"no value", "a:\n", "a=@1;", 0, NULL},
    {"a list", "a: [x, 'y z']\n", "a=x,y z@1[];", 0, NULL},
    {"a list in lines", "a:\n  - x\n  - fd00::/8\nb: 1\n", "a=x,fd00::/8@1[];b=1@4;", 0, NULL},
    {"an empty list", "a: []\n", "a=@1[];", 0, NULL},
    {"CRLF", "a: 1\r\nb: 2\r\n", "a=1@1;b=2@2;", 0, NULL},
    {"byte order mark",
     "\xef\xbb\xbf"
     "a: 1\n",
     "a=1@1;", 0, NULL},
    {"the caller refuses", "a: 1\nrefuse: 2\nb: 3\n", "a=1@1;refuse=2@2;", 2, "no"},
    {"no mapping", "just text\n", "", 1, "name: value"},
    {"a list alone", "- a\n", "", 1, "name: value"},
    {"nested", "a:\n  b: 1\n", "", 2, "of their own"},
    {"nested in a list", "a:\n  - b: 1\n", "", 2, "of their own"},
    {"a list in a list", "a: [[b]]\n", "", 1, "list"},
    {"a list as name", "? [a]\n: b\n", "", 1, "list"},
    {"anchor", "a: &x 1\n", "", 1, "anchors"},
    {"tag", "a: !!str 1\n", "", 1, "anchors"},
    {"anchor of the mapping", "&x\na: 1\n", "", 1, "anchors"},
    {"anchor of a list", "a: &x [b]\n", "", 1, "anchors"},
    {"alias", "a: 1\nb: *x\n", "a=1@1;", 2, "alias"},
    {"two documents", "a: 1\n---\nb: 1\n", "a=1@1;", 2, "one document"},
    {"tabs", "a: 1\n\tb: 2\n", NULL, 2, ""},
    {"a quote left open", "a: 1\nb: \"2\n", NULL, 3, ""},
    {"a bracket left open", "a: [1\n", NULL, 2, ""},
    {"NUL in a value", "a: \"x\\0y\"\n", "", 1, "control"},
    {"a name that is empty", "a: 1\n\"\": 2\n", "a=1@1;", 2, "name is empty"},
    {"a block of lines", "a: |\n  x\n  y\n", "", 1, "line break"},
    {"not UTF-8", "a: \xff\n", NULL, 1, "UTF-8"},
};

static void test_rows(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct seen seen = {""};
        struct config_problem problem;
        bool good = config_file_parse(view_from_cstr(rows[i].text), take, &seen, &problem);
        if (good != (rows[i].line == 0) || (!good && problem.line != rows[i].line))
            fail_msg("%s: %d, line %u: %s", rows[i].name, good, problem.line, problem.text);
        if (rows[i].problem && !strstr(problem.text, rows[i].problem))
            fail_msg("%s: %s", rows[i].name, problem.text);
        if (rows[i].seen && strcmp(seen.text, rows[i].seen) != 0) fail_msg("%s: %s", rows[i].name, seen.text);
    }
}

static void test_too_large(void **state) {
    (void)state;
    struct seen seen = {""};
    struct config_problem problem;
    size_t len = CONFIG_FILE_BYTES_MAX + 1;
    char *spaces = malloc(len);
    memset(spaces, '\n', len);
    assert_true(config_file_parse(view_of(spaces, len - 1), take, &seen, &problem));
    assert_false(config_file_parse(view_of(spaces, len), take, &seen, &problem));
    assert_int_equal(problem.line, 0);
    free(spaces);
}

static void test_files(void **state) {
    (void)state;
    struct seen seen = {""};
    struct config_problem problem;
    assert_false(config_file_read("/nonexistent/config.yaml", take, &seen, &problem));
    assert_non_null(strstr(problem.text, "No such file"));
    assert_false(config_file_read("/", take, &seen, &problem));
    char path[] = "/tmp/test_config_file.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, "a: 1\n", 5) == 5);
    close(fd);
    assert_true(config_file_read(path, take, &seen, &problem));
    assert_string_equal(seen.text, "a=1@1;");
    unlink(path);
}

static bool take_nested(void *ctx, const struct config_entry *entry, struct config_problem *problem) {
    struct seen *seen = ctx;
    size_t used = strlen(seen->text);
    (void)problem;
    snprintf(seen->text + used, sizeof(seen->text) - used, "%.*s/%.*s/%.*s=%.*s@%u%s;",
             VIEW_ARG(entry->sections[0]), VIEW_ARG(entry->sections[1]), VIEW_ARG(entry->name),
             VIEW_ARG(entry->value), entry->line, entry->is_section ? "{}" : "");
    return true;
}

static void sections(void **state) {
    (void)state;
    static const struct {
        const char *text, *seen;
        unsigned line;
    } nested[] = {
        {"a: 1\nt:\n  web:\n    b: 2\n  api: {c: 3}\nd: 4\n",
         "//a=1@1;//t=@2{};t//web=@3{};t/web/b=2@4;t//api=@5{};t/api/c=3@5;//d=4@6;", 0},
        {"t: {}\n", "//t=@1{};", 0},
        {"t:\n  web: 3000\n", "//t=@1{};t//web=3000@2;", 0},
        {"t:\n  a:\n    b:\n      c: 1\n", NULL, 4},
        {"t:\n  - a: 1\n", NULL, 2},
        {"t: {a: {}}\n---\n", NULL, 2},
        {"? {a: 1}\n: b\n", NULL, 1},
    };
    for (size_t i = 0; i < sizeof(nested) / sizeof(nested[0]); i++) {
        struct seen seen = {""};
        struct config_problem problem;
        bool good = config_file_parse_sections(view_from_cstr(nested[i].text), CONFIG_SECTIONS_MAX,
                                               take_nested, &seen, &problem);
        if (good != !nested[i].line || (!good && problem.line != nested[i].line))
            fail_msg("%s: line %u: %s", nested[i].text, problem.line, problem.text);
        if (nested[i].seen) assert_string_equal(seen.text, nested[i].seen);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(sections), cmocka_unit_test(test_rows),
                                       cmocka_unit_test(test_too_large), cmocka_unit_test(test_files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
