/* See notify.h. The protocol is one datagram a message; libsystemd would be a library for that alone. */
#include "notify.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define TEXT_MAX 512

static struct {
    struct loop *loop;
    struct timer watchdog;
    uint64_t interval_ms; /* 0: nobody watches */
    int fd;               /* -1: nobody listens */
    struct sockaddr_un address;
    socklen_t address_len;
} notify = {.fd = -1};

/* A path, or a name in the abstract space, which begins with '@'. */
static bool read_address(const char *text) {
    size_t len = text ? strlen(text) : 0;
    if (len < 2 || len >= sizeof(notify.address.sun_path) || (text[0] != '/' && text[0] != '@')) return false;
    notify.address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(notify.address.sun_path, text, len);
    if (text[0] == '@') notify.address.sun_path[0] = '\0';
    notify.address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    return true;
}

/* Half of what systemd grants, as it advises. */
static uint64_t watchdog_interval_ms(void) {
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    if (!usec || (pid && strtol(pid, NULL, 10) != (long)getpid())) return 0;
    uint64_t granted_ms = strtoull(usec, NULL, 10) / 1000;
    return granted_ms && granted_ms < 2 ? 1 : granted_ms / 2;
}

static void on_watchdog(struct timer *timer) {
    notify_tell("WATCHDOG=1");
    timer_start(&notify.loop->timers, timer, notify.interval_ms);
}

void notify_start(struct loop *loop) {
    notify.loop = loop;
    timer_init(&notify.watchdog, on_watchdog);
    if (!read_address(getenv("NOTIFY_SOCKET"))) return;
    notify.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    notify.interval_ms = watchdog_interval_ms();
    if (notify.interval_ms) on_watchdog(&notify.watchdog);
}

void notify_tell(const char *format, ...) {
    char text[TEXT_MAX];
    va_list values;
    if (notify.fd < 0) return;
    va_start(values, format);
    int len = vsnprintf(text, sizeof(text), format, values);
    va_end(values);
    if (len <= 0 || len >= (int)sizeof(text)) return;
    ssize_t sent = sendto(notify.fd, text, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL,
                          (const struct sockaddr *)&notify.address, notify.address_len);
    (void)sent;
}

void notify_reloading(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    notify_tell("RELOADING=1\nMONOTONIC_USEC=%llu",
                (unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_nsec / 1000);
}

void notify_stop(void) {
    if (notify.loop) timer_stop(&notify.loop->timers, &notify.watchdog);
    if (notify.fd >= 0) close(notify.fd);
    notify.fd = -1;
}
