/* Files that a program keeps: whole or not at all, though several replace one at once. */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/regular_file.h"
#include "cmocka_setup.h"

#define BYTES 20000
#define TIMES 200

static char folder[] = "/tmp/ttf-replaced-XXXXXX";
static char path[sizeof(folder) + 8];

static int set_up(void **state) {
    (void)state;
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof(path), "%s/file", folder);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void *write_often(void *ctx) {
    char *content = malloc(BYTES);
    uintptr_t failures = 0;
    memset(content, *(const char *)ctx, BYTES);
    for (int i = 0; i < TIMES; i++) failures += !file_replace(path, view_of(content, BYTES));
    free(content);
    return (void *)failures;
}

static bool is_whole(void) {
    static char bytes[BYTES + 1];
    FILE *file = regular_file_open(path);
    if (!file) return false;
    size_t len = fread(bytes, 1, sizeof(bytes), file), same = 0;
    fclose(file);
    while (same < len && bytes[same] == bytes[0]) same++;
    return len == BYTES && same == len;
}

static void test_two_writers(void **state) {
    (void)state;
    pthread_t writers[2];
    void *failures[2];
    write_often("x");
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&writers[i], NULL, write_often, i ? "a" : "b"), 0);
    for (int i = 0; i < TIMES; i++) assert_true(is_whole());
    for (int i = 0; i < 2; i++) pthread_join(writers[i], &failures[i]);
    for (int i = 0; i < 2; i++) assert_null(failures[i]);
    assert_true(is_whole());
}

static size_t count_files(void) {
    size_t count = 0;
    DIR *entries = opendir(folder);
    for (const struct dirent *entry; entries && (entry = readdir(entries));) count += entry->d_name[0] != '.';
    if (entries) closedir(entries);
    return count;
}

/* Nothing is left beside it, nor of one that cannot be. */
static void test_what_is_left(void **state) {
    (void)state;
    struct stat status;
    char below[sizeof(path) + 8];
    assert_true(file_replace(path, VIEW("all")));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(below, sizeof(below), "%s/in", path);
    assert_true(file_replace(below, VIEW("keeps the folder")));
    assert_false(file_replace(path, VIEW("no file")));
    assert_int_equal(count_files(), 1);
    assert_int_equal(unlink(below), 0);
    assert_int_equal(rmdir(path), 0);
    snprintf(below, sizeof(below), "%s/none/in", folder);
    assert_false(file_replace(below, VIEW("no folder")));
    assert_int_equal(errno, ENOENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_writers),
        cmocka_unit_test(test_what_is_left),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
