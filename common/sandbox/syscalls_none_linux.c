/* See syscalls.h: a build without libseccomp. */
#include <stddef.h>

#include "sandbox/syscalls.h"

bool syscalls_refuse(void) {
    return false;
}

const char *syscalls_library(void) {
    return NULL;
}
