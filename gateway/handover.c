/* See handover.h. */
#include "handover.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "notify.h"
#include "sockets/fd_pass.h"

#define READY_MS 60000
#define NAMES_MAX 512

/* Everything goes on as it was. */
static void give_up(struct handover *handover, const char *why) {
    log_error("gateway", "the new program has not taken over (%s): this one goes on", why);
    handover->state = HANDOVER_NO;
    timer_stop(&handover->parts.loop->timers, &handover->limit);
    notify_tell("READY=1\nSTATUS=Serving; a reload failed");
}

static void on_closed(uv_handle_t *handle) {
    struct handover *handover = handle->data;
    handover->closing--;
}

static void close_handle(struct handover *handover, uv_handle_t *handle) {
    handover->closing++;
    uv_close(handle, on_closed);
}

static void close_end(struct handover *handover) {
    if (handover->end < 0) return;
    uv_poll_stop(&handover->poll);
    close_handle(handover, (uv_handle_t *)&handover->poll);
    close(handover->end);
    handover->end = -1;
}

static void on_exit_of_successor(uv_process_t *process, int64_t code, int number) {
    struct handover *handover = process->data;
    char why[64];
    close_handle(handover, (uv_handle_t *)process);
    if (handover->state != HANDOVER_STARTED) return;
    snprintf(why, sizeof(why), number ? "killed by signal %d" : "it ended with %d",
             number ? number : (int)code);
    close_end(handover);
    give_up(handover, why);
}

/* That it ended is told by on_exit_of_successor. */
static void on_limit(struct timer *timer) {
    struct handover *handover = LIST_ENTRY(timer, struct handover, limit);
    log_error("gateway", "the new program is not ready after %d s", READY_MS / 1000);
    uv_process_kill(&handover->process, SIGKILL);
}

static void on_message(uv_poll_t *poll, int status, int events) {
    (void)status, (void)events;
    struct handover *handover = poll->data;
    char what;
    int fd, got = fd_pass_receive(handover->end, &what, &fd);
    if (fd >= 0) close(fd);
    if (got < 0) uv_poll_stop(poll);
    if (got <= 0 || what != HANDOVER_READY || handover->state != HANDOVER_STARTED) return;
    timer_stop(&handover->parts.loop->timers, &handover->limit);
    handover->state = HANDOVER_DONE;
    handover->parts.ready(handover->parts.ctx);
}

/* ---- starting it ---- */

/* The descriptors that the successor has from INHERITED_FIRST_FD on, and the names of those that listen. */
struct bequest {
    int fds[INHERITED_MAX];
    size_t count;
    char names[NAMES_MAX];
};

static void bequeath(struct bequest *bequest, const char *name, const struct listener *listener) {
    size_t room = INHERITED_MAX - 1 - bequest->count, used = strlen(bequest->names);
    size_t count = listener ? listener_sockets(listener, bequest->fds + bequest->count, room) : 0;
    bequest->count += count;
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(bequest->names + used, NAMES_MAX - used, "%s%s", used ? ":" : "", name);
}

/* The successor's environment is ours, and this. */
static void set_environment(const struct handover *handover, const struct bequest *bequest) {
    char number[24], text[80];
    snprintf(number, sizeof(number), "%zu", bequest->count);
    snprintf(text, sizeof(text), "%ld:%u:%zu", (long)getpid(), handover->parts.life + 1,
             INHERITED_FIRST_FD + bequest->count);
    setenv("LISTEN_FDS", number, 1);
    setenv("LISTEN_FDNAMES", bequest->names, 1);
    setenv(HANDOVER_VARIABLE, text, 1);
    unsetenv("WATCHDOG_PID");
}

static void clear_environment(void) {
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    unsetenv(HANDOVER_VARIABLE);
}

static int spawn(struct handover *handover, const struct bequest *bequest, int its_end) {
    uv_stdio_container_t files[INHERITED_FIRST_FD + INHERITED_MAX];
    size_t count = 0;
    for (int fd = 0; fd < INHERITED_FIRST_FD; fd++)
        files[count++] = (uv_stdio_container_t){.flags = UV_INHERIT_FD, .data.fd = fd};
    for (size_t i = 0; i < bequest->count; i++)
        files[count++] = (uv_stdio_container_t){.flags = UV_INHERIT_FD, .data.fd = bequest->fds[i]};
    files[count++] = (uv_stdio_container_t){.flags = UV_INHERIT_FD, .data.fd = its_end};
    const uv_process_options_t options = {.exit_cb = on_exit_of_successor,
                                          .file = handover->parts.argv[0],
                                          .args = handover->parts.argv,
                                          .stdio = files,
                                          .stdio_count = (int)count};
    set_environment(handover, bequest);
    int error = uv_spawn(&handover->parts.loop->uv, &handover->process, &options);
    clear_environment();
    handover->process.data = handover;
    if (error) close_handle(handover, (uv_handle_t *)&handover->process);
    return error;
}

static void start(struct handover *handover) {
    struct bequest bequest = {.count = 0, .names = ""};
    int ends[2];
    for (size_t i = 0; i < HANDOVER_PORTS; i++)
        bequeath(&bequest, handover->parts.ports[i].name, *handover->parts.ports[i].listener);
    notify_reloading();
    if (!fd_pass_pair(ends)) {
        give_up(handover, strerror(errno));
        return;
    }
    handover->end = ends[0];
    uv_poll_init(&handover->parts.loop->uv, &handover->poll, ends[0]);
    handover->poll.data = handover;
    uv_poll_start(&handover->poll, UV_READABLE, on_message);
    int error = spawn(handover, &bequest, ends[1]);
    close(ends[1]);
    if (error) {
        close_end(handover);
        give_up(handover, uv_strerror(error));
        return;
    }
    handover->state = HANDOVER_STARTED;
    timer_start(&handover->parts.loop->timers, &handover->limit, READY_MS);
    log_info("gateway", "process %d is to take over", handover->process.pid);
}

static void on_signal(uv_signal_t *signal, int number) {
    struct handover *handover = signal->data;
    (void)number;
    if (getpid() == 1)
        log_warn("gateway", "SIGUSR2: nothing can take over from the first process of a container");
    else if (handover->state != HANDOVER_NO || handover->closing || !handover->parts.may(handover->parts.ctx))
        log_warn("gateway", "SIGUSR2: not now, the gateway starts, stops or is being taken over from");
    else
        start(handover);
}

void handover_init(struct handover *handover, const struct handover_parts *parts) {
    *handover = (struct handover){.parts = *parts, .state = HANDOVER_NO, .listens = true, .end = -1};
    timer_init(&handover->limit, on_limit);
    uv_signal_init(&parts->loop->uv, &handover->signal);
    handover->signal.data = handover;
    uv_signal_start(&handover->signal, on_signal, SIGUSR2);
}

/* ---- giving up the place ---- */

/* -1 without memory; the successor then knows of no tunnels. */
static int file_of(struct view text) {
    int fd = memfd_create("claims", MFD_CLOEXEC);
    while (fd >= 0 && text.ptr && text.len) {
        ssize_t written = write(fd, text.ptr, text.len);
        if (written <= 0) break;
        text = view_skip(text, (size_t)written);
    }
    return fd;
}

void handover_go(struct handover *handover, struct view claims) {
    int fd = file_of(claims);
    notify_tell("MAINPID=%d", handover->process.pid);
    if (!fd_pass_send(handover->end, HANDOVER_GO, fd)) log_error("gateway", "the new program has gone");
    if (fd >= 0) close(fd);
    log_info("gateway", "process %d has taken over", handover->process.pid);
}

bool handover_pass(void *ctx, int fd) {
    const struct handover *handover = ctx;
    bool is_sent = fd_pass_send(handover->end, HANDOVER_VISITOR, fd);
    if (!is_sent && errno == ETOOMANYREFS) errno = EAGAIN; /* so many are under way */
    return is_sent;
}

void handover_stop(struct handover *handover) {
    if (!handover->listens) return;
    handover->listens = false;
    if (handover->state == HANDOVER_STARTED) uv_process_kill(&handover->process, SIGTERM);
    timer_stop(&handover->parts.loop->timers, &handover->limit);
    uv_close((uv_handle_t *)&handover->signal, NULL);
    close_end(handover);
    if (handover->state != HANDOVER_NO && !uv_is_closing((uv_handle_t *)&handover->process))
        close_handle(handover, (uv_handle_t *)&handover->process);
}
