/* POSIX's sys/resource.h: nothing is bound that the tests ask for. */
#ifndef UNIT_WINDOWS_SYS_RESOURCE_H
#define UNIT_WINDOWS_SYS_RESOURCE_H

#define RLIMIT_NOFILE 7

typedef unsigned long rlim_t;

struct rlimit {
    rlim_t rlim_cur, rlim_max;
};

#define getrlimit(which, limit) ((limit)->rlim_cur = (limit)->rlim_max = 65536)
#define setrlimit(which, limit) ((void)(limit))

#endif
