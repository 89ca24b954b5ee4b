/* Answers that are due later: a connection is suspended until something has come about, or for a time. Then
 * it is asked again, as libmicrohttpd does. */
#ifndef FORWARDER_INSPECT_HOLD_H
#define FORWARDER_INSPECT_HOLD_H

#include "base/list.h"
#include "mhd/mhd_loop.h"
#include "net/loop.h"

struct hold {
    struct list node;
    struct MHD_Connection *connection;
    uint64_t until_ms;
    /* Whether it has come about; NULL: only time counts. */
    bool (*is_over)(void *ctx);
    void *ctx;
};

struct holds {
    struct loop *loop;
    struct mhd_loop *mhd;
    struct list list;
    struct timer timer;
};

void holds_init(struct holds *holds, struct loop *loop, struct mhd_loop *mhd);
/* All go on now; libmicrohttpd has to run once more. */
void holds_stop(struct holds *holds);

void hold_init(struct hold *hold);
/* From within the handler of a request that has come whole, which then returns MHD_YES; `hold` is the
 * request's. Without memory for a timer it goes on at once. */
void hold_begin(struct holds *holds, struct hold *hold, uint64_t most_ms);
/* The request is over. */
void hold_done(struct hold *hold);

#endif
