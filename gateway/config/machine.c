/* See machine.h. */
#include "config/machine.h"

#include <stddef.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

/* "max", or a file that is not there: none. */
static uint64_t limit_of(const char *path) {
    unsigned long long bytes;
    FILE *file = fopen(path, "re");
    if (!file) return UINT64_MAX;
    if (fscanf(file, "%llu", &bytes) != 1) bytes = UINT64_MAX;
    fclose(file);
    return bytes;
}

uint64_t machine_memory_bytes(void) {
    static const char *const paths[] = {"/sys/fs/cgroup/memory.max",
                                        "/sys/fs/cgroup/memory/memory.limit_in_bytes"};
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    uint64_t least = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : UINT64_MAX;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        uint64_t limit = limit_of(paths[i]);
        if (limit < least) least = limit;
    }
    return least == UINT64_MAX ? 0 : least;
}

uint64_t machine_descriptors(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max == RLIM_INFINITY) return UINT64_MAX;
    return limit.rlim_max;
}
