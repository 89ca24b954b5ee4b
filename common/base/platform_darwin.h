/* Included before each file on Darwin (CMakeLists.txt): what Linux has under a name that Darwin does not
 * know. */
#ifndef BASE_PLATFORM_DARWIN_H
#define BASE_PLATFORM_DARWIN_H

#define __STDC_WANT_LIB_EXT1__ 1 /* memset_s() */
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* sockets have SO_NOSIGPIPE */
#endif

#define CLOCK_BOOTTIME CLOCK_MONOTONIC /* goes on while Darwin sleeps */
#define CLOCK_MONOTONIC_COARSE CLOCK_MONOTONIC

static inline void explicit_bzero(void *bytes, size_t len) {
    memset_s(bytes, len, 0, len);
}

#endif
