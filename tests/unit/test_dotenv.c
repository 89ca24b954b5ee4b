#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmocka_setup.h"
#include "dotenv.h"

static void lines(void **state) {
    (void)state;
    static const struct {
        const char *name, *text, *value; /* of K; NULL: unset */
    } rows[] = {
        {"plain", "K=v", "v"},
        {"spaces around", "  K =  v  \n", "v"},
        {"export", "export K=v\n", "v"},
        {"export and tab", "export\tK=v\n", "v"},
        {"crlf", "K=v\r\nL=w\r\n", "v"},
        {"byte order mark", "\xef\xbb\xbfK=v\n", "v"},
        {"comment line", "#K=x\nK=v\n", "v"},
        {"comment behind", "K=v # note\n", "v"},
        {"hash within a word", "K=v#w\n", "v#w"},
        {"value begins with hash", "K=#x\n", ""},
        {"single quotes", "K=' v # \\n \"q\" '\n", " v # \\n \"q\" "},
        {"double quotes", "K=\"a\\nb \\\"c\\\" # d\" # note\n", "a\nb \"c\" # d"},
        {"empty", "K=\n", ""},
        {"empty quotes", "K=''\n", ""},
        {"equals in the value", "K=a=b==\n", "a=b=="},
        {"the later one wins", "K=1\nK=2\n", "2"},
        {"unclosed quote is no line", "K=\"v\nL=w\n", NULL},
        {"no equals", "K\nK v\n", NULL},
        {"name begins with a digit", "1K=v\n", NULL},
        {"another name", "KK=v\nXK=v\n", NULL},
        {"export only", "export \n", NULL},
        {"a variable called export", "export=1\nK=v", "v"},
        {"no line end at the end", "A=1\nK=v", "v"},
        {"nothing", "", NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct dotenv dotenv;
        dotenv_init(&dotenv);
        assert_true(dotenv_parse(&dotenv, view_from_cstr(rows[i].text)));
        const char *value = dotenv_get(&dotenv, "K");
        if ((value == NULL) != (rows[i].value == NULL) || (value && strcmp(value, rows[i].value) != 0))
            fail_msg("%s: '%s'", rows[i].name, value ? value : "(unset)");
        dotenv_done(&dotenv);
    }
}

static void files(void **state) {
    (void)state;
    char path[] = "/tmp/test_dotenv_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "K=v\n", 4), 4);
    struct dotenv dotenv;
    dotenv_init(&dotenv);
    assert_int_equal(dotenv_load(&dotenv, path), STATUS_OK);
    assert_string_equal(dotenv_get(&dotenv, "K"), "v");
    assert_int_equal(dotenv_load(&dotenv, "/nonexistent/.env"), STATUS_NOT_FOUND);
    assert_int_equal(dotenv_load(&dotenv, "/tmp"), STATUS_INVALID); /* a directory */
    char fifo[sizeof(path) + 8];
    snprintf(fifo, sizeof(fifo), "%s.fifo", path);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(dotenv_load(&dotenv, fifo), STATUS_INVALID); /* and at once */
    unlink(fifo);
    assert_int_equal(dotenv_load(&dotenv, "/dev/zero"), STATUS_INVALID);
    assert_int_equal(ftruncate(fd, 1 << 20), 0);
    assert_int_equal(dotenv_load(&dotenv, path), STATUS_TOO_LARGE);
    dotenv_done(&dotenv);
    close(fd);
    unlink(path);
}

static void the_environment_wins(void **state) {
    (void)state;
    struct dotenv dotenv;
    dotenv_init(&dotenv);
    assert_true(dotenv_parse(&dotenv, VIEW("TEST_DOTENV_A=file\nTEST_DOTENV_B=\n")));
    unsetenv("TEST_DOTENV_A");
    assert_string_equal(dotenv_lookup(&dotenv, "TEST_DOTENV_A"), "file");
    setenv("TEST_DOTENV_A", "real", 1);
    assert_string_equal(dotenv_lookup(&dotenv, "TEST_DOTENV_A"), "real");
    assert_null(dotenv_lookup(&dotenv, "TEST_DOTENV_B"));
    assert_null(dotenv_lookup(&dotenv, "TEST_DOTENV_C"));
    unsetenv("TEST_DOTENV_A");
    dotenv_done(&dotenv);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        cmocka_unit_test(files),
        cmocka_unit_test(the_environment_wins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
