/* See syscalls.h: a build without libseccomp. */
#include "sandbox/syscalls.h"

bool syscalls_refuse(void) {
    return false;
}
