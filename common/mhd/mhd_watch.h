/* How the loop hears that one of a daemon's sockets has something to do: by the daemon's epoll descriptor on
 * Linux (mhd_watch_linux.c); on Darwin and Windows, which have none, by the sockets one by one, which are few
 * there (mhd_watch_select.c). */
#ifndef MHD_MHD_WATCH_H
#define MHD_MHD_WATCH_H

#include <stdbool.h>

struct mhd_loop;
struct mhd_watch;

/* Of MHD_start_daemon(). */
unsigned mhd_watch_flags(void);
/* Kicks `mhd`, which has loop and daemon, when there is something. NULL without memory, or when the daemon
 * was not started with those flags. */
struct mhd_watch *mhd_watch_new(struct mhd_loop *mhd);
/* Around MHD_run(), within which sockets are closed and others take their numbers. */
void mhd_watch_pause(struct mhd_watch *watch);
void mhd_watch_resume(struct mhd_watch *watch);
/* Before the daemon is stopped. Memory goes when the loop has run its close callbacks. NULL is fine. */
void mhd_watch_free(struct mhd_watch *watch);

#endif
