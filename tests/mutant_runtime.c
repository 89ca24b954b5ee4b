/* In each test program that ./dev mutate builds: which fault is switched on, and which have been reached.
 * With MUTANT_SERVE it is a server: for each order it starts a copy of itself, before main(), that makes one
 * fault and runs one test. So a fault costs a fork, and no start of a program with sanitizers. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLICE_MS 50
#define MEMORY_MAX_PAGES (1L << 18)

struct order { /* ORDER of tests/mutate.py */
    int number, limit_ms;
    char test[120];
};

static unsigned char unseen[MUTANT_COUNT];
extern int mutant_now;
extern unsigned char *mutant_reached;
int mutant_now = -1;
unsigned char *mutant_reached = unseen;

void cmocka_set_test_filter(const char *pattern) __attribute__((weak));

static bool is_large(pid_t pid) {
    char path[64];
    long pages = 0;
    snprintf(path, sizeof(path), "/proc/%d/statm", pid);
    FILE *file = fopen(path, "r");
    if (!file) return false;
    if (fscanf(file, "%*d %ld", &pages) != 1) pages = 0;
    fclose(file);
    return pages > MEMORY_MAX_PAGES;
}

/* Its status as of waitpid(); what took too long or too much is killed, and all that it has started. */
static int await(pid_t pid, int limit_ms) {
    int status = -1;
    struct pollfd end = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
    while (limit_ms > 0 && poll(&end, 1, SLICE_MS) == 0 && !is_large(pid)) limit_ms -= SLICE_MS;
    close(end.fd);
    if (waitpid(pid, &status, WNOHANG) != pid) {
        kill(-pid, SIGKILL);
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
    }
    kill(-pid, SIGKILL);
    return status;
}

static void serve(void) {
    static struct order order; /* static: the test's name is used until the copy ends */
    int orders = fcntl(0, F_DUPFD_CLOEXEC, 200), answers = fcntl(1, F_DUPFD_CLOEXEC, 201),
        null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; fd++) dup2(null, fd);
    close(null);
    while (read(orders, &order, sizeof(order)) == (ssize_t)sizeof(order)) {
        pid_t pid = fork();
        if (pid < 0) abort();
        setpgid(pid, pid);
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            close(orders);
            close(answers);
            mutant_now = order.number;
            if (cmocka_set_test_filter) cmocka_set_test_filter(order.test);
            return;
        }
        int status = await(pid, order.limit_ms);
        if (write(answers, &status, sizeof(status)) != (ssize_t)sizeof(status)) break;
    }
    _exit(0);
}

__attribute__((constructor)) static void start(void) {
    const char *tests = getenv("MUTANT_TESTS"), *reached = getenv("MUTANT_REACHED");
    if (tests && cmocka_set_test_filter) cmocka_set_test_filter(tests);
    if (getenv("MUTANT_SERVE")) serve();
    if (!reached) return;
    int fd = open(reached, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, MUTANT_COUNT) != 0) abort();
    mutant_reached = mmap(NULL, MUTANT_COUNT, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mutant_reached == MAP_FAILED) abort();
    close(fd);
}
