/* See inherited.h. */
#include "sockets/inherited.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NAME_MAX_BYTES 64

static struct {
    size_t count;
    struct {
        int fd; /* -1: taken */
        char name[NAME_MAX_BYTES];
    } sockets[INHERITED_MAX];
} inherited;

static long number_of(const char *variable) {
    const char *text = getenv(variable);
    char *end = NULL;
    long number = text ? strtol(text, &end, 10) : 0;
    return text && *text && !*end ? number : 0;
}

/* Names are between colons; who has none is "unknown", as systemd says. */
static void name_sockets(const char *names) {
    for (size_t i = 0; i < inherited.count; i++) {
        size_t len = names ? strcspn(names, ":") : 0;
        snprintf(inherited.sockets[i].name, NAME_MAX_BYTES, "%.*s", len ? (int)len : 7,
                 len ? names : "unknown");
        if (names) names += len;
        names = names && *names == ':' ? names + 1 : NULL;
    }
}

void inherited_init(bool from_parent) {
    long count = number_of("LISTEN_FDS");
    bool is_ours = from_parent || number_of("LISTEN_PID") == (long)getpid();
    if (count > INHERITED_MAX) count = INHERITED_MAX;
    inherited.count = is_ours && count > 0 ? (size_t)count : 0;
    for (size_t i = 0; i < inherited.count; i++) {
        inherited.sockets[i].fd = INHERITED_FIRST_FD + (int)i;
        fcntl(inherited.sockets[i].fd, F_SETFD, FD_CLOEXEC);
    }
    name_sockets(getenv("LISTEN_FDNAMES"));
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDNAMES");
}

static int option_of(int fd, int option) {
    int value = 0;
    socklen_t len = sizeof(value);
    return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 ? value : -1;
}

static bool can_be_used(int fd) {
    int domain = option_of(fd, SO_DOMAIN);
    return option_of(fd, SO_TYPE) == SOCK_STREAM && option_of(fd, SO_ACCEPTCONN) == 1 &&
           (domain == AF_INET || domain == AF_INET6) &&
           fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0;
}

static void refuse(size_t i, const char *why) {
    fprintf(stderr, "ttf-gateway: descriptor %d (\"%s\"), which was handed over: %s\n",
            inherited.sockets[i].fd, inherited.sockets[i].name, why);
    close(inherited.sockets[i].fd);
    inherited.sockets[i].fd = -1;
}

size_t inherited_take(const char *name, int *ret_fds, size_t max) {
    size_t count = 0;
    for (size_t i = 0; i < inherited.count && count < max; i++) {
        if (inherited.sockets[i].fd < 0 || strcmp(inherited.sockets[i].name, name) != 0) continue;
        if (!can_be_used(inherited.sockets[i].fd)) {
            refuse(i, "it is no socket that listens for TCP");
            continue;
        }
        ret_fds[count++] = inherited.sockets[i].fd;
        inherited.sockets[i].fd = -1;
    }
    return count;
}

void inherited_close_rest(void) {
    for (size_t i = 0; i < inherited.count; i++)
        if (inherited.sockets[i].fd >= 0)
            refuse(i, "no port has that name (public, public-tls, agent, agent-tls, admin)");
    inherited.count = 0;
}
