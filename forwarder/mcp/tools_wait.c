/* wait_for_request, and what it shares with replay_request: the list of requests, looked at again whenever
 * the API's events say that something has happened; which they do four times a second at most. */
#include "mcp/record_view.h"
#include "mcp/tools.h"

#define WAIT_DEFAULT_S 30
#define TARGET_MAX ((size_t)64 * 1024)
#define LINES_MAX 1000u /* the API's own bound */

/* ---- the watch ---- */

static void ask_again(struct tool_call *call);

static void then_look(struct tool_call *call, json_t *answer, const struct ask_answer *raw) {
    struct tool_watch *watch = &call->watch;
    (void)raw;
    if (!watch->knows_after) {
        const json_t *newest = json_array_get(json_object_get(answer, "requests"), 0);
        const char *id = json_string_value(json_object_get(newest, "id"));
        if (!view_parse_u64(view_from_cstr(id), &watch->after)) watch->after = 0;
        watch->knows_after = true;
        if (watch->is_stale) ask_again(call);
        return;
    }
    if (watch->look(call, answer) && watch->is_stale) ask_again(call);
}

/* Before it is known what came last, that is asked for. */
static void ask_again(struct tool_call *call) {
    struct tool_watch *watch = &call->watch;
    struct buf target;
    buf_init(&target, TARGET_MAX);
    buf_append_view(&target, VIEW("/api/inspect/requests"));
    tool_query_number(&target, "limit", watch->knows_after ? LINES_MAX : 1);
    if (watch->knows_after) {
        watch->is_stale = false;
        tool_query_number(&target, "after", watch->after);
        if (watch->has_filters) {
            tool_query(&target, "ended", "true");
            tool_add_filters(call, &target);
        }
    }
    tool_ask(call, "GET", &target, NULL, then_look);
}

static void on_event(struct ask *ask) {
    struct tool_call *call = LIST_ENTRY(ask, struct tool_call, watch.follow);
    call->watch.is_stale = true;
    if (!call->ask.way) ask_again(call);
}

/* The API has no more events for us. */
static void on_follow_end(struct ask *ask, const struct ask_answer *answer) {
    struct tool_call *call = LIST_ENTRY(ask, struct tool_call, watch.follow);
    if (!answer->status)
        tool_call_fail(call, "%.*s", VIEW_ARG(answer->body));
    else
        tool_call_fail(call, answer->status == 503 ? "too many wait already" : "ttf has ended");
}

static void on_deadline(struct timer *timer) {
    struct tool_call *call = LIST_ENTRY(timer, struct tool_call, watch.deadline);
    call->watch.look(call, NULL);
}

void tool_watch(struct tool_call *call, unsigned seconds, tool_look_fn *look) {
    const struct asker *asker = &call->port->asker;
    struct tool_watch *watch = &call->watch;
    watch->look = look;
    watch->follow = (struct ask){.method = "GET",
                                 .target = VIEW("/api/inspect/events"),
                                 .on_event = on_event,
                                 .on_answer = on_follow_end};
    timer_init(&watch->deadline, on_deadline);
    if (timer_start(call->port->timers, &watch->deadline, (uint64_t)seconds * 1000) &&
        asker->start(asker->ctx, &watch->follow))
        ask_again(call);
    else
        tool_call_fail(call, "out of memory");
}

/* ---- wait_for_request ---- */

static bool look(struct tool_call *call, json_t *answer) {
    bool is_found = json_array_size(json_object_get(answer, "requests")) > 0;
    if (answer && !is_found) return true;
    json_t *lines = record_view_lines(answer, tool_reveals(call));
    tool_call_succeed(call, json_pack("{s:b,s:o}", "found", is_found, "requests", lines));
    return false;
}

void tool_wait_for_request(struct tool_call *call) {
    char room[TOOL_ID_SIZE];
    const char *after = tool_id(call, "after", room);
    if (!after && json_object_get(call->arguments, "after")) {
        tool_call_fail(call, "after is the id of a request");
        return;
    }
    call->watch.has_filters = true;
    call->watch.knows_after = after && view_parse_u64(view_from_cstr(after), &call->watch.after);
    tool_watch(call, (unsigned)tool_number(call, "timeout_seconds", WAIT_DEFAULT_S), look);
}
