/* See sandbox.h. Nothing of the kind is here. */
#include <windows.h>

#include "sandbox/sandbox.h"

struct sandbox sandbox_enter(const char *const *writable, size_t count) {
    (void)writable, (void)count;
    return (struct sandbox){.calls = false};
}

bool sandbox_hide(void) {
    return false;
}

bool sandbox_holds(void) {
    return false;
}

void sandbox_lock(const void *bytes, size_t len) {
    (void)VirtualLock((void *)(uintptr_t)bytes, len);
}

const char *sandbox_library(void) {
    return NULL;
}
