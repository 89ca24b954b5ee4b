/* Included before each unit test on Windows (tests/CMakeLists.txt), after common/windows/windows.h: what the
 * tests use of POSIX and Linux, and ttf does not. */
#ifndef UNIT_WINDOWS_UNIT_H
#define UNIT_WINDOWS_UNIT_H

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <windows.h>

/* Names that tests have for themselves. */
#undef IN
#define SIZE unit_size
#define read unit_read

/* Numbers that are no file's are told by errno, as elsewhere. */
static inline void unit_ignore(const wchar_t *what, const wchar_t *where, const wchar_t *file, unsigned line,
                               uintptr_t none) {
    (void)what, (void)where, (void)file, (void)line, (void)none;
}
__attribute__((constructor)) static void unit_begin(void) {
    _set_invalid_parameter_handler(unit_ignore);
}

/* Tests that cannot pass there, or not under wine; which, and why, stands in tests/CMakeLists.txt. */
void cmocka_set_skip_filter(const char *pattern);
static inline bool unit_is_wine(void) {
    return GetProcAddress(GetModuleHandleA("ntdll.dll"), "wine_get_version") != NULL;
}
__attribute__((constructor)) static void unit_skip(void) {
    if (UNIT_SKIPS[0]) cmocka_set_skip_filter(UNIT_SKIPS);
    if (UNIT_SKIPS_WINE[0] && unit_is_wine()) cmocka_set_skip_filter(UNIT_SKIPS_WINE);
}

/* ---- sockets: closed as files are ---- */

#define SOCK_NONBLOCK 0x10000
#define SOCK_CLOEXEC 0

typedef ADDRESS_FAMILY sa_family_t;

static inline int unit_socket_of(SOCKET made, int flags) {
    unsigned long does_not_block = (flags & SOCK_NONBLOCK) != 0;
    if (made == INVALID_SOCKET) {
        errno = windows_socket_errno(WSAGetLastError());
        return -1;
    }
    ioctlsocket(made, (long)FIONBIO, &does_not_block);
    return (int)made;
}

static inline int unit_socket(int family, int type, int protocol) {
    WSADATA data;
    WSAStartup(MAKEWORD(2, 2), &data);
    return unit_socket_of(socket(family, type & ~SOCK_NONBLOCK, protocol), type);
}

static inline int accept4(int fd, struct sockaddr *address, socklen_t *len, int flags) {
    return unit_socket_of((accept)((SOCKET)fd, address, len), flags);
}

static inline int unit_close(int fd) {
    return closesocket((SOCKET)fd) == 0 ? 0 : _close(fd);
}

/* Winsock takes milliseconds where POSIX takes a struct timeval. */
static inline int unit_setsockopt(int fd, int level, int name, const void *value, int len) {
    DWORD ms = 0;
    bool is_time = level == SOL_SOCKET && (name == SO_RCVTIMEO || name == SO_SNDTIMEO);
    if (is_time) ms = (DWORD)((const struct timeval *)value)->tv_sec * 1000;
    return is_time ? windows_setsockopt(fd, level, name, &ms, sizeof(ms))
                   : windows_setsockopt(fd, level, name, value, len);
}

#undef setsockopt
#define setsockopt(fd, level, name, value, len) unit_setsockopt(fd, level, name, value, (int)(len))
#define socket(family, type, protocol) unit_socket(family, type, protocol)
#define accept(fd, address, len) accept4(fd, address, len, 0)
#define close(fd) unit_close(fd)

/* ---- the environment, files, strings ---- */

/* What ttf remembers stands elsewhere there. */
static inline int setenv(const char *name, const char *value, int always) {
    (void)always;
    return _putenv_s(strcmp(name, "XDG_STATE_HOME") == 0 ? "LOCALAPPDATA" : name, value);
}

static inline int unsetenv(const char *name) {
    return _putenv_s(name, "");
}

/* There are none by name; a folder is no file either. */
#define mkfifo(path, mode) _mkdir(path)

static inline int unit_remove(const char *path) {
    return (remove)(path) == 0 ? 0 : _rmdir(path);
}

#define remove(path) unit_remove(path)

static inline char *strcasestr(const char *text, const char *part) {
    for (size_t len = strlen(part); *text; text++)
        if (_strnicmp(text, part, len) == 0) return (char *)text;
    return NULL;
}

/* One at a time: what was written is there when it is closed. */
static struct unit_memstream {
    FILE *file;
    char **text;
    size_t *len;
} unit_memstream;

static inline FILE *open_memstream(char **text, size_t *len) {
    unit_memstream = (struct unit_memstream){tmpfile(), text, len};
    return unit_memstream.file;
}

static inline int unit_fclose(FILE *file) {
    if (file == unit_memstream.file && file) {
        *unit_memstream.len = (size_t)ftell(file);
        *unit_memstream.text = calloc(1, *unit_memstream.len + 1);
        rewind(file);
        *unit_memstream.len = fread(*unit_memstream.text, 1, *unit_memstream.len, file);
        unit_memstream.file = NULL;
    }
    return fclose(file);
}

#define fclose(file) unit_fclose(file)

#endif
