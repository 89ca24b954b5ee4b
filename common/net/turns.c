/* See turns.h. */
#include "net/turns.h"

#define SPENT_MAX ((size_t)64 * 1024 * 1024) /* so long a debt is held against anybody */

unsigned turns_share(uint64_t tunnel_key) {
    return tunnel_key ? 1 + (unsigned)(tunnel_key % (TURN_SHARES - 1)) : 0;
}

static uint32_t less(uint32_t spent, uint32_t turns, uint32_t quantum) {
    return spent / quantum < turns ? 0 : spent - turns * quantum;
}

/* By what it took when it was looked at last. */
static void weigh(struct turns *turns, struct turn_share *share, uint64_t now_ms) {
    if (share->spent[TURN_IN] >= TURN_FEW_BYTES || share->spent[TURN_OUT] >= TURN_FEW_BYTES)
        share->heavy_until_ms = now_ms + TURN_HEAVY_MS;
    else if (now_ms >= share->heavy_until_ms)
        rivals_note_light(&turns->rivals, now_ms);
}

/* As of this turn: each that has passed has paid for a quantum. */
static struct turn_share *share_now(struct turns *turns, unsigned number) {
    struct turn_share *share = &turns->shares[number];
    uint32_t passed = turns->loop->turn - share->turn;
    if (passed) {
        uint64_t now_ms = loop_now(turns->loop);
        rivals_note(&turns->rivals, number, now_ms);
        weigh(turns, share, now_ms);
        share->turn = turns->loop->turn;
        turns->quantum = TURN_FEW_BYTES * rivals_quarters(&turns->rivals, now_ms);
        share->spent[TURN_IN] = less(share->spent[TURN_IN], passed, turns->quantum);
        share->spent[TURN_OUT] = less(share->spent[TURN_OUT], passed, turns->quantum);
    }
    return share;
}

bool turns_may(struct turns *turns, unsigned share, enum turn_way way) {
    if (share == 0) return true;
    return share_now(turns, share)->spent[way] < turns->quantum;
}

bool turns_is_behind(const struct turns *turns, unsigned share) {
    return share && turns->quantum == TURN_FEW_BYTES &&
           loop_now(turns->loop) < turns->shares[share].heavy_until_ms;
}

void turns_spend(struct turns *turns, unsigned share, enum turn_way way, size_t bytes) {
    if (share == 0) return;
    uint32_t *spent = &share_now(turns, share)->spent[way];
    size_t sum = *spent + (size_t)TURN_STEP_BYTES + bytes;
    *spent = (uint32_t)(sum < SPENT_MAX ? sum : SPENT_MAX);
}
