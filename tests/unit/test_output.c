/* Lines to a descriptor that takes none: nobody waits, what is left out is counted and said, and nothing is
 * lost where somebody reads. */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/output.h"

#define LINE_BYTES 100
#define PATIENCE_MS 20

static size_t notice(char *out, size_t size, uint64_t lines) {
    return (size_t)snprintf(out, size, "missing %llu\n", (unsigned long long)lines);
}

static void write_lines(struct output *output, unsigned first, unsigned count) {
    char line[LINE_BYTES + 1];
    for (unsigned i = first; i < first + count; i++) {
        int len = snprintf(line, sizeof(line), "%098u\n", i);
        output_write(output, view_of(line, (size_t)len));
    }
}

/* All that comes until the other end is closed, or for a second nothing. */
static size_t read_all(int fd, char *out, size_t size) {
    size_t used = 0;
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    while (used < size && poll(&wanted, 1, 1000) > 0) {
        ssize_t len = read(fd, out + used, size - used);
        if (len <= 0) break;
        used += (size_t)len;
    }
    return used;
}

/* As many as fit into a pipe, which the kernel makes small for who has many of them. */
static void test_all_that_is_read_arrives(void **state) {
    (void)state;
    int ends[2];
    static char text[64 * 1024];
    assert_int_equal(pipe(ends), 0);
    int room = fcntl(ends[1], F_GETPIPE_SZ);
    unsigned count = room < 64 * 1024 ? (unsigned)room / 2 / 99 : 600;
    char last[8];
    snprintf(last, sizeof(last), "%03u\n", count - 1);
    struct output *output = output_new(ends[1], notice);
    write_lines(output, 0, count);
    assert_true(output_close(output, 5000));
    close(ends[1]);
    assert_int_equal(read_all(ends[0], text, sizeof(text)), count * 99);
    assert_memory_equal(text + (count - 1) * 99 + 95, last, 4);
    close(ends[0]);
}

/* Lines in their order without a gap, and where there is one, its size in its place. */
static unsigned check_lines(char *text, unsigned *ret_missing) {
    unsigned next = 0;
    *ret_missing = 0;
    for (char *rest = text, *line; (line = strsep(&rest, "\n")) && *line;) {
        unsigned missing;
        if (sscanf(line, "missing %u", &missing) == 1) {
            next += missing;
            *ret_missing += missing;
        } else {
            assert_int_equal(strtoul(line, NULL, 10), next);
            next++;
        }
    }
    return next;
}

static void test_nobody_reads_and_then_somebody_does(void **state) {
    (void)state;
    int ends[2];
    size_t size = 4 * 1024 * 1024;
    char *text = calloc(1, size);
    assert_int_equal(pipe(ends), 0);
    struct output *output = output_new(ends[1], notice);
    write_lines(output, 0, 20000); /* 2 MB: does not wait */
    size_t used = read_all(ends[0], text, size);
    assert_in_range(used, OUTPUT_BYTES - LINE_BYTES, 2 * OUTPUT_BYTES + 128 * 1024);
    write_lines(output, 20000, 10);
    assert_true(output_close(output, 1000));
    close(ends[1]);
    read_all(ends[0], text + used, size - used);
    unsigned missing;
    assert_int_equal(check_lines(text, &missing), 20010);
    assert_in_range(missing, 10000, 19000);
    close(ends[0]);
    free(text);
}

static void test_close_does_not_wait_for_nobody(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct output *output = output_new(ends[1], notice);
    write_lines(output, 0, 5000);
    assert_false(output_close(output, PATIENCE_MS));
    char block[65536]; /* the thread ends when somebody reads after all */
    while (read_all(ends[0], block, sizeof(block)) == sizeof(block)) continue;
    close(ends[0]);
}

static void test_a_pipe_that_others_made_non_blocking(void **state) {
    (void)state;
    int ends[2];
    static char text[1024 * 1024];
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    struct output *output = output_new(ends[1], notice);
    write_lines(output, 0, 2000); /* more than the pipe holds, less than we */
    size_t used = read_all(ends[0], text, 2000 * 99);
    assert_int_equal(used, 2000 * 99);
    assert_true(output_close(output, 1000));
    close(ends[1]);
    unsigned missing;
    assert_int_equal(check_lines(text, &missing), 2000);
    assert_int_equal(missing, 0);
    close(ends[0]);
}

static void test_a_full_disk_is_said_when_it_has_room(void **state) {
    (void)state;
    char path[] = "/tmp/test_output_XXXXXX", text[4096] = "";
    int full = open("/dev/full", O_WRONLY), file = mkstemp(path);
    if (full < 0) skip();
    int fd = dup(full);
    struct output *output = output_new(fd, notice);
    write_lines(output, 0, 3);
    struct timespec moment = {.tv_nsec = 1000000};
    for (int i = 0; i < 1000 && !output_is_idle(output); i++) nanosleep(&moment, NULL);
    dup2(file, fd);
    write_lines(output, 3, 2);
    assert_true(output_close(output, 1000));
    assert_true(pread(file, text, sizeof(text) - 1, 0) > 0);
    assert_true(strncmp(text, "missing 3\n", 10) == 0);
    unsigned missing;
    assert_int_equal(check_lines(text, &missing), 5);
    unlink(path);
    close(fd);
    close(full);
    close(file);
}

/* A socket of datagrams at that path, as a daemon of syslog has one. */
static int listen_syslog(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = 10};
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    strcpy(address.sun_path, path);
    unlink(path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    return fd;
}

static void expect_line(int fd, const char *text) {
    char seen[200] = "", expected[200];
    snprintf(expected, sizeof(expected), "<30>tag[%ld]: %s", (long)getpid(), text);
    assert_true(recv(fd, seen, sizeof(seen) - 1, 0) > 0);
    assert_string_equal(seen, expected);
}

static void test_syslog(void **state) {
    (void)state;
    char path[] = "/tmp/test_output_XXXXXX";
    close(mkstemp(path));
    int fd = listen_syslog(path);
    struct output *output = output_new_syslog(path, "tag", notice);
    assert_non_null(output);
    output_write(output, view_from_cstr("one\ntwo\n"));
    expect_line(fd, "one");
    expect_line(fd, "two");
    close(fd); /* the daemon is started again */
    fd = listen_syslog(path);
    output_write(output, view_from_cstr("three\n"));
    expect_line(fd, "three");
    assert_int_equal(output_dropped(output), 0);
    close(fd);
    unlink(path);
    output_write(output, view_from_cstr("four\nfive\n"));
    assert_true(output_close(output, PATIENCE_MS));
    assert_null(output_new_syslog(path, "tag", notice));
}

/* A name that another file has by now is followed. */
static void test_a_file_that_was_moved(void **state) {
    (void)state;
    char path[] = "/tmp/test_output_XXXXXX", old[sizeof(path) + 2], text[100];
    close(mkstemp(path));
    snprintf(old, sizeof(old), "%s.1", path);
    struct output *output = output_new_file(path, notice);
    output_write(output, view_from_cstr("one\n"));
    for (int i = 0; i < 1000 && !output_is_idle(output); i++) poll(NULL, 0, 10);
    assert_int_equal(rename(path, old), 0);
    close(open(path, O_WRONLY | O_CREAT, 0600)); /* as logrotate makes it */
    output_write(output, view_from_cstr("two\n"));
    assert_true(output_close(output, 5000));
    int fd = open(path, O_RDONLY);
    assert_int_equal(read(fd, text, sizeof(text)), 4);
    assert_memory_equal(text, "two\n", 4);
    close(fd);
    unlink(path);
    unlink(old);
    assert_null(output_new_file("/nowhere/log", notice));
}

static void test_a_pipe_that_nobody_reads_is_refused(void **state) {
    (void)state;
    char folder[] = "/tmp/test_output_XXXXXX", path[64], text[8];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/pipe", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    alarm(30); /* where it waits for ever */
    assert_null(output_new_file(path, notice));
    alarm(0);
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    struct output *output = output_new_file(path, notice);
    assert_non_null(output);
    output_write(output, view_from_cstr("one\n"));
    assert_true(output_close(output, 5000));
    assert_int_equal(read_all(reader, text, sizeof(text)), 4);
    close(reader);
    unlink(path);
    rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_that_is_read_arrives),
        cmocka_unit_test(test_nobody_reads_and_then_somebody_does),
        cmocka_unit_test(test_close_does_not_wait_for_nobody),
        cmocka_unit_test(test_a_pipe_that_others_made_non_blocking),
        cmocka_unit_test(test_a_full_disk_is_said_when_it_has_room),
        cmocka_unit_test(test_syslog),
        cmocka_unit_test(test_a_file_that_was_moved),
        cmocka_unit_test(test_a_pipe_that_nobody_reads_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
