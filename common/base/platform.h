/* What systems have under different names: the only place where the core asks which one it is built for. What
 * differs beyond a name is in one file a system, platform_linux.c, platform_darwin.c (what both do alike:
 * platform_posix.c) and platform_windows.c; CMake takes those needed. Names that Darwin lacks are in
 * platform_darwin.h, those that Windows lacks in windows/. */
#ifndef BASE_PLATFORM_H
#define BASE_PLATFORM_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#if defined(__APPLE__)
#define PLATFORM_OPENER "open"
#elif defined(_WIN32)
#define PLATFORM_OPENER "explorer"
#else
#define PLATFORM_OPENER "xdg-open"
#endif

/* What runs a command as a user writes it, and the option in front of that. */
#ifdef _WIN32
#define PLATFORM_SHELL "cmd.exe"
#define PLATFORM_SHELL_OPTION "/d /s /c"
#else
#define PLATFORM_SHELL "/bin/sh"
#define PLATFORM_SHELL_OPTION "-c"
#endif

/* socket() without a protocol: closed in programs that are started, and silent (no SIGPIPE) where flags of
 * send() cannot say so. -1: errno says why. */
int platform_socket(int family, int type, bool blocks);
void platform_close_socket(int fd);
/* recv() of a socket of libuv's, past libuv and without waiting. -1 and EAGAIN, too, where libuv reads ahead.
 */
ssize_t platform_recv_now(int fd, void *bytes, size_t len);
/* What was written to a TCP socket and the other side has not acknowledged. 0 where nobody knows. */
size_t platform_unacked_bytes(int fd);
/* Waits until write() takes something, or a signal comes. False: it never will. */
bool platform_wait_writable(int fd);

/* Who writes to a pipe or socket that nobody reads hears of it by errno, and goes on. */
void platform_ignore_broken_pipes(void);
/* SIGTERM, SIGINT, SIGHUP and SIGUSR2, whose way with who has no handler (yet, or any more) is to kill: they
 * wait; those that wait come; they go unheard from now on. */
void platform_hold_signals(void);
void platform_let_signals(void);
void platform_ignore_signals(void);
/* Ends a program that leads a group, with all that is in it. */
void platform_kill_group(int pid);

/* A condition that is waited for by the clock that nobody sets. */
void platform_cond_init(pthread_cond_t *cond);
/* So long from now. */
struct timespec platform_deadline(uint64_t ms);
/* False: it is past the deadline. True: signalled, or woken for nothing. */
bool platform_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, const struct timespec *deadline);

#endif
