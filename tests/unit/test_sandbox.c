/* What a process has given up it cannot do any more. Each row is a process of its own, for there is no way
 * back. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmocka_setup.h"
#include "sandbox/sandbox.h"

static char base[] = "/tmp/test-sandbox-XXXXXX";
static char within[100], outside[100], log_file[100];

static int make_folders(void **state) {
    (void)state;
    assert_non_null(mkdtemp(base));
    snprintf(within, sizeof(within), "%s/within", base);
    snprintf(outside, sizeof(outside), "%s/outside", base);
    snprintf(log_file, sizeof(log_file), "%s/log", base);
    assert_int_equal(mkdir(within, 0700) + mkdir(outside, 0700), 0);
    int fd = open(log_file, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    close(fd);
    return 0;
}

static int remove_folders(void **state) {
    (void)state;
    char command[200];
    snprintf(command, sizeof(command), "rm -r %s", base);
    return system(command); /* NOLINT(cert-env33-c): a path of our own */
}

static struct sandbox entered;

/* In a process of its own, that has entered: what `ask` gives. 0 to 254. */
static int answer_within(int (*ask)(void)) {
    const char *const writable[] = {within, log_file, NULL, "/nowhere/at/all"};
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        entered = sandbox_enter(writable, 4);
        _exit(ask());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int what_holds(void) {
    return (entered.calls ? 1 : 0) | (entered.files ? 2 : 0) | (entered.memory ? 4 : 0);
}

static bool holds(int what) {
    return (answer_within(what_holds) & what) != 0;
}

/* 0, or errno. */
static int error_of(long result) {
    return result < 0 ? errno : 0;
}

/* ---- calls ---- */

static int ask_unshare(void) {
    return error_of(unshare(CLONE_NEWUSER));
}
static int ask_trace(void) {
    return error_of(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}
static int ask_read_another(void) {
    return error_of(syscall(SYS_process_vm_readv, getppid(), NULL, 0ul, NULL, 0ul, 0ul));
}
static int ask_bpf(void) {
    return error_of(syscall(SYS_bpf, 0, NULL, 0));
}
static int ask_key(void) {
    return error_of(syscall(SYS_keyctl, 0, 0, 0, 0, 0));
}
static int ask_root(void) {
    return error_of(chroot(base));
}
static int ask_user(void) {
    return error_of(setuid(getuid()));
}
static int ask_packet(void) {
    return error_of(socket(AF_PACKET, SOCK_RAW, 0));
}
static int ask_vsock(void) {
    return error_of(socket(40, SOCK_STREAM, 0));
}
static int ask_strange_family(void) {
    return error_of(socket(1 << 20, SOCK_STREAM, 0));
}
static int ask_code(void) {
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? errno : 0;
}
static int ask_code_later(void) {
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? 255 : error_of(mprotect(memory, 4096, PROT_READ | PROT_EXEC));
}
static int ask_code_later_by_key(void) {
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return 255;
    return error_of(syscall(SYS_pkey_mprotect, memory, 4096, PROT_READ | PROT_EXEC, -1));
}
static int ask_code_shared(void) {
    int id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
    if (id < 0) return 255;
    const void *memory = shmat(id, NULL, SHM_EXEC);
    int error = memory == (void *)-1 ? errno : 0;
    shmctl(id, IPC_RMID, NULL);
    return error;
}
static int ask_namespace_by_clone(void) {
    long child = syscall(SYS_clone, 0x10000000 | SIGCHLD, 0, 0, 0, 0);
    if (child == 0) _exit(0);
    return error_of(child);
}

static void test_calls_that_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int (*ask)(void);
        int error;
    } rows[] = {
        {"unshare", ask_unshare, EPERM},
        {"ptrace", ask_trace, EPERM},
        {"process_vm_readv", ask_read_another, EPERM},
        {"bpf", ask_bpf, EPERM},
        {"keyctl", ask_key, EPERM},
        {"chroot", ask_root, EPERM},
        {"setuid", ask_user, EPERM},
        {"packets", ask_packet, EAFNOSUPPORT},
        {"vsock", ask_vsock, EAFNOSUPPORT},
        {"a family that is none", ask_strange_family, EAFNOSUPPORT},
        {"memory to write and to execute", ask_code, EPERM},
        {"memory made executable", ask_code_later, EPERM},
        {"memory made executable, with a key", ask_code_later_by_key, EPERM},
        {"shared memory to execute", ask_code_shared, EPERM},
        {"a namespace by clone", ask_namespace_by_clone, EPERM},
    };
    if (!holds(1)) skip();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int error = answer_within(rows[i].ask);
        if (error != rows[i].error) fail_msg("%s: %s", rows[i].name, strerror(error));
    }
}

static void *nothing(void *ctx) {
    return ctx;
}

static int ask_thread(void) {
    pthread_t thread;
    int error = pthread_create(&thread, NULL, nothing, NULL);
    return error ? error : pthread_join(thread, NULL);
}
static int ask_program(void) {
    return system("true") == 0 ? 0 : 1; /* NOLINT(cert-env33-c) */
}
static int ask_sockets(void) {
    const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
    for (size_t i = 0; i < 4; i++)
        if (socket(families[i], SOCK_DGRAM, 0) < 0 && errno != EAFNOSUPPORT && errno != EPROTONOSUPPORT)
            return errno;
    return socket(AF_UNIX, SOCK_STREAM, 0) < 0 ? errno : 0;
}

static void test_what_goes_on(void **state) {
    (void)state;
    assert_int_equal(answer_within(ask_thread), 0);
    assert_int_equal(answer_within(ask_program), 0);
    assert_int_equal(answer_within(ask_sockets), 0);
}

static int ask_again(void) {
    int before = what_holds();
    if (sandbox_holds() != entered.calls) return 100;
    for (int i = 0; i < 40; i++) entered = sandbox_enter(NULL, 0); /* Landlock has sixteen layers */
    return what_holds() == before ? 0 : 101;
}

static void test_once_is_enough(void **state) {
    (void)state;
    assert_false(sandbox_holds());
    assert_int_equal(answer_within(ask_again), 0);
}

/* ---- files ---- */

static int error_of_opening(const char *folder, const char *name, int flags) {
    char path[300];
    snprintf(path, sizeof(path), "%s%s%s", folder, *name ? "/" : "", name);
    return error_of(open(path, flags | O_CLOEXEC, 0600));
}

static int write_outside(void) {
    return error_of_opening(outside, "file", O_WRONLY | O_CREAT);
}
static int write_within(void) {
    return error_of_opening(within, "file", O_WRONLY | O_CREAT | O_TRUNC);
}
static int write_a_file(void) {
    return error_of_opening(log_file, "", O_WRONLY | O_APPEND);
}
static int write_by_a_link(void) {
    char path[300];
    snprintf(path, sizeof(path), "%s/link", within);
    unlink(path);
    return symlink(outside, path) != 0 ? 255 : error_of_opening(path, "file", O_WRONLY | O_CREAT);
}
static int read_outside(void) {
    return error_of_opening("/etc", "passwd", O_RDONLY);
}
static int remove_outside(void) {
    return error_of(rmdir(outside));
}
static int move_out(void) {
    char from[300], to[300];
    snprintf(from, sizeof(from), "%s/mine", within);
    snprintf(to, sizeof(to), "%s/mine", outside);
    if (error_of_opening(within, "mine", O_WRONLY | O_CREAT)) return 255;
    return error_of(rename(from, to)) ? 1 : 0;
}

static void test_files(void **state) {
    (void)state;
    if (!holds(2)) skip();
    assert_int_equal(answer_within(write_outside), EACCES);
    assert_int_equal(answer_within(write_by_a_link), EACCES);
    assert_int_equal(answer_within(remove_outside), EACCES);
    assert_int_equal(answer_within(move_out), 1);
    assert_int_equal(answer_within(write_within), 0);
    assert_int_equal(answer_within(write_a_file), 0);
    assert_int_equal(answer_within(read_outside), 0);
}

/* ---- memory ---- */

static int ask_dumpable(void) {
    return prctl(PR_GET_DUMPABLE);
}

static void test_memory(void **state) {
    (void)state;
    static unsigned char secret[32];
    sandbox_lock(secret, sizeof(secret));
    if (!holds(4)) skip();
    assert_int_equal(answer_within(ask_dumpable), 0);
}

static void test_words(void **state) {
    (void)state;
    bool wanted;
    char text[SANDBOX_TEXT_MAX];
    assert_true(sandbox_parse(NULL, &wanted) && wanted);
    assert_true(sandbox_parse("auto", &wanted) && wanted);
    assert_true(sandbox_parse("off", &wanted) && !wanted);
    assert_false(sandbox_parse("", &wanted) || sandbox_parse("on", &wanted));
    sandbox_print(&(struct sandbox){.calls = false}, text);
    assert_string_equal(text, "nothing given up");
    sandbox_print(&(struct sandbox){.calls = true, .files = true, .memory = true}, text);
    assert_string_equal(
        text, "given up: system calls it does not need; writing files outside its own folders; core dumps");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),        cmocka_unit_test(test_calls_that_are_refused),
        cmocka_unit_test(test_what_goes_on), cmocka_unit_test(test_once_is_enough),
        cmocka_unit_test(test_files),        cmocka_unit_test(test_memory)};
    return cmocka_run_group_tests(tests, make_folders, remove_folders);
}
