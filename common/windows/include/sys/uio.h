/* POSIX's sys/uio.h, as far as it is needed. */
#ifndef WINDOWS_SYS_UIO_H
#define WINDOWS_SYS_UIO_H

#include <stddef.h>

struct iovec {
    void *iov_base;
    size_t iov_len;
};

#endif
