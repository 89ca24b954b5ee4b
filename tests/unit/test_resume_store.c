#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmocka_setup.h"
#include "resume_store.h"

static char base[64], dir[96], error[512];

static int make_base(void **state) {
    (void)state;
    snprintf(base, sizeof(base), "/tmp/test_resume_XXXXXX");
    if (!mkdtemp(base)) return -1;
    snprintf(dir, sizeof(dir), "%s/a/ttf", base);
    return 0;
}

static int remove_base(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", base);
    return system(command);
}

static enum resume_claim open_store(struct resume_store *store, const char *endpoint, uint16_t port,
                                    const char *name) {
    struct resume_key key = {.endpoint = endpoint, .port = port, .name = name};
    return resume_store_open(store, dir, &key, error, sizeof(error));
}

static void save(struct resume_store *store, const char *token) {
    if (!resume_store_save(store, view_from_cstr(token), error, sizeof(error))) fail_msg("%s", error);
}

static void expect(const struct resume_store *store, const char *token) {
    char *kept = resume_store_load(store);
    if (!token)
        assert_null(kept);
    else
        assert_string_equal(kept, token);
    free(kept);
}

static unsigned mode_of(const char *path) {
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    return info.st_mode & 0777;
}

static void keeps_a_token(void **state) {
    (void)state;
    struct resume_store store;
    assert_int_equal(open_store(&store, "ws://h:1", 3000, NULL), RESUME_HELD);
    expect(&store, NULL);
    save(&store, "first");
    save(&store, "second.token_-=");
    expect(&store, "second.token_-=");
    assert_int_equal(mode_of(dir), 0700);
    assert_int_equal(mode_of(store.path), 0600);
    assert_non_null(strstr(store.path, "/h_1-3000-"));
    resume_store_close(&store);

    assert_int_equal(open_store(&store, "ws://h:1", 3000, NULL), RESUME_HELD);
    expect(&store, "second.token_-=");
    resume_store_close(&store);
}

static void keys_do_not_mix(void **state) {
    (void)state;
    static const struct {
        const char *endpoint, *name;
        uint16_t port;
    } keys[] = {{"ws://h:1", NULL, 3000},   {"ws://h:2", NULL, 3000}, {"wss://h:1", NULL, 3000},
                {"ws://h:1/x", NULL, 3000}, {"ws://h:1", NULL, 3001}, {"ws://h:1", "demo", 3000},
                {"ws://h:1", "demo2", 3000}};
    enum { COUNT = sizeof(keys) / sizeof(keys[0]) };
    struct resume_store stores[COUNT];
    char token[16];
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(open_store(&stores[i], keys[i].endpoint, keys[i].port, keys[i].name), RESUME_HELD);
        snprintf(token, sizeof(token), "token%zu", i);
        save(&stores[i], token);
    }
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(token, sizeof(token), "token%zu", i);
        expect(&stores[i], token);
        resume_store_close(&stores[i]);
    }
}

static void a_second_one_gets_its_own(void **state) {
    (void)state;
    struct resume_store first, second;
    assert_int_equal(open_store(&first, "ws://h", 3000, NULL), RESUME_HELD);
    assert_int_equal(open_store(&second, "ws://h", 3000, NULL), RESUME_HELD);
    assert_string_not_equal(first.path, second.path);
    save(&first, "one");
    save(&second, "two");
    resume_store_close(&first);
    assert_int_equal(open_store(&first, "ws://h", 3000, NULL), RESUME_HELD);
    expect(&first, "one");
    resume_store_close(&first);
    resume_store_close(&second);
}

static void a_name_is_held_once(void **state) {
    (void)state;
    struct resume_store first, second;
    assert_int_equal(open_store(&first, "ws://h", 3000, "demo"), RESUME_HELD);
    assert_int_equal(open_store(&second, "ws://h", 3000, "demo"), RESUME_BUSY);
    resume_store_close(&second);
    resume_store_close(&first);
    assert_int_equal(open_store(&second, "ws://h", 3000, "demo"), RESUME_HELD);
    resume_store_close(&second);
}

static void foreign_content_is_ignored(void **state) {
    (void)state;
    static const char *const contents[] = {"",
                                           "x",
                                           "ttf-resume-1 other 1 - 0\ntoken\n",
                                           "%LABEL\n",
                                           "%LABEL\n\n",
                                           "%LABEL\nto ken\n",
                                           "%LABEL\nto\x01ken\n"};
    struct resume_store store;
    assert_int_equal(open_store(&store, "ws://h", 3000, NULL), RESUME_HELD);
    for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
        FILE *file = fopen(store.path, "w");
        assert_non_null(file);
        bool labelled = strncmp(contents[i], "%LABEL", 6) == 0;
        fprintf(file, "%s%s", labelled ? store.label : "", contents[i] + (labelled ? 6 : 0));
        fclose(file);
        expect(&store, NULL);
    }
    save(&store, "good");
    expect(&store, "good");
    assert_false(resume_store_save(&store, VIEW("bad token"), error, sizeof(error)));
    assert_false(resume_store_save(&store, VIEW(""), error, sizeof(error)));
    expect(&store, "good");
    resume_store_close(&store);
}

static void without_a_directory(void **state) {
    (void)state;
    struct resume_store store;
    char blocker[80];
    snprintf(blocker, sizeof(blocker), "%s/a", base);
    FILE *file = fopen(blocker, "w");
    assert_non_null(file);
    fclose(file);
    error[0] = '\0';
    assert_int_equal(open_store(&store, "ws://h", 3000, NULL), RESUME_UNAVAILABLE);
    assert_non_null(strstr(error, "Not a directory"));
    assert_true(resume_store_save(&store, VIEW("token"), error, sizeof(error)));
    expect(&store, NULL);
    resume_store_close(&store);

    struct resume_key key = {.endpoint = "ws://h", .port = 1};
    assert_int_equal(resume_store_open(&store, NULL, &key, error, sizeof(error)), RESUME_UNAVAILABLE);
}

static void loose_directory_is_tightened(void **state) {
    (void)state;
    char parent[80];
    snprintf(parent, sizeof(parent), "%s/a", base);
    assert_int_equal(mkdir(parent, 0755), 0);
    assert_int_equal(mkdir(dir, 0755), 0);
    struct resume_store store;
    assert_int_equal(open_store(&store, "ws://h", 3000, NULL), RESUME_HELD);
    assert_int_equal(mode_of(dir), 0700);
    assert_int_equal(mode_of(parent), 0755);
    resume_store_close(&store);
}

static void where_it_is(void **state) {
    (void)state;
    setenv("HOME", "/home/x", 1);
    setenv("XDG_STATE_HOME", "/state", 1);
    char *found = resume_store_default_dir();
    assert_string_equal(found, "/state/ttf");
    free(found);
    setenv("XDG_STATE_HOME", "relative", 1); /* to be ignored, says the specification */
    found = resume_store_default_dir();
    assert_string_equal(found, "/home/x/.local/state/ttf");
    free(found);
}

/* Asked by another process: a record lock does not show to the one that has it. */
static bool health_elsewhere(void) {
    pid_t child = fork();
    if (child == 0) _exit(resume_store_health(dir) ? 0 : 1);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void tells_whether_it_is_up(void **state) {
    (void)state;
    struct resume_store one, two;
    assert_false(health_elsewhere()); /* no directory yet */
    assert_int_equal(open_store(&one, "ws://h:1", 3000, NULL), RESUME_HELD);
    assert_false(health_elsewhere());
    resume_store_tell(&one, true);
    assert_true(health_elsewhere());
    assert_int_equal(open_store(&two, "ws://h:1", 3000, NULL), RESUME_HELD);
    assert_false(health_elsewhere()); /* all of them */
    resume_store_tell(&two, true);
    assert_true(health_elsewhere());
    resume_store_tell(&one, false);
    assert_false(health_elsewhere());
    resume_store_close(&one);
    assert_true(health_elsewhere());
    resume_store_close(&two);
    assert_false(health_elsewhere()); /* what it said last does not count */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_base, remove_base)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(keeps_a_token),
        TEST(keys_do_not_mix),
        TEST(a_second_one_gets_its_own),
        TEST(a_name_is_held_once),
        TEST(foreign_content_is_ignored),
        TEST(without_a_directory),
        TEST(loose_directory_is_tightened),
        TEST(where_it_is),
        TEST(tells_whether_it_is_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
