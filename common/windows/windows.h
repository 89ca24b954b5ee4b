/* POSIX's names that Windows' C library lacks. Included before each file there (CMakeLists.txt), as Darwin's
 * are of base/platform_darwin.h; headers that are missing as a whole stand in include/, under their POSIX
 * names. A function does what POSIX says as far as ttf relies on it, and says -1 and errno otherwise. */
#ifndef WINDOWS_WINDOWS_H
#define WINDOWS_WINDOWS_H

#define WIN32_LEAN_AND_MEAN
#define NOMINMAX

#define _POSIX_THREAD_SAFE_FUNCTIONS 200809L
/* io.h's, and no name of POSIX. */
#define tell windows_tell

#include <direct.h>
#include <fcntl.h>
#include <io.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>
#include <winsock2.h>
#include <ws2tcpip.h>

#undef tell
/* Words that are names here. */
#undef TEXT
#undef STATUS_NO_MEMORY
#undef STATUS_TIMEOUT
#undef near
#undef far

/* ---- strings and times ---- */

void *memmem(const void *bytes, size_t len, const void *part, size_t part_len);
void explicit_bzero(void *bytes, size_t len);
int getentropy(void *out, size_t len);
char *realpath(const char *path, char *always_null);

#define CLOCK_BOOTTIME CLOCK_MONOTONIC
#define CLOCK_MONOTONIC_COARSE CLOCK_MONOTONIC

/* ---- files: descriptors are those of the C library, whose bytes are what stands in the file ---- */

#define O_CLOEXEC O_NOINHERIT
#define O_NONBLOCK 0
#define O_NOCTTY 0
#define O_NOFOLLOW 0 /* to make a link takes an administrator there */
#define lstat stat   /* likewise */
#undef S_IWGRP       /* who else may write is not in the mode there */
#undef S_IWOTH
#define S_IWGRP 0
#define S_IWOTH 0

#define F_SETFL 4
#define F_GETLK 5
#define F_SETLK 6
#define F_RDLCK 0
#define F_WRLCK 1
#define F_UNLCK 2

struct flock {
    short l_type, l_whence;
};

int windows_open(const char *path, int flags, ...);
int windows_mkdir(const char *path);
/* Takes the place of what is there. */
int windows_rename(const char *from, const char *to);
/* F_SETFL does nothing; locks are of the whole file, and F_GETLK says F_UNLCK or not. */
int windows_fcntl(int fd, int command, ...);
ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at);

#define open windows_open
#define mkdir(path, mode) ((void)(mode), windows_mkdir(path))
#define rename(from, to) windows_rename(from, to)
#define fcntl windows_fcntl
#define fsync(fd) _commit(fd)
#define getegid() 0u

/* ---- signals: there are none but those of the C library and what libuv makes of a console's ---- */

#define SIGPIPE 13
#define SIGCONT 18
#define SIGSTOP 19
#define SIGTSTP 20
#define SIGTTOU 22
#undef pthread_sigmask
#define pthread_sigmask(how, set, before) ((void)(set), (void)(before))
#define sigfillset(set) ((void)(*(set) = 0))
#define sigdelset(set, number) ((void)(number))
typedef unsigned long long sigset_t;

#endif
