/* See machine.h. */
#include "config/machine.h"

#include <stddef.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/view.h"

/* "max", or a file that is not there: none. */
static uint64_t limit_of(const char *path) {
    char line[32] = "";
    uint64_t bytes;
    FILE *file = fopen(path, "re");
    if (!file) return UINT64_MAX;
    if (!fgets(line, sizeof(line), file)) line[0] = '\0';
    fclose(file);
    return view_parse_u64(view_trim(view_slice(view_from_cstr(line), 0, strcspn(line, "\n"))), &bytes)
               ? bytes
               : UINT64_MAX;
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
