/* Included before each unit test on Windows (tests/CMakeLists.txt), after common/windows/windows.h: what the
 * tests use of POSIX and Linux, and ttf does not. */
#ifndef UNIT_WINDOWS_UNIT_H
#define UNIT_WINDOWS_UNIT_H

#include <errno.h>
#include <ftw.h>
#include <string.h>
#include <sys/socket.h>
#include <windows.h>

#include "../cmocka_setup.h"

/* Names that tests have for themselves. */
#undef IN
#define SIZE unit_size
#ifdef UNIT_OWN_READ
#define read unit_read
#endif

/* Numbers that are no file's are told by errno, as elsewhere. */
static inline void unit_ignore(const wchar_t *what, const wchar_t *where, const wchar_t *file, unsigned line,
                               uintptr_t none) {
    (void)what, (void)where, (void)file, (void)line, (void)none;
}
__attribute__((constructor)) static void unit_begin(void) {
    _set_invalid_parameter_handler(unit_ignore);
}

/* ---- tests that cannot pass there, or not under wine; which, and why, stands in tests/CMakeLists.txt ----
 */

static inline bool unit_is_wine(void) {
    return GetProcAddress(GetModuleHandleA("ntdll.dll"), "wine_get_version") != NULL;
}

static inline bool unit_has(const char *names, const char *name) {
    size_t len = strlen(name);
    for (const char *at = names; (at = strstr(at, name)); at += len)
        if ((at == names || at[-1] == ' ') && (at[len] == ' ' || !at[len])) return true;
    return false;
}

static inline bool unit_is_skipped(const char *name) {
    return unit_has(UNIT_SKIPS, name) || (unit_is_wine() && unit_has(UNIT_SKIPS_WINE, name));
}

static inline int unit_run(const char *group, struct CMUnitTest *tests, size_t count,
                           CMFixtureFunction set_up, CMFixtureFunction tear_down) {
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (unit_is_skipped(tests[i].name))
            fprintf(stderr, "[  LEFT    ] %s\n", tests[i].name);
        else
            tests[kept++] = tests[i];
    }
    return _cmocka_run_group_tests(group, tests, kept, set_up, tear_down);
}

#undef cmocka_run_group_tests
#define cmocka_run_group_tests(tests, set_up, tear_down)                                                     \
    ({                                                                                                       \
        struct CMUnitTest unit_tests[sizeof(tests) / sizeof((tests)[0])];                                    \
        memcpy(unit_tests, tests, sizeof(tests));                                                            \
        unit_run(#tests, unit_tests, sizeof(tests) / sizeof((tests)[0]), set_up, tear_down);                 \
    })

/* ---- sockets: closed as files are ---- */

#define SOCK_NONBLOCK 0x10000
#define SOCK_CLOEXEC 0

#define F_GETFD 1
#define F_GETFL 3
#define FD_CLOEXEC 1

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

/* Two ends of a connection of the loopback's. */
static inline int socketpair(int family, int type, int protocol, int ret_ends[2]) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int len = sizeof(address), listener = unit_socket(AF_INET, SOCK_STREAM, 0);
    unsigned long does_not_block = (type & SOCK_NONBLOCK) != 0;
    (void)family, (void)protocol;
    bind(listener, (struct sockaddr *)&address, len);
    listen(listener, 1);
    getsockname(listener, (struct sockaddr *)&address, &len);
    ret_ends[1] = unit_socket(AF_INET, SOCK_STREAM, 0);
    int error = connect(ret_ends[1], (struct sockaddr *)&address, len);
    ret_ends[0] = accept4(listener, NULL, NULL, type);
    ioctlsocket((SOCKET)ret_ends[1], (long)FIONBIO, &does_not_block);
    close(listener);
    return error;
}

/* ---- the environment, files, strings ---- */

static inline int setenv(const char *name, const char *value, int always) {
    (void)always;
    return _putenv_s(name, value);
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

static inline int unit_remove_entry(const char *path, const struct stat *info, int kind, struct FTW *where) {
    (void)info, (void)kind, (void)where;
    return unit_remove(path);
}

/* All that tests have a shell do is to remove a folder. */
static inline int unit_system(const char *command) {
    char path[256];
    if (sscanf(command, "rm -rf '%255[^']'", path) != 1) return -1;
    return nftw(path, unit_remove_entry, 4, FTW_DEPTH | FTW_PHYS);
}

#define system(command) unit_system(command)
#define pipe(ret_ends) _pipe(ret_ends, 65536, _O_BINARY | _O_NOINHERIT)

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
