/* See process.h. */
#include "metrics/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/view.h"
#include "metrics/metrics.h"

static bool read_file(const char *path, char *out, size_t size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t len = read(fd, out, size - 1);
    close(fd);
    if (len < 0) return false;
    out[len] = '\0';
    return true;
}

static void read_memory(void) {
    char text[128];
    uint64_t total, resident, page = (uint64_t)sysconf(_SC_PAGESIZE);
    if (!read_file("/proc/self/statm", text, sizeof(text))) return;
    struct view rest = view_from_cstr(text), first, second;
    if (!view_split(&rest, ' ', &first) || !view_split(&rest, ' ', &second)) return;
    if (!view_parse_u64(first, &total) || !view_parse_u64(second, &resident)) return;
    metrics_set(METRIC_PROCESS_VIRTUAL, 0, total * page);
    metrics_set(METRIC_PROCESS_RESIDENT, 0, resident * page);
}

static uint64_t us_of(struct timeval time) {
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_usec;
}

static void read_cpu(void) {
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) return;
    metrics_set(METRIC_PROCESS_CPU, 0, us_of(usage.ru_utime) + us_of(usage.ru_stime));
}

/* Since Linux 6.2 the folder's size is how many there are. */
static uint64_t count_descriptors(void) {
    struct stat folder;
    uint64_t count = 0;
    if (stat("/proc/self/fd", &folder) != 0) return 0;
    if (folder.st_size > 0) return (uint64_t)folder.st_size;
    DIR *list = opendir("/proc/self/fd");
    if (!list) return 0;
    while (readdir(list)) count++;
    closedir(list);
    return count > 3 ? count - 3 : 0; /* ".", ".." and the list's own */
}

static void read_descriptors(void) {
    struct rlimit limit;
    metrics_set(METRIC_PROCESS_FDS, 0, count_descriptors());
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) metrics_set(METRIC_PROCESS_FDS_LIMIT, 0, limit.rlim_cur);
}

/* Its begin stands there in ticks since the machine's; behind the command's name, which may hold anything. */
static void read_start(void) {
    char text[1024];
    uint64_t ticks;
    struct timespec now, up;
    if (metrics_slots[METRIC_PROCESS_START] || !read_file("/proc/self/stat", text, sizeof(text))) return;
    const char *at = strrchr(text, ')');
    for (unsigned field = 2; at && field < 22; field++) at = strchr(at + 1, ' ');
    struct view number = view_from_cstr(at ? at + 1 : "");
    if (!view_parse_u64(view_slice(number, 0, view_find(number, ' ')), &ticks)) return;
    clock_gettime(CLOCK_REALTIME, &now);
    clock_gettime(CLOCK_BOOTTIME, &up);
    uint64_t booted_us =
        (uint64_t)(now.tv_sec - up.tv_sec) * 1000000 + (uint64_t)((now.tv_nsec - up.tv_nsec) / 1000);
    metrics_set(METRIC_PROCESS_START, 0, booted_us + ticks * 1000000 / (uint64_t)sysconf(_SC_CLK_TCK));
}

void metrics_read_process(void) {
    read_memory();
    read_cpu();
    read_descriptors();
    read_start();
}
