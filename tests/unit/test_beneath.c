/* Nothing but what is in the folder is opened, by openat2 and step by step. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmocka_setup.h"
#include "folder/beneath.h"

static char base[] = "/tmp/test-beneath-XXXXXX";
static int root = -1;

static void put(const char *name) {
    int fd = openat(root, name, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, name, strlen(name)), strlen(name));
    close(fd);
}

static int make_tree(void **state) {
    (void)state;
    assert_non_null(mkdtemp(base));
    int outer = open(base, O_RDONLY | O_DIRECTORY);
    assert_true(outer >= 0);
    root = outer;
    put("outside");
    assert_int_equal(mkdirat(outer, "served", 0700), 0);
    root = openat(outer, "served", O_RDONLY | O_DIRECTORY);
    close(outer);
    assert_true(root >= 0);
    put("a");
    assert_int_equal(mkdirat(root, "sub", 0700), 0);
    assert_int_equal(mkdirat(root, "sub/deep", 0700), 0);
    put("sub/b");
    assert_int_equal(symlinkat("a", root, "link"), 0);
    assert_int_equal(symlinkat("../a", root, "sub/up"), 0);
    assert_int_equal(symlinkat("sub", root, "folder"), 0);
    assert_int_equal(symlinkat("../outside", root, "out"), 0);
    assert_int_equal(symlinkat("../../outside", root, "sub/out"), 0);
    assert_int_equal(symlinkat("..", root, "outer"), 0);
    assert_int_equal(symlinkat("/etc", root, "etc"), 0);
    assert_int_equal(symlinkat("/proc/self/root/etc/passwd", root, "proc"), 0);
    assert_int_equal(symlinkat("loop", root, "loop"), 0);
    assert_int_equal(symlinkat("none", root, "dangling"), 0);
    assert_int_equal(mkfifoat(root, "pipe", 0600), 0);
    return 0;
}

static int remove_tree(void **state) {
    (void)state;
    char command[100];
    close(root);
    snprintf(command, sizeof(command), "rm -r %s", base);
    return system(command);
}

typedef int open_fn(int root, const char *path, struct stat *ret_stat);

/* 'f' a file, 'd' a folder, '-' neither. */
static char kind_of(open_fn *open_it, const char *path) {
    struct stat status;
    errno = 0;
    int fd = open_it(root, path, &status);
    if (fd < 0) {
        assert_true(errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG);
        return '-';
    }
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
    return S_ISDIR(status.st_mode) ? 'd' : 'f';
}

static void test_what_is_opened(void **state) {
    (void)state;
    static const struct {
        const char *path;
        char kind, by_steps;
    } rows[] = {
        {".", 'd', 'd'},          {"a", 'f', 'f'},          {"sub", 'd', 'd'},
        {"sub/b", 'f', 'f'},      {"sub/deep", 'd', 'd'},   {"./a", 'f', 'f'},
        {"none", '-', '-'},       {"a/b", '-', '-'},        {"link", 'f', '-'},
        {"sub/up", 'f', '-'},     {"folder/b", 'f', '-'},   {"out", '-', '-'},
        {"sub/out", '-', '-'},    {"outer", '-', '-'},      {"outer/outside", '-', '-'},
        {"etc", '-', '-'},        {"etc/passwd", '-', '-'}, {"proc", '-', '-'},
        {"loop", '-', '-'},       {"dangling", '-', '-'},   {"pipe", '-', '-'},
        {"folder/out", '-', '-'},
    };
    struct stat status;
    /* as the kernel may have no openat2 */
    bool has_openat2 = kind_of(beneath_open, "link") == 'f';
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char kind = kind_of(beneath_open, rows[i].path),
             by_steps = kind_of(beneath_open_by_steps, rows[i].path);
        if (kind != (has_openat2 ? rows[i].kind : rows[i].by_steps) || by_steps != rows[i].by_steps)
            fail_msg("%s: %c %c", rows[i].path, kind, by_steps);
    }
    int fd = beneath_open_by_steps(root, "sub/b", &status);
    char text[8] = "";
    assert_int_equal(read(fd, text, sizeof(text)), 5);
    assert_int_equal(status.st_size, 5);
    assert_string_equal(text, "sub/b");
    close(fd);
}

/* Who writes into a pipe is not woken by a visitor. */
static void test_a_pipe_is_not_opened(void **state) {
    (void)state;
    struct stat status;
    assert_int_equal(beneath_open(root, "pipe", &status), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(openat(root, "pipe", O_WRONLY | O_NONBLOCK), -1);
    assert_int_equal(errno, ENXIO);
}

static void test_a_long_name(void **state) {
    (void)state;
    char name[400] = "";
    memset(name, 'a', 300);
    assert_int_equal(kind_of(beneath_open, name), '-');
    memcpy(name + 300, "/b", 3);
    assert_int_equal(kind_of(beneath_open_by_steps, name), '-');
}

static void test_no_descriptor_is_lost(void **state) {
    (void)state;
    int before = dup(root);
    close(before);
    struct stat status;
    static const char *const paths[] = {"a/b", "out", "pipe", "none", "sub/none", "loop", "outer/outside"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_int_equal(beneath_open(root, paths[i], &status), -1);
        assert_int_equal(beneath_open_by_steps(root, paths[i], &status), -1);
    }
    int after = dup(root);
    close(after);
    assert_int_equal(after, before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_opened), cmocka_unit_test(test_a_pipe_is_not_opened),
        cmocka_unit_test(test_a_long_name), cmocka_unit_test(test_no_descriptor_is_lost)};
    return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
