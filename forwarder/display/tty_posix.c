/* See tty.h. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/view.h"
#include "display/tty.h"

/* What is known when the process ends. */
static struct {
    volatile sig_atomic_t is_taken;
    int fd;
    const char *farewell;
    bool has_before;
    struct termios before;
} current;

bool tty_is_ours(int fd) {
    const char *kind = getenv("TERM");
    return isatty(fd) && kind && *kind && strcmp(kind, "dumb") != 0 && tcgetpgrp(fd) == getpgrp();
}

bool tty_takes_colour(int fd) {
    const char *kind = getenv("TERM");
    return isatty(fd) && !(kind && strcmp(kind, "dumb") == 0);
}

/* As locale(7) has it: the first of these that is set. */
bool tty_speaks_utf8(void) {
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < 3; i++) {
        const char *value = getenv(names[i]);
        if (!value || !*value) continue;
        struct view encoding = view_skip(view_from_cstr(value), view_find(view_from_cstr(value), '.') + 1);
        return view_eq_nocase(encoding, VIEW("UTF-8")) || view_eq_nocase(encoding, VIEW("utf8"));
    }
    return false;
}

bool tty_size(int fd, size_t *ret_columns, size_t *ret_rows) {
    struct winsize size = {0};
    if (ioctl(fd, TIOCGWINSZ, &size) != 0 || !size.ws_col || !size.ws_row) return false;
    *ret_columns = size.ws_col;
    *ret_rows = size.ws_row;
    return true;
}

/* ---- taken ---- */

static void restore_now(void) {
    if (!current.is_taken) return;
    current.is_taken = 0;
    struct pollfd ready = {.fd = current.fd, .events = POLLOUT};
    bool takes = poll(&ready, 1, 0) > 0; /* one that was stopped does not */
    ssize_t written = takes ? write(current.fd, current.farewell, strlen(current.farewell)) : 0;
    (void)written; /* the program ends: there is nobody to tell */
    if (current.has_before) tcsetattr(current.fd, TCSANOW, &current.before);
}

static void on_fatal(int number) {
    restore_now();
    raise(number); /* the handler is gone */
}

/* Those that end the process without its loop's knowing. */
static void catch_fatal(void) {
    static const int numbers[] = {SIGHUP, SIGQUIT, SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    struct sigaction action = {.sa_handler = on_fatal, .sa_flags = (int)SA_RESETHAND}, before;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL)
            sigaction(numbers[i], &action, NULL);
}

/* What is typed would stand between the lines. */
static void silence(void) {
    struct termios quiet = current.before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(current.fd, TCSANOW, &quiet);
}

void tty_take(int fd, const char *farewell) {
    current.fd = fd;
    current.farewell = farewell;
    current.has_before = tcgetattr(fd, &current.before) == 0;
    if (current.has_before) silence();
    current.is_taken = 1;
    catch_fatal();
}

void tty_give_back(void) {
    current.is_taken = 0;
    if (current.has_before) tcsetattr(current.fd, TCSANOW, &current.before);
}
