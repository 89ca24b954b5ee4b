/* How much of what comes on a link is taken at one go: all that was read, as long as it is worth little work,
 * and then as much as is worth a few frames, so that many small ones make others wait for one turn of the
 * loop and no longer. What is not taken waits where it is. */
#ifndef NET_PIECES_H
#define NET_PIECES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/rivals.h"
#include "net/loop.h"

#define PIECES_TURN_WORK 128                     /* 16 heads; a fifth of a millisecond */
#define PIECES_TURN_BYTES ((uint64_t)256 * 1024) /* likewise */

/* What has come on a link in all; work as link_work() counts it. */
struct pieces_done {
    uint64_t work, bytes;
};

/* Of one link. */
struct pieces {
    uint32_t turn;             /* of the loop, that began when so much had come: */
    struct pieces_done before; /* and the last piece began with this: */
    uint64_t last_work;
    size_t bytes; /* of the next piece */
};

void pieces_init(struct pieces *pieces);
/* How many bytes may be taken now, before this is asked again; 0: no more in this turn of the loop. `rivals`
 * are the links of which one is this; one that has had none lately may have four times as much. */
size_t pieces_take(struct pieces *pieces, struct rivals *rivals, const struct loop *loop,
                   const struct pieces_done *done);
/* Within those: does it have no more of this turn? */
bool pieces_have_had(const struct pieces *pieces, const struct rivals *rivals, const struct loop *loop,
                     const struct pieces_done *done);

#endif
