/* See control.h. */
#include "control/control.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/heap.h"
#include "control/local.h"
#include "protocol/json_text.h"

#define ROWS_BYTES_MAX ((size_t)4 * 1024 * 1024)

struct control {
    struct control_settings settings;
    struct list gathers;
};

/* One question until all have answered. Those who list are asked one after another, until the page is full;
 * for everything else all are asked at once. */
struct gather {
    struct list node; /* of control->gathers */
    struct control *control;
    control_done_fn *done;
    void *ctx;
    struct task task; /* begins it */
    struct question question;
    char name[TUNNEL_NAME_MAX + 1], owner[OWNER_MAX + 1], only[GATEWAY_MAX + 1];
    char from[GATEWAY_MAX + 1];        /* the cursor's */
    char (*gateways)[GATEWAY_MAX + 1]; /* sorted */
    size_t gateway_count, at;          /* `at`: whose turn it is */
    size_t limit, owed, count;
    struct buf rows, silent;
    enum status status;
};

static void gather_free(struct gather *gather) {
    list_remove(&gather->node);
    task_cancel(&gather->task);
    buf_done(&gather->rows);
    buf_done(&gather->silent);
    free(gather->gateways);
    free(gather);
}

/* ---- the end ---- */

static bool is_listing(const struct gather *gather) {
    return gather->question.verb == QUESTION_TUNNELS;
}

static void finish(struct gather *gather) {
    char next[CONTROL_CURSOR_MAX] = "";
    if (is_listing(gather) && gather->at < gather->gateway_count)
        snprintf(next, sizeof(next), "%llu@%s", (unsigned long long)gather->question.after,
                 gather->gateways[gather->at]);
    bool failed = gather->rows.failed || gather->silent.failed;
    struct control_result result = {.status = failed ? STATUS_NO_MEMORY : gather->status,
                                    .rows = buf_view(&gather->rows),
                                    .count = gather->count,
                                    .next = view_from_cstr(next),
                                    .silent = buf_view(&gather->silent)};
    gather->done(gather->ctx, &result);
    gather_free(gather);
}

/* ---- answers ---- */

static void take(struct gather *gather, const struct answer_text *answer) {
    if (answer->rows.len && gather->rows.len) buf_append_byte(&gather->rows, ',');
    buf_append_view(&gather->rows, answer->rows);
    gather->count += answer->count;
    gather->question.after = answer->next;
    if (!answer->next) gather->at++;
}

static void take_silence(struct gather *gather, const char *gateway) {
    if (gather->silent.len) buf_append_byte(&gather->silent, ',');
    json_text_string(&gather->silent, view_from_cstr(gateway));
    gather->question.after = 0;
    gather->at++;
}

static void go_on(struct gather *gather);

/* `ticket`: whose answer it is. A gateway that has just ended has no agents, and is not missed. */
static void on_answer(void *target, uint64_t ticket, enum status status, struct view text) {
    struct gather *gather = target;
    struct answer_text answer;
    gather->owed--;
    if (status == STATUS_OK && answer_text_parse(text, &answer))
        take(gather, &answer);
    else if (status != STATUS_GONE)
        take_silence(gather, gather->gateways[ticket]);
    else
        take(gather, &(struct answer_text){.next = 0});
    go_on(gather);
}

static void ask_here(struct gather *gather) {
    const struct control_settings *settings = &gather->control->settings;
    struct answer_text answer;
    struct buf rows;
    buf_init(&rows, ROWS_BYTES_MAX);
    local_answer(settings, &gather->question, &rows, &answer);
    answer.rows = buf_view(&rows);
    take(gather, &answer);
    buf_done(&rows);
}

/* True: it has answered. */
static bool ask_one(struct gather *gather, size_t which) {
    const struct control_settings *settings = &gather->control->settings;
    if (strcmp(gather->gateways[which], settings->gateway) == 0) {
        ask_here(gather);
        return true;
    }
    struct buf text;
    buf_init(&text, 1024);
    bool made = settings->redis && question_encode(&text, &gather->question);
    if (made) {
        gather->owed++;
        store_redis_ask(settings->redis, gather->gateways[which], buf_view(&text), on_answer, gather, which);
    } else {
        take_silence(gather, gather->gateways[which]);
    }
    buf_done(&text);
    return !made;
}

static void go_on(struct gather *gather) {
    if (gather->owed) return;
    while (is_listing(gather) && gather->at < gather->gateway_count && gather->count < gather->limit) {
        gather->question.limit = gather->limit - gather->count;
        if (!ask_one(gather, gather->at)) return;
    }
    finish(gather);
}

static void ask_all(struct gather *gather) {
    gather->owed++; /* until all have been asked */
    for (size_t i = 0; i < gather->gateway_count; i++) ask_one(gather, i);
    gather->owed--;
}

/* ---- who is asked ---- */

static bool is_asked(const struct gather *gather, const char *gateway) {
    return (!gather->only[0] || strcmp(gateway, gather->only) == 0) && strcmp(gateway, gather->from) >= 0;
}

static void add_gateway(struct gather *gather, struct view name) {
    char *out = gather->gateways[gather->gateway_count];
    if (view_copy_to(name, out, GATEWAY_MAX + 1) && is_asked(gather, out)) gather->gateway_count++;
}

static int compare(const void *a, const void *b) {
    return strcmp(a, b);
}

static bool choose_gateways(struct gather *gather, const struct view *names, size_t count) {
    gather->gateways = calloc(count + 1, sizeof(gather->gateways[0]));
    if (!gather->gateways) return false;
    for (size_t i = 0; i < count; i++) add_gateway(gather, names[i]);
    qsort(gather->gateways, gather->gateway_count, GATEWAY_MAX + 1, compare);
    /* the cursor's gateway may have gone: the next one is listed from its begin */
    if (!gather->gateway_count || strcmp(gather->gateways[0], gather->from) != 0) gather->question.after = 0;
    return true;
}

static void begin(struct gather *gather, const struct view *names, size_t count) {
    if (!choose_gateways(gather, names, count)) {
        gather->status = STATUS_NO_MEMORY;
        finish(gather);
        return;
    }
    if (gather->gateway_count == 0 && gather->only[0] && gather->status == STATUS_OK)
        gather->status = STATUS_NOT_FOUND;
    if (!is_listing(gather)) ask_all(gather);
    go_on(gather);
}

static void on_gateways(void *target, uint64_t ticket, enum status status, const struct view *names,
                        size_t count) {
    (void)ticket;
    struct gather *gather = target;
    gather->status = status;
    begin(gather, names, count);
}

static void on_begin(struct task *task) {
    struct gather *gather = LIST_ENTRY(task, struct gather, task);
    struct view here = view_from_cstr(gather->control->settings.gateway);
    if (gather->control->settings.redis)
        store_redis_gateways(gather->control->settings.redis, on_gateways, gather, 0);
    else
        begin(gather, &here, 1);
}

/* "<number>@<gateway>" */
static bool take_cursor(struct gather *gather, struct view cursor) {
    struct view number;
    if (!cursor.len) return true;
    return view_split(&cursor, '@', &number) && view_parse_u64(number, &gather->question.after) &&
           cursor.len && view_copy_to(cursor, gather->from, sizeof(gather->from));
}

static bool take_request(struct gather *gather, const struct control_request *request) {
    struct buf text;
    gather->question = request->question;
    gather->limit = request->question.limit;
    buf_init(&text, 1024);
    bool taken = view_copy_to(request->question.name, gather->name, sizeof(gather->name)) &&
                 view_copy_to(request->question.owner, gather->owner, sizeof(gather->owner)) &&
                 view_copy_to(request->gateway, gather->only, sizeof(gather->only)) &&
                 take_cursor(gather, request->cursor) && question_encode(&text, &gather->question);
    gather->question.name = view_from_cstr(gather->name);
    gather->question.owner = view_from_cstr(gather->owner);
    buf_done(&text);
    return taken;
}

bool control_ask(struct control *control, const struct control_request *request, control_done_fn *done,
                 void *ctx) {
    struct gather *gather = heap_alloc_owed(sizeof(*gather));
    *gather = (struct gather){.control = control, .done = done, .ctx = ctx};
    buf_init(&gather->rows, ROWS_BYTES_MAX);
    buf_init(&gather->silent, ROWS_BYTES_MAX);
    task_init(&gather->task, on_begin);
    list_init(&gather->node);
    list_append(&control->gathers, &gather->node);
    if (!take_request(gather, request)) {
        gather_free(gather);
        return false;
    }
    tasks_post(&control->settings.loop->tasks, &gather->task);
    return true;
}

/* ---- the module ---- */

bool control_answer(void *ctx, struct view text, struct buf *out) {
    const struct control *control = ctx;
    struct question question;
    struct answer_text answer;
    struct buf rows;
    if (!question_parse(text, &question)) return false;
    buf_init(&rows, ROWS_BYTES_MAX);
    bool made = local_answer(&control->settings, &question, &rows, &answer);
    answer.rows = buf_view(&rows);
    made = made && answer_text_encode(out, &answer);
    buf_done(&rows);
    return made;
}

struct control *control_new(const struct control_settings *settings) {
    struct control *control = calloc(1, sizeof(*control));
    if (!control) return NULL;
    control->settings = *settings;
    list_init(&control->gathers);
    return control;
}

void control_free(struct control *control) {
    if (!control) return;
    while (!list_empty(&control->gathers))
        gather_free(LIST_ENTRY(control->gathers.next, struct gather, node));
    free(control);
}
