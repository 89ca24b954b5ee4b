/* See names.h. */
#include "control/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/heap.h"
#include "protocol/json_text.h"

#define ROWS_BYTES_MAX ((size_t)4 * 1024 * 1024)

struct listing {
    struct task task; /* of the store in memory, which answers at once */
    control_done_fn *done;
    void *ctx;
    struct buf rows;
    size_t count;
    enum status status;
    uint64_t next;
};

static const char *state_name(enum claim_state state) {
    switch (state) {
    case CLAIM_CONNECTING: return "connecting";
    case CLAIM_READY: return "online";
    case CLAIM_OFFLINE: break;
    }
    return "offline";
}

static void put_until(struct buf *out, uint64_t wall_ms) {
    char text[32];
    struct tm tm;
    time_t seconds = (time_t)(wall_ms / 1000);
    if (!gmtime_r(&seconds, &tm)) return;
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    buf_printf(out, ",\"until\":\"%s\"", text);
}

static void put_claim(void *ctx, const struct claim *claim) {
    struct listing *listing = ctx;
    struct buf *out = &listing->rows;
    bool is_offline = claim->member.state == CLAIM_OFFLINE;
    if (listing->count++) buf_append_byte(out, ',');
    buf_append_view(out, VIEW("{\"name\":"));
    json_text_string(out, view_from_cstr(claim->tunnel_id));
    buf_append_view(out, VIEW(",\"owner\":"));
    json_text_string(out, view_from_cstr(claim->owner));
    buf_printf(out, ",\"state\":\"%s\"", state_name(claim->member.state));
    if (is_offline) put_until(out, claim->expires_ms);
    buf_append_view(out, VIEW(",\"gateway\":"));
    json_text_string(out, is_offline ? VIEW("") : view_from_cstr(claim->member.link.gateway));
    buf_append_byte(out, '}');
}

static void put_known(void *ctx, const struct claim *claim, struct view options) {
    (void)options;
    put_claim(ctx, claim);
}

static void finish(struct listing *listing) {
    char next[24] = "";
    if (listing->next) snprintf(next, sizeof(next), "%llu", (unsigned long long)listing->next);
    const struct control_result result = {.status = listing->rows.failed ? STATUS_NO_MEMORY : listing->status,
                                          .rows = buf_view(&listing->rows),
                                          .count = listing->count,
                                          .next = view_from_cstr(next)};
    listing->done(listing->ctx, &result);
    buf_done(&listing->rows);
    free(listing);
}

static void on_page(void *target, enum status status, uint64_t next) {
    struct listing *listing = target;
    listing->status = status;
    listing->next = next;
    finish(listing);
}

static void on_known(struct task *task) {
    finish(LIST_ENTRY(task, struct listing, task));
}

void names_list(const struct names_source *source, uint64_t cursor, size_t limit, control_done_fn *done,
                void *ctx) {
    struct listing *listing = heap_alloc_owed(sizeof(*listing));
    *listing = (struct listing){.done = done, .ctx = ctx};
    buf_init(&listing->rows, ROWS_BYTES_MAX);
    task_init(&listing->task, on_known);
    if (source->redis) {
        store_redis_names(source->redis, cursor, limit, put_claim, on_page, listing);
        return;
    }
    listing->next = store_memory_page(source->memory, cursor, limit, put_known, listing);
    tasks_post(source->tasks, &listing->task);
}
