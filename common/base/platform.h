/* What systems have under different names: the only place where the core asks which one it is built for. What
 * differs beyond a name is in one file a system, platform_linux.c and platform_darwin.c; CMake takes the one
 * needed. Names that Darwin lacks are in platform_darwin.h. */
#ifndef BASE_PLATFORM_H
#define BASE_PLATFORM_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#ifdef __APPLE__
#define PLATFORM_OPENER "open"
#else
#define PLATFORM_OPENER "xdg-open"
#endif

/* socket() without a protocol: closed in programs that are started, and silent (no SIGPIPE) where flags of
 * send() cannot say so. -1: errno says why. */
int platform_socket(int family, int type, bool blocks);

/* A condition that is waited for by the clock that nobody sets. */
void platform_cond_init(pthread_cond_t *cond);
/* So long from now. */
struct timespec platform_deadline(uint64_t ms);
/* False: it is past the deadline. True: signalled, or woken for nothing. */
bool platform_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, const struct timespec *deadline);

#endif
