/* See output.h. Two blocks: lines come into one while the thread writes the other, and then they change
 * places. */
#include "base/output.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/platform.h"

#define NOTICE_BYTES 160
#define NAP_MS 10 /* lines that come meanwhile wake nobody, and are written together */
#define STACK_BYTES ((size_t)256 * 1024)

struct output {
    int fd;
    char *path;               /* NULL: the descriptor is somebody else's */
    const char *syslog, *tag; /* NULL: it is no datagram socket */
    output_notice_fn *notice;
    pthread_t thread;
    bool has_thread;

    pthread_mutex_t lock; /* for all below */
    pthread_cond_t more, less;
    char *blocks[2];
    size_t used;       /* of blocks[0], which takes lines */
    uint64_t left_out; /* since it was last said */
    uint64_t dropped;  /* ever */
    uint64_t written;  /* bytes, ever: whether it moves */
    bool is_busy, is_napping, is_closing, is_reopened;
    bool is_abandoned; /* nobody waits for the thread: it frees this when it ends */
};

struct output *output_new(int fd, output_notice_fn *notice) {
    struct output *output = calloc(1, sizeof(*output));
    if (!output) return NULL;
    *output = (struct output){.fd = fd, .notice = notice};
    for (size_t i = 0; i < 2; i++) output->blocks[i] = malloc(OUTPUT_BYTES + NOTICE_BYTES);
    pthread_mutex_init(&output->lock, NULL);
    platform_cond_init(&output->more);
    platform_cond_init(&output->less);
    if (output->blocks[0] && output->blocks[1]) return output;
    output_close(output, 0);
    return NULL;
}

/* A pipe (mkfifo) that nobody reads is refused: to open it would wait for ever. The thread may wait. */
static int open_file(const char *path) {
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
    if (fd >= 0) fcntl(fd, F_SETFL, O_APPEND);
    return fd;
}

struct output *output_new_file(const char *path, output_notice_fn *notice) {
    int fd = open_file(path);
    struct output *output = fd < 0 ? NULL : output_new(fd, notice);
    if (output) output->path = strdup(path);
    if (output && output->path) return output;
    if (output) output_close(output, 0);
    if (fd >= 0) close(fd);
    return NULL;
}

static int connect_syslog(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = platform_socket(AF_UNIX, SOCK_DGRAM, true);
    strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

struct output *output_new_syslog(const char *path, const char *tag, output_notice_fn *notice) {
    int fd = connect_syslog(path);
    struct output *output = fd < 0 ? NULL : output_new(fd, notice);
    if (output) {
        output->syslog = path;
        output->tag = tag;
    } else if (fd >= 0) {
        close(fd);
    }
    return output;
}

static void output_free(struct output *output) {
    if (output->path || output->syslog) close(output->fd);
    free(output->path);
    pthread_mutex_destroy(&output->lock);
    pthread_cond_destroy(&output->more);
    pthread_cond_destroy(&output->less);
    free(output->blocks[0]);
    free(output->blocks[1]);
    free(output);
}

/* ---- the thread ---- */

static uint64_t count_lines(const char *bytes, size_t len) {
    uint64_t lines = 0;
    for (size_t i = 0; i < len; i++) lines += bytes[i] == '\n';
    return lines;
}

/* Another process may have made the pipe or the terminal non-blocking: it is ours to wait then. */
static bool may_try_again(int fd) {
    if (errno == EINTR) return true;
    if (errno != EAGAIN) return false;
    return platform_wait_writable(fd);
}

/* The name may be another file's by now. One that cannot be opened leaves us with what there is. */
static void follow_name(struct output *output, bool is_asked) {
    struct stat ours, named;
    if (!output->path || fstat(output->fd, &ours) != 0) return;
    bool is_same =
        stat(output->path, &named) == 0 && named.st_ino == ours.st_ino && named.st_dev == ours.st_dev;
    int fd = is_same && !is_asked ? -1 : open_file(output->path);
    if (fd < 0) return;
    close(output->fd);
    output->fd = fd;
}

static bool send_line(const struct output *output, const char *line, size_t len) {
    char head[64];
    int head_len = snprintf(head, sizeof(head), "<30>%.32s[%ld]: ", output->tag, (long)getpid());
    struct iovec parts[2] = {{.iov_base = head, .iov_len = (size_t)head_len},
                             {.iov_base = (void *)(uintptr_t)line, .iov_len = len}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    return sendmsg(output->fd, &message, MSG_NOSIGNAL) >= 0;
}

/* The first line of these; like write(2). A daemon that was started again has another socket. */
static ssize_t write_syslog(struct output *output, const char *bytes, size_t len) {
    const char *end = memchr(bytes, '\n', len);
    size_t line = end ? (size_t)(end - bytes) : len;
    if (send_line(output, bytes, line)) return (ssize_t)(end ? line + 1 : line);
    if (errno == EINTR) return -1;
    int fd = connect_syslog(output->syslog);
    if (fd < 0) return -1;
    close(output->fd);
    output->fd = fd;
    return send_line(output, bytes, line) ? (ssize_t)(end ? line + 1 : line) : -1;
}

static ssize_t write_some(struct output *output, const char *bytes, size_t len) {
    return output->syslog ? write_syslog(output, bytes, len) : write(output->fd, bytes, len);
}

/* How many bytes went: all, or those before an error. */
static size_t write_all(struct output *output, const char *bytes, size_t len) {
    size_t done = 0;
    while (done < len) {
        ssize_t wrote = write_some(output, bytes + done, len - done);
        if (wrote > 0) {
            done += (size_t)wrote;
            pthread_mutex_lock(&output->lock);
            output->written += (uint64_t)wrote;
            pthread_mutex_unlock(&output->lock);
        } else if (wrote == 0 || !may_try_again(output->fd)) {
            break;
        }
    }
    return done;
}

/* After an error (a full disk) the lines that were lost are said in front of the next that get through. */
struct lost {
    uint64_t lines;
    bool within_line;
};

static bool say_lost(struct output *output, struct lost *lost) {
    char text[NOTICE_BYTES + 1] = "\n";
    size_t begin = lost->within_line ? 1 : 0;
    if (!lost->lines) return true;
    size_t len = begin + output->notice(text + begin, NOTICE_BYTES, lost->lines);
    size_t done = write_all(output, text, len);
    if (done && done < len) lost->within_line = true;
    if (done == len) *lost = (struct lost){0};
    return done == len;
}

static void write_block(struct output *output, const char *bytes, size_t len, struct lost *lost) {
    size_t done = say_lost(output, lost) ? write_all(output, bytes, len) : 0;
    if (done == len) return;
    uint64_t lines = count_lines(bytes + done, len - done);
    lost->lines += lines;
    pthread_mutex_lock(&output->lock);
    output->dropped += lines;
    pthread_mutex_unlock(&output->lock);
    if (done) lost->within_line = bytes[done - 1] != '\n';
}

/* Called and returns with the lock. */
static void write_what_came(struct output *output, struct lost *lost) {
    char *block = output->blocks[0];
    size_t len = output->used;
    if (output->left_out) len += output->notice(block + len, NOTICE_BYTES, output->left_out);
    output->blocks[0] = output->blocks[1];
    output->blocks[1] = block;
    output->used = 0;
    output->left_out = 0;
    output->is_busy = true;
    bool is_reopened = output->is_reopened;
    output->is_reopened = false;
    pthread_mutex_unlock(&output->lock);
    follow_name(output, is_reopened);
    write_block(output, block, len, lost);
    pthread_mutex_lock(&output->lock);
    output->is_busy = false;
    pthread_cond_signal(&output->less);
}

/* With the lock. output_close() ends it. */
static void nap(struct output *output) {
    struct timespec until = platform_deadline(NAP_MS);
    output->is_napping = true;
    while (!output->is_closing && platform_cond_wait(&output->more, &output->lock, &until)) {
    }
    output->is_napping = false;
}

static void *run(void *ctx) {
    struct output *output = ctx;
    struct lost lost = {0};
    pthread_mutex_lock(&output->lock);
    while (true) {
        if (output->used) {
            write_what_came(output, &lost);
            nap(output);
        } else if (output->is_closing) {
            break;
        } else {
            pthread_cond_wait(&output->more, &output->lock);
        }
    }
    bool is_abandoned = output->is_abandoned;
    pthread_mutex_unlock(&output->lock);
    if (is_abandoned) output_free(output);
    return NULL;
}

/* The process's signals are not its business; SIGTTOU is (`stty tostop`), since it is its own writing that
 * raises it. */
static bool start_thread(struct output *output) {
    pthread_attr_t attributes;
    sigset_t all, before;
    sigfillset(&all);
    sigdelset(&all, SIGTTOU);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&output->thread, &attributes, run, output) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return started;
}

/* ---- for the others ---- */

/* Once something was left out, all is until the thread has taken what there is: so the place where it is said
 * is the right one. */
static size_t fitting(const struct output *output, struct view lines) {
    size_t room = output->left_out ? 0 : OUTPUT_BYTES - output->used;
    if (lines.len <= room) return lines.len;
    size_t end = view_find_last(view_slice(lines, 0, room), '\n');
    return end < room ? end + 1 : 0;
}

void output_write(struct output *output, struct view lines) {
    if (!output || !lines.len) return;
    pthread_mutex_lock(&output->lock);
    size_t fit = fitting(output, lines);
    if (fit) memcpy(output->blocks[0] + output->used, lines.ptr, fit);
    output->used += fit;
    uint64_t left_out = fit < lines.len ? count_lines(lines.ptr + fit, lines.len - fit) : 0;
    output->left_out += left_out;
    output->dropped += left_out;
    if (!output->has_thread) output->has_thread = start_thread(output); /* or with the next line */
    if (!output->is_busy && !output->is_napping) pthread_cond_signal(&output->more);
    pthread_mutex_unlock(&output->lock);
}

void output_reopen(struct output *output) {
    if (!output) return;
    pthread_mutex_lock(&output->lock);
    output->is_reopened = true;
    pthread_mutex_unlock(&output->lock);
}

uint64_t output_dropped(struct output *output) {
    if (!output) return 0;
    pthread_mutex_lock(&output->lock);
    uint64_t dropped = output->dropped;
    pthread_mutex_unlock(&output->lock);
    return dropped;
}

bool output_is_idle(struct output *output) {
    pthread_mutex_lock(&output->lock);
    bool idle = !output->used && !output->is_busy;
    pthread_mutex_unlock(&output->lock);
    return idle;
}

/* With the lock. */
static bool wait_until_written(struct output *output, uint64_t patience_ms) {
    for (uint64_t waited_ms = 0; (output->used || output->is_busy) && waited_ms < OUTPUT_CLOSE_MS;
         waited_ms += patience_ms) {
        uint64_t before = output->written;
        struct timespec until = platform_deadline(patience_ms);
        bool is_late = false;
        while ((output->used || output->is_busy) && !is_late)
            is_late = !platform_cond_wait(&output->less, &output->lock, &until);
        if (output->written == before && is_late) break;
    }
    return !output->used && !output->is_busy;
}

bool output_close(struct output *output, uint64_t patience_ms) {
    if (!output) return true;
    pthread_mutex_lock(&output->lock);
    output->is_closing = true;
    pthread_cond_signal(&output->more);
    bool is_written = !output->has_thread || wait_until_written(output, patience_ms ? patience_ms : 1);
    output->is_abandoned = !is_written;
    if (!is_written) pthread_detach(output->thread);
    pthread_mutex_unlock(&output->lock);
    if (!is_written) return false;
    if (output->has_thread) pthread_join(output->thread, NULL);
    output_free(output);
    return true;
}
