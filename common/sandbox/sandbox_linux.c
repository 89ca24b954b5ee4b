/* See sandbox.h. LeakSanitizer reads its own process as a debugger does, so with sanitizers nothing is given
 * up. */
#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "sandbox/landlock.h"
#include "sandbox/sandbox.h"
#include "sandbox/syscalls.h"

#if defined(__SANITIZE_ADDRESS__)
#define IS_SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_SANITIZED true
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED false
#endif

bool sandbox_holds(void) {
    return prctl(SYSCALLS_MARK, 0, 0, 0, 0) == -1 && errno == SYSCALLS_MARK_ERRNO;
}

const char *sandbox_library(void) {
    return syscalls_library();
}

bool sandbox_hide(void) {
    return !IS_SANITIZED && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

struct sandbox sandbox_enter(const char *const *writable, size_t count) {
    struct sandbox sandbox = {.memory = sandbox_hide()};
    if (IS_SANITIZED) return sandbox;
    if (sandbox_holds()) {
        sandbox.calls = sandbox.files = true;
        return sandbox;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return sandbox;
    sandbox.files = landlock_writes(writable, count);
    sandbox.calls = syscalls_refuse();
    return sandbox;
}

void sandbox_lock(const void *bytes, size_t len) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = (uintptr_t)bytes & ~(page - 1);
    size_t whole = ((uintptr_t)bytes + len - begin + page - 1) & ~(page - 1);
    if (mlock(bytes, len) != 0) return; /* RLIMIT_MEMLOCK */
    madvise((void *)begin, whole, MADV_DONTDUMP);
}
