/* See turns.h. */
#include "public/turns.h"

#define SPENT_MAX ((size_t)64 * 1024 * 1024) /* so long a debt is held against anybody */

unsigned turns_share(uint64_t tunnel_key) {
    return tunnel_key ? 1 + (unsigned)(tunnel_key % (TURN_SHARES - 1)) : 0;
}

static uint32_t less(uint32_t spent, uint32_t turns, uint32_t quantum) {
    return spent / quantum < turns ? 0 : spent - turns * quantum;
}

static bool is_alone(const struct turns *turns) {
    return !rivals_any(&turns->rivals, loop_now(turns->loop));
}

/* As of this turn: each that has passed has paid for a quantum. */
static struct turn_share *share_now(struct turns *turns, unsigned number) {
    struct turn_share *share = &turns->shares[number];
    uint32_t passed = turns->loop->turn - share->turn;
    if (passed) {
        rivals_note(&turns->rivals, number, loop_now(turns->loop));
        share->turn = turns->loop->turn;
        uint32_t quantum = is_alone(turns) ? TURN_ALONE * TURN_BYTES : TURN_BYTES;
        share->spent[TURN_IN] = less(share->spent[TURN_IN], passed, quantum);
        share->spent[TURN_OUT] = less(share->spent[TURN_OUT], passed, quantum);
    }
    return share;
}

bool turns_may(struct turns *turns, unsigned share, enum turn_way way) {
    if (share == 0) return true;
    uint32_t spent = share_now(turns, share)->spent[way];
    return spent < TURN_BYTES || (spent < TURN_ALONE * TURN_BYTES && is_alone(turns));
}

void turns_spend(struct turns *turns, unsigned share, enum turn_way way, size_t bytes) {
    if (share == 0) return;
    uint32_t *spent = &share_now(turns, share)->spent[way];
    size_t sum = *spent + (size_t)TURN_STEP_BYTES + bytes;
    *spent = (uint32_t)(sum < SPENT_MAX ? sum : SPENT_MAX);
}
