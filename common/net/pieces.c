/* See pieces.h. */
#include "net/pieces.h"

#define MOST_BYTES ((size_t)256 * 1024)
#define LEAST_BYTES ((size_t)1024)

void pieces_init(struct pieces *pieces) {
    *pieces = (struct pieces){.bytes = MOST_BYTES};
}

/* Since this turn began; has it had so many quarters of what is usual? */
static bool have_had(const struct pieces *pieces, unsigned quarters, const struct pieces_done *done) {
    uint64_t work = done->work - pieces->before.work, bytes = done->bytes - pieces->before.bytes;
    return work * RIVALS_QUARTERS >= quarters * PIECES_TURN_WORK ||
           bytes * RIVALS_QUARTERS >= quarters * PIECES_TURN_BYTES;
}

bool pieces_have_had(const struct pieces *pieces, const struct rivals *rivals, const struct loop *loop,
                     const struct pieces_done *done) {
    return have_had(pieces, rivals_quarters(rivals, loop_now(loop)), done);
}

static void begin_turn(struct pieces *pieces, struct rivals *rivals, const struct loop *loop,
                       const struct pieces_done *done) {
    uint64_t now_ms = loop_now(loop);
    rivals_note(rivals, (uintptr_t)pieces, now_ms);
    if (!have_had(pieces, 1, done)) rivals_note_light(rivals, now_ms);
    pieces->turn = loop->turn;
    pieces->before = *done;
}

/* Much work in the last piece: the least from now on. Little, and more has come than that: larger ones, up to
 * all that is read at one go. */
size_t pieces_take(struct pieces *pieces, struct rivals *rivals, const struct loop *loop,
                   const struct pieces_done *done) {
    uint64_t work = done->work - pieces->last_work;
    bool goes_on = pieces->turn == loop->turn;
    if (work > PIECES_TURN_WORK / 4)
        pieces->bytes = LEAST_BYTES;
    else if (goes_on && work < PIECES_TURN_WORK / 16 && pieces->bytes < MOST_BYTES)
        pieces->bytes *= 4;
    pieces->last_work = done->work;
    if (!goes_on) begin_turn(pieces, rivals, loop, done);
    unsigned quarters = rivals_quarters(rivals, loop_now(loop));
    return have_had(pieces, quarters, done) ? 0 : quarters * pieces->bytes / RIVALS_QUARTERS;
}
