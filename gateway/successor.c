/* See successor.h. */
#include "successor.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "handover.h"
#include "sockets/fd_pass.h"

static struct {
    int end; /* -1: nobody to take over from (any more) */
    unsigned life;
    bool polls, gone_on;
    uv_poll_t poll;
    struct successor_events events;
} successor = {.end = -1};

/* The next number, up to `end`, which is passed over; -1 for none. */
static long next_number(const char **text, char end) {
    char *rest = NULL;
    long number = *text && **text >= '0' && **text <= '9' ? strtol(*text, &rest, 10) : -1;
    bool is_number = rest && *rest == end && number <= INT_MAX;
    *text = is_number ? rest + (end != '\0') : NULL;
    return is_number ? number : -1;
}

/* What another process of this environment finds there is not meant for it. */
void successor_init(void) {
    const char *text = getenv(HANDOVER_VARIABLE);
    long parent = next_number(&text, ':'), life = next_number(&text, ':'), end = next_number(&text, '\0');
    bool is_ours = parent == (long)getppid() && life > 0 && end >= INHERITED_FIRST_FD &&
                   fcntl((int)end, F_SETFD, FD_CLOEXEC) == 0;
    if (is_ours) successor.end = (int)end;
    if (is_ours) successor.life = (unsigned)life;
    unsetenv(HANDOVER_VARIABLE);
    inherited_init(is_ours);
}

bool successor_waits(void) {
    return successor.end >= 0 && !successor.gone_on;
}

unsigned successor_life(void) {
    return successor.life;
}

bool successor_url(char *url, size_t size) {
    if (!successor.life) return true;
    size_t len = strlen(url);
    const char *authority = strstr(url, "://");
    bool has_path = authority && strchr(authority + 3, '/');
    const char *before = strchr(url, '?') ? "&" : has_path ? "?" : "/?";
    int added = snprintf(url + len, size - len, "%s%u", before, successor.life);
    return added > 0 && (size_t)added < size - len;
}

static void go(int file) {
    struct stat about = {.st_size = 0};
    struct view claims = {0};
    if (file >= 0 && fstat(file, &about) == 0 && about.st_size > 0) {
        void *bytes = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, file, 0);
        if (bytes != MAP_FAILED) claims = view_of(bytes, (size_t)about.st_size);
    }
    successor.gone_on = true;
    successor.events.go(successor.events.ctx, claims);
    if (claims.len) munmap((void *)(uintptr_t)claims.ptr, claims.len);
}

static void on_gone(void) {
    uv_poll_stop(&successor.poll);
    if (successor.gone_on) return;
    log_warn("gateway", "the gateway to take over from has gone without a word");
    go(-1);
}

static void on_message(uv_poll_t *poll, int status, int events) {
    (void)poll, (void)status, (void)events;
    char what;
    int fd, got;
    while ((got = fd_pass_receive(successor.end, &what, &fd)) > 0) {
        if (what == HANDOVER_VISITOR && fd >= 0 && successor.gone_on) {
            successor.events.visitor(successor.events.ctx, fd);
            continue;
        }
        if (what == HANDOVER_GO && !successor.gone_on) go(fd);
        if (fd >= 0) close(fd);
    }
    if (got < 0) on_gone();
}

void successor_ready(struct loop *loop, const struct successor_events *events) {
    successor.events = *events;
    uv_poll_init(&loop->uv, &successor.poll, successor.end);
    uv_poll_start(&successor.poll, UV_READABLE, on_message);
    successor.polls = true;
    fd_pass_send(successor.end, HANDOVER_READY, -1); /* if it is gone, that is told */
}

void successor_stop(void) {
    if (successor.polls) uv_close((uv_handle_t *)&successor.poll, NULL);
    if (successor.end >= 0) close(successor.end);
    successor.polls = false;
    successor.end = -1;
}
