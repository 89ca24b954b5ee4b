/* A filter of system calls (seccomp), by libseccomp. */
#ifndef SANDBOX_SYSCALLS_H
#define SANDBOX_SYSCALLS_H

#include <stdbool.h>

/* prctl(SYSCALLS_MARK) fails with this errno, as no kernel has it, where the filter holds. */
#define SYSCALLS_MARK 0x54544653
#define SYSCALLS_MARK_ERRNO EOWNERDEAD

/* From now on calls that no program that talks on sockets needs fail with EPERM: those that change the
 * machine, look into other processes, load code into the kernel, make namespaces, become another user, or
 * make memory both writable and executable; and sockets that are neither of the internet, nor unix, nor
 * netlink. What is not known stays allowed, so that a newer libc goes on to work. False: the build or the
 * kernel has it not. */
bool syscalls_refuse(void);

/* As sandbox_library(). */
const char *syscalls_library(void);

#endif
