/* A libmicrohttpd daemon as a guest of our loop (mhd_watch.h says how it hears of sockets). MHD_run is called
 * once a turn at most, however many events the turn brought. */
#ifndef MHD_MHD_LOOP_H
#define MHD_MHD_LOOP_H

#include <microhttpd.h>

#include "mhd/mhd_watch.h"
#include "net/loop.h"

/* 1.0 keeps a connection that is added from "outside" in a queue until MHD_run, so that its NOTIFY_STARTED
 * would come when nobody knows any more whose it is, unless it is told that there is one thread only. */
#if MHD_VERSION >= 0x01000000
#define MHD_LOOP_THREADING MHD_USE_NO_THREAD_SAFETY
#else
#define MHD_LOOP_THREADING MHD_USE_ITC
#endif
/* Suspended: while a store, or the function, is asked. */
#define MHD_LOOP_FLAGS                                                                                       \
    (mhd_watch_flags() | MHD_LOOP_THREADING | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME |          \
     MHD_USE_ERROR_LOG)

/* The library that serves HTTP/1.1 here, and its version. */
const char *mhd_loop_library(void);

/* For MHD_OPTION_EXTERNAL_LOGGER: its complaints about clients, at level debug. */
void mhd_loop_log(void *ctx, const char *format, va_list args);

struct mhd_loop {
    struct loop *loop;
    struct MHD_Daemon *daemon;
    struct mhd_watch *watch;
    struct loop_hook hook;
    struct timer timer;
    unsigned connections; /* after the last run */
    bool ready;
};

/* Takes a daemon that was started with MHD_LOOP_FLAGS. False when it was not, or without memory. */
bool mhd_loop_start(struct mhd_loop *mhd, struct loop *loop, struct MHD_Daemon *daemon);
/* A connection was added: run in this turn. */
static inline void mhd_loop_kick(struct mhd_loop *mhd) {
    mhd->ready = true;
}
/* Stops the daemon. `mhd` must live until the loop has run its close callbacks. */
void mhd_loop_stop(struct mhd_loop *mhd);

#endif
