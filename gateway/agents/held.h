/* Bytes that have come and are not taken before the next turn of the loop: it comes at once, and what others
 * have sent meanwhile has its turn first. */
#ifndef GATEWAY_HELD_H
#define GATEWAY_HELD_H

#include "base/buf.h"
#include "net/loop.h"

/* A part of whoever's they are. */
struct held {
    struct buf bytes;
    struct list node;
    uint32_t turn; /* of the loop, in which they came */
};

/* All of them that are on one loop. */
struct holding {
    struct loop *loop;
    struct list all; /* struct held.node */
    struct loop_hook hook;
    void (*due)(struct held *held, struct buf *bytes);
};

/* `due` gets them in the next turn, borrowed until it returns; it may put some of them back, and free
 * `held`. */
void holding_init(struct holding *holding, struct loop *loop,
                  void (*due)(struct held *held, struct buf *bytes));
void holding_done(struct holding *holding);

void held_init(struct held *held, size_t max_bytes);
void held_done(struct held *held);
/* Copies them, behind what is held already. False: there is no room or memory. */
bool held_add(struct holding *holding, struct held *held, struct view bytes);
/* From within `due`: those that were not consumed are held again, for the next turn. They move. */
void held_put_back(struct holding *holding, struct held *held, struct buf *bytes);
/* Likewise, until held_resume(). */
void held_park(struct held *held, struct buf *bytes);
/* What was parked, if anything was, is due in the next turn. */
void held_resume(struct holding *holding, struct held *held);
static inline bool held_any(const struct held *held) {
    return held->bytes.len;
}

#endif
