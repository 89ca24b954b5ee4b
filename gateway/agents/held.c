/* See held.h. */
#include "agents/held.h"

#include <assert.h>

void held_init(struct held *held, size_t max_bytes) {
    buf_init(&held->bytes, max_bytes);
    list_init(&held->node);
}

void held_done(struct held *held) {
    list_remove(&held->node);
    buf_done(&held->bytes);
}

static void enlist(struct holding *holding, struct held *held) {
    if (!list_empty(&held->node)) return;
    held->turn = holding->loop->turn;
    list_append(&holding->all, &held->node);
}

bool held_add(struct holding *holding, struct held *held, struct view bytes) {
    enlist(holding, held);
    return buf_append_view(&held->bytes, bytes);
}

void held_park(struct held *held, struct buf *bytes) {
    assert(!held_any(held));
    held->bytes = *bytes;
    buf_init(bytes, bytes->max);
}

void held_put_back(struct holding *holding, struct held *held, struct buf *bytes) {
    held_park(held, bytes);
    enlist(holding, held);
}

void held_resume(struct holding *holding, struct held *held) {
    if (!held_any(held)) return;
    enlist(holding, held);
    loop_again(holding->loop);
}

static void give(struct holding *holding, struct held *held) {
    struct buf bytes = held->bytes;
    buf_init(&held->bytes, bytes.max);
    holding->due(held, &bytes);
    buf_done(&bytes);
}

static bool on_turn(struct loop_hook *hook) {
    struct holding *holding = LIST_ENTRY(hook, struct holding, hook);
    struct list all, *node;
    bool has_given = false;
    list_init(&all);
    list_move_all(&all, &holding->all);
    while ((node = list_pop(&all))) {
        struct held *held = LIST_ENTRY(node, struct held, node);
        bool is_due = held->turn != holding->loop->turn;
        if (is_due)
            give(holding, held);
        else
            list_append(&holding->all, node);
        has_given = has_given || is_due;
    }
    if (!list_empty(&holding->all)) loop_again(holding->loop);
    return has_given; /* what others' hooks do about it is to be done in this turn */
}

void holding_init(struct holding *holding, struct loop *loop,
                  void (*due)(struct held *held, struct buf *bytes)) {
    holding->loop = loop;
    holding->due = due;
    list_init(&holding->all);
    loop_hook_init(&holding->hook, on_turn);
    loop_hook_add(loop, &holding->hook);
}

void holding_done(struct holding *holding) {
    loop_hook_remove(&holding->hook);
}
