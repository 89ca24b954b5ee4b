/* See windows.h. */
#include <direct.h>
#include <errno.h>
#include <stdarg.h>
#include <windows.h>

#include "include/sys/file.h"

#undef open
#undef rename

/* Locks of Windows keep others from the bytes as well, so they are taken where there are none. */
#define LOCK_AT 0x40000000u
#define RECORD_AT 0x40000001u

static bool is_folder(const char *path) {
    DWORD traits = GetFileAttributesA(path);
    return traits != INVALID_FILE_ATTRIBUTES && (traits & FILE_ATTRIBUTE_DIRECTORY);
}

int windows_open(const char *path, int flags, ...) {
    int mode = 0;
    if (flags & O_CREAT) {
        va_list rest;
        va_start(rest, flags);
        mode = va_arg(rest, int);
        va_end(rest);
    }
    int fd = _open(path, flags | _O_BINARY | _O_NOINHERIT, mode & 0200 ? _S_IREAD | _S_IWRITE : _S_IREAD);
    if (fd < 0 && errno == EACCES && is_folder(path)) errno = EISDIR; /* not even to be read */
    return fd;
}

int windows_mkdir(const char *path) {
    return _mkdir(path);
}

static int fail(int error) {
    errno = error;
    return -1;
}

int windows_rename(const char *from, const char *to) {
    if (MoveFileExA(from, to, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH)) return 0;
    return fail(GetLastError() == ERROR_FILE_NOT_FOUND ? ENOENT : EACCES);
}

/* ---- locks ---- */

static bool take(int fd, DWORD at, DWORD flags) {
    OVERLAPPED place = {.Offset = at};
    return LockFileEx((HANDLE)_get_osfhandle(fd), flags, 0, 1, 0, &place);
}

static void give_back(int fd, DWORD at) {
    OVERLAPPED place = {.Offset = at};
    UnlockFileEx((HANDLE)_get_osfhandle(fd), 0, 1, 0, &place);
}

int flock(int fd, int how) {
    DWORD flags =
        (how & LOCK_EX ? LOCKFILE_EXCLUSIVE_LOCK : 0) | (how & LOCK_NB ? LOCKFILE_FAIL_IMMEDIATELY : 0);
    if (take(fd, LOCK_AT, flags)) return 0;
    return fail(GetLastError() == ERROR_LOCK_VIOLATION || GetLastError() == ERROR_IO_PENDING ? EWOULDBLOCK
                                                                                             : EIO);
}

/* Who asks takes it for a moment; whoever should be kept from it by that takes it again when he tells. */
static void ask(int fd, struct flock *lock) {
    bool is_free = take(fd, RECORD_AT, LOCKFILE_FAIL_IMMEDIATELY);
    if (is_free) give_back(fd, RECORD_AT);
    if (is_free) lock->l_type = F_UNLCK;
}

int windows_fcntl(int fd, int command, ...) {
    va_list rest;
    va_start(rest, command);
    struct flock *lock = command == F_GETLK || command == F_SETLK ? va_arg(rest, struct flock *) : NULL;
    va_end(rest);
    if (command == F_GETLK) ask(fd, lock);
    if (command == F_SETLK && !take(fd, RECORD_AT, LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY))
        return fail(EAGAIN);
    return 0;
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at) {
    DWORD written;
    OVERLAPPED place = {.Offset = (DWORD)at};
    if (!WriteFile((HANDLE)_get_osfhandle(fd), bytes, (DWORD)len, &written, &place)) return fail(EIO);
    return (ssize_t)written;
}

char *realpath(const char *path, char *always_null) {
    char *whole = _fullpath(always_null, path, 0);
    if (whole && _access(whole, 0) == 0) return whole;
    free(whole);
    errno = ENOENT;
    return NULL;
}
