/* POSIX's sys/mman.h: which pages are there nobody says. */
#ifndef UNIT_WINDOWS_SYS_MMAN_H
#define UNIT_WINDOWS_SYS_MMAN_H

#include <errno.h>
#include <stddef.h>

static inline int mincore(void *at, size_t len, void *ret_there) {
    (void)at, (void)len;
    *(unsigned char *)ret_there = 0;
    errno = ENOSYS;
    return -1;
}

#endif
