/* See agent_turn.h. */
#include "agents/agent_turn.h"

#include <stdlib.h>
#include <time.h>

#include "base/heap.h"

#define LONG_BYTES ((size_t)64 * 1024) /* shorter messages are not worth a look at the clock */
#define SMALL_US 1000
#define REST_TIMES 4
#define REST_MAX_MS 1000
#define TURN_WORK (16 * LINK_HEAD_WORK)   /* as link_work() counts; a fifth of a millisecond */
#define TURN_BYTES ((uint64_t)256 * 1024) /* likewise */
#define PIECE_MOST_BYTES ((size_t)256 * 1024)
#define PIECE_LEAST_BYTES ((size_t)1024)
#define ASKS_MAX 256
#define HELD_MAX_BYTES ((size_t)64 * 1024 * 1024) /* or two messages, where they may be so large */

/* ---- what waits for a store ---- */

static void asks_free(struct agent_asks *asks) {
    list_remove(&asks->node);
    free(asks);
}

/* It is read when it neither rests nor has too much that waits. */
static void set_pause(struct agent_link *link) {
    ws_end_pause(&link->end, timer_armed(&link->turn) || (link->asks && link->asks->are_full));
}

static void on_asked(void *ctx, enum status status) {
    struct agent_asks *asks = ctx;
    (void)status;
    asks->count--;
    if (!asks->link) {
        if (asks->count == 0) asks_free(asks);
        return;
    }
    if (!asks->are_full || asks->count > ASKS_MAX / 2) return;
    asks->are_full = false;
    set_pause(asks->link);
}

static struct agent_asks *asks_of(struct agent_link *link) {
    if (link->asks) return link->asks;
    link->asks = heap_alloc_owed(sizeof(*link->asks));
    link->asks->link = link;
    list_append(&link->ws->asks, &link->asks->node);
    return link->asks;
}

static void ask(struct agent_link *link, struct view text) {
    struct agent_asks *asks = asks_of(link);
    asks->count++;
    core_message(link->ws->core, view_from_cstr(link->id), text, on_asked, asks);
    if (asks->are_full || asks->count < ASKS_MAX) return;
    asks->are_full = true;
    set_pause(link);
}

void agent_turn_forget(struct agent_ws *ws) {
    struct list *node;
    while ((node = list_pop(&ws->asks))) free(LIST_ENTRY(node, struct agent_asks, node));
}

/* ---- time ---- */

/* Of this thread: what others on the machine do is not the agent's fault. */
static uint64_t used_us(void) {
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000;
}

static void on_turn(struct timer *timer) {
    struct agent_link *link = LIST_ENTRY(timer, struct agent_link, turn);
    link->ws->turn_count--;
    set_pause(link);
}

static void end_turn(struct agent_link *link, uint64_t spent_us) {
    struct agent_ws *ws = link->ws;
    uint64_t rest_ms = spent_us * REST_TIMES * (1 + ws->turn_count) / 1000;
    if (timer_armed(&link->turn) || spent_us < SMALL_US) return;
    if (!timer_start(&ws->loop->timers, &link->turn, rest_ms < REST_MAX_MS ? rest_ms : REST_MAX_MS)) return;
    ws->turn_count++;
    set_pause(link);
}

void agent_turn_message(struct agent_link *link, struct view text) {
    bool is_long = text.len >= LONG_BYTES;
    link->work += LINK_HEAD_WORK;
    uint64_t began_us = is_long ? used_us() : 0;
    ask(link, text);
    if (is_long) end_turn(link, used_us() - began_us);
}

/* Of all that it has carried. */
static uint64_t work_of(const struct agent_link *link) {
    return link->work + (link->session ? link_work(link->session) : 0);
}

/* Since this turn began: work, and bytes (v1 has what bounds those above); has it had so many quarters of
 * what is usual? */
static bool has_had(const struct agent_link *link, unsigned quarters) {
    uint64_t work = work_of(link) - link->pieces.turn_work;
    uint64_t bytes = link->session ? link->card.answer_bytes - link->pieces.turn_bytes : 0;
    return work * RIVALS_QUARTERS >= quarters * TURN_WORK || bytes * RIVALS_QUARTERS >= quarters * TURN_BYTES;
}

static unsigned quarters_of(const struct agent_ws *ws) {
    return rivals_quarters(&ws->rivals, loop_now(ws->loop));
}

bool agent_turn_has_had(const struct agent_link *link) {
    return has_had(link, quarters_of(link->ws));
}

static void begin_turn(struct agent_link *link) {
    struct agent_ws *ws = link->ws;
    uint64_t now_ms = loop_now(ws->loop);
    rivals_note(&ws->rivals, (uintptr_t)link, now_ms);
    if (!has_had(link, 1)) rivals_note_light(&ws->rivals, now_ms);
    link->pieces.turn = ws->loop->turn;
    link->pieces.turn_work = work_of(link);
    link->pieces.turn_bytes = link->card.answer_bytes;
}

/* Much work in the last piece: the least from now on. Little, and more has come than that: larger ones, up to
 * all that is read at one go. */
size_t agent_turn_takes(struct agent_link *link) {
    struct agent_pieces *pieces = &link->pieces;
    struct agent_ws *ws = link->ws;
    uint64_t work = work_of(link), done = work - pieces->last_work;
    bool goes_on = pieces->turn == ws->loop->turn;
    if (done > TURN_WORK / 4)
        pieces->bytes = PIECE_LEAST_BYTES;
    else if (goes_on && done < TURN_WORK / 16 && pieces->bytes < PIECE_MOST_BYTES)
        pieces->bytes *= 4;
    pieces->last_work = work;
    if (!goes_on) begin_turn(link);
    return agent_turn_has_had(link) ? 0 : quarters_of(ws) * pieces->bytes / RIVALS_QUARTERS;
}

/* ---- memory ---- */

void agent_turn_count(struct agent_link *link) {
    struct agent_ws *ws = link->ws;
    size_t held = link->message.len ? link->message.cap : 0;
    ws->held_bytes += held - link->held_bytes;
    link->held_bytes = held;
    if (!held)
        list_remove(&link->unfinished);
    else if (list_empty(&link->unfinished))
        list_append(&ws->unfinished, &link->unfinished);
}

bool agent_turn_holds(struct agent_link *link) {
    struct agent_ws *ws = link->ws;
    agent_turn_count(link);
    size_t most = link->message.max * 2 > HELD_MAX_BYTES ? link->message.max * 2 : HELD_MAX_BYTES;
    while (ws->held_bytes > most && !list_empty(&ws->unfinished)) {
        struct agent_link *oldest = LIST_ENTRY(ws->unfinished.next, struct agent_link, unfinished);
        if (oldest == link) return false;
        agent_link_refuse(oldest, WS_CODE_POLICY,
                          "too much memory is held by messages that are not complete");
    }
    return true;
}

void agent_turn_init(struct agent_link *link) {
    list_init(&link->unfinished);
    link->pieces.bytes = PIECE_MOST_BYTES;
    timer_init(&link->turn, on_turn);
}

void agent_turn_done(struct agent_link *link) {
    if (timer_armed(&link->turn)) link->ws->turn_count--;
    timer_stop(&link->ws->loop->timers, &link->turn);
    link->ws->held_bytes -= link->held_bytes;
    list_remove(&link->unfinished);
    if (link->asks) link->asks->link = NULL;
    if (link->asks && link->asks->count == 0) asks_free(link->asks);
    link->asks = NULL;
}
