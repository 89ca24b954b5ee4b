/* See process.h. Handles stand for descriptors; virtual memory is what is the process's own there, in memory
 * or out of it. */
#include <psapi.h>

#include "metrics/metrics.h"
#include "metrics/process.h"

#define HANDLES_MAX 16777216u /* of a process, whatever the machine has */
#define FROM_1601_TO_1970_US UINT64_C(11644473600000000)

static uint64_t us_of(FILETIME time) {
    return ((uint64_t)time.dwHighDateTime << 32 | time.dwLowDateTime) / 10;
}

static void read_memory(void) {
    PROCESS_MEMORY_COUNTERS_EX memory = {.cb = sizeof(memory)};
    if (!K32GetProcessMemoryInfo(GetCurrentProcess(), (PROCESS_MEMORY_COUNTERS *)&memory, sizeof(memory)))
        return;
    metrics_set(METRIC_PROCESS_VIRTUAL, 0, memory.PrivateUsage);
    metrics_set(METRIC_PROCESS_RESIDENT, 0, memory.WorkingSetSize);
}

static void read_times(void) {
    FILETIME begin, end, kernel, user;
    if (!GetProcessTimes(GetCurrentProcess(), &begin, &end, &kernel, &user)) return;
    metrics_set(METRIC_PROCESS_CPU, 0, us_of(kernel) + us_of(user));
    metrics_set(METRIC_PROCESS_START, 0, us_of(begin) - FROM_1601_TO_1970_US);
}

static void read_handles(void) {
    DWORD count;
    if (!GetProcessHandleCount(GetCurrentProcess(), &count)) return;
    metrics_set(METRIC_PROCESS_FDS, 0, count);
    metrics_set(METRIC_PROCESS_FDS_LIMIT, 0, HANDLES_MAX);
}

void metrics_read_process(void) {
    read_memory();
    read_times();
    read_handles();
}
