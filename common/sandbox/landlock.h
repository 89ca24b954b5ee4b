/* Landlock (Linux 5.13): which files this process may write. glibc has no functions for it. */
#ifndef SANDBOX_LANDLOCK_H
#define SANDBOX_LANDLOCK_H

#include <stdbool.h>
#include <stddef.h>

/* From now on this thread and those it starts make, change and remove files beneath `paths` alone; they read
 * what they could read before, and what is open stays so. False: the kernel has it not. */
bool landlock_writes(const char *const *paths, size_t count);

#endif
