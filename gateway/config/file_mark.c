/* See file_mark.h. */
#include "config/file_mark.h"

#include <sys/stat.h>

static void mix(uint64_t *mark, uint64_t value) {
    *mark = (*mark ^ value) * 0x100000001b3u; /* FNV-1a, by words */
}

void file_mark_add(uint64_t *mark, struct view path) {
    char text[4096];
    struct stat status = {0};
    if (!view_copy_to(path, text, sizeof(text)) || stat(text, &status) != 0) {
        mix(mark, 1);
        return;
    }
    mix(mark, (uint64_t)status.st_dev);
    mix(mark, (uint64_t)status.st_ino);
    mix(mark, (uint64_t)status.st_size);
    mix(mark, (uint64_t)status.st_mtim.tv_sec);
    mix(mark, (uint64_t)status.st_mtim.tv_nsec);
}
