/* A channel of c-ares on the loop: it says which sockets to watch (uv_poll) and when it wants to be called
 * again (a timer). What it needs of the system (/etc/resolv.conf, /etc/hosts) is read when it is opened. */
#ifndef DNS_ARES_LOOP_H
#define DNS_ARES_LOOP_H

#define CARES_NO_DEPRECATED /* c-ares 1.34 wants calls that 1.18, Debian 12's, does not have */
#include <ares.h>

#include "base/list.h"
#include "net/loop.h"

struct ares_loop {
    struct loop *loop;
    ares_channel channel;
    bool is_open;
    struct list sockets;
    struct timer timer;
};

/* Name and version of the library, for people. */
const char *ares_loop_library(void);

void ares_loop_init(struct ares_loop *ares, struct loop *loop);
/* `servers`: "127.0.0.1:53,[::1]:53"; NULL: the system's. `timeout_ms` of a try, 0: c-ares's own. False, also
 * for servers that are none: then it may be tried again. Does nothing where it is open. */
bool ares_loop_open(struct ares_loop *ares, const char *servers, int timeout_ms);
/* After each question, and each cancellation: watches the time for as long as anything is asked. */
void ares_loop_wait(struct ares_loop *ares);
/* Questions under way are told ARES_EDESTRUCTION. The loop must run once more for its handles to close. */
void ares_loop_close(struct ares_loop *ares);

#endif
