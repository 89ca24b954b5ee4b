/* Memory of the whole process against its limit: what is shed, in which order, when there is little left.
 *
 *   80 %  new requests get 503; what is under way goes on
 *   95 %  besides, the visitors who have most of their answers unread are cut, the largest first */
#ifndef GATEWAY_PRESSURE_H
#define GATEWAY_PRESSURE_H

#include "handler/core.h"
#include "net/loop.h"
#include "public/visitor.h"

struct pressure {
    struct loop *loop;
    struct core *core;
    struct visitors *visitors;
    struct timer look;
    uint64_t limit_bytes; /* 0: none is known */
    bool is_high;
};

/* `limit_bytes` 0: three quarters of what the machine has. The parts outlive it. */
void pressure_start(struct pressure *pressure, struct loop *loop, struct core *core,
                    struct visitors *visitors, uint64_t limit_bytes);
/* Also when it was never started. */
void pressure_stop(struct pressure *pressure);
#endif
