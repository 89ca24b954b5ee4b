/* See agent_turn.h. */
#include "agents/agent_turn.h"

#include <stdlib.h>
#include <time.h>

#include "base/heap.h"

#define LONG_BYTES ((size_t)64 * 1024) /* shorter messages are not worth a look at the clock */
#define SMALL_US 1000
#define REST_TIMES 4
#define REST_MAX_MS 1000
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

/* v1 has what bounds bytes above. */
static struct pieces_done done_on(const struct agent_link *link) {
    return (struct pieces_done){.work = work_of(link), .bytes = link->session ? link->card.answer_bytes : 0};
}

bool agent_turn_has_had(const struct agent_link *link) {
    struct pieces_done done = done_on(link);
    return pieces_have_had(&link->pieces, &link->ws->rivals, link->ws->loop, &done);
}

size_t agent_turn_takes(struct agent_link *link) {
    struct pieces_done done = done_on(link);
    return pieces_take(&link->pieces, &link->ws->rivals, link->ws->loop, &done);
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
    pieces_init(&link->pieces);
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
