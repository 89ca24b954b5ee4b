/* Files that are read at the start, and again when they have changed, or at SIGHUP. They are looked at each
 * second, by what stat(2) says of them, links followed: that sees a rename, a link to another folder (as
 * certbot and Kubernetes do), and what was written in place. A change counts when two looks found the same,
 * so that a pair that is being replaced is not read in the middle of it. */
#ifndef GATEWAY_FILE_WATCH_H
#define GATEWAY_FILE_WATCH_H

#include <stdint.h>

#include "base/view.h"
#include "net/loop.h"

#define FILE_WATCH_LOOK_MS 1000u

/* Whose files they are. All are called with `ctx` of file_watch_init(). */
struct file_watch_owner {
    /* Which files: file_watch_add() for each, always in the same order. */
    void (*name)(void *ctx, uint64_t *mark);
    /* They have changed, or a SIGHUP came. What cannot be read is tried again when it changes once more. */
    void (*read)(void *ctx);
    void (*looked)(void *ctx); /* behind each look, and what was read for it; may be NULL */
};

struct file_watch {
    const struct file_watch_owner *owner;
    void *ctx;
    struct loop *loop; /* NULL: not watched */
    struct timer look;
    uv_signal_t hangup;
    uint64_t seen, read; /* marks of what the files were: at the last look, when they were read last */
};

/* Adds a file to the mark of several. One that is not there counts, too. */
void file_watch_add(uint64_t *mark, struct view path);

/* To be called just before the owner reads its files for the first time. `owner` is static. */
void file_watch_init(struct file_watch *watch, const struct file_watch_owner *owner, void *ctx);
void file_watch_start(struct file_watch *watch, struct loop *loop);
/* Before the loop ends, which closes what is left. Harmless when it was not started. */
void file_watch_stop(struct file_watch *watch);

#endif
