/* What this machine, or the container that this runs in, has: what bounds must fit into. */
#ifndef GATEWAY_MACHINE_H
#define GATEWAY_MACHINE_H

#include <stdint.h>

/* Of the cgroup, where that has a limit, or all; 0: unknown. */
uint64_t machine_memory_bytes(void);
/* Descriptors that this process may have at most; UINT64_MAX: any. */
uint64_t machine_descriptors(void);

#endif
