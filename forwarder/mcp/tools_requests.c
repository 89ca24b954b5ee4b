/* Tools that look at requests. */
#include "mcp/differences.h"
#include "mcp/record_view.h"
#include "mcp/tools.h"

#define LIST_DEFAULT 20
#define BODY_DEFAULT 8192
#define TARGET_MAX ((size_t)64 * 1024)

/* ---- lists ---- */

void tool_add_filters(const struct tool_call *call, struct buf *target) {
    static const struct {
        const char *argument, *parameter;
    } filters[] = {{"tunnel", "tunnel_name"},
                   {"method", "method"},
                   {"status", "status"},
                   {"path", "path"},
                   {"text", "text"}};
    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
        tool_query(target, filters[i].parameter, tool_text(call, filters[i].argument));
}

static void then_list(struct tool_call *call, json_t *answer, const struct ask_answer *raw) {
    (void)raw;
    json_t *lines = record_view_lines(answer, tool_reveals(call));
    tool_call_succeed(call, json_pack("{s:o}", "requests", lines));
}

void tool_list_requests(struct tool_call *call) {
    char room[TOOL_ID_SIZE];
    struct buf target;
    const char *after = tool_id(call, "after", room);
    if (!after && json_object_get(call->arguments, "after")) {
        tool_call_fail(call, "after is the id of a request");
        return;
    }
    buf_init(&target, TARGET_MAX);
    buf_append_view(&target, VIEW("/api/inspect/requests"));
    tool_query_number(&target, "limit", (uint64_t)tool_number(call, "limit", LIST_DEFAULT));
    tool_query(&target, "after", after);
    tool_add_filters(call, &target);
    tool_ask(call, "GET", &target, NULL, then_list);
}

/* ---- one ---- */

static void get_record(struct tool_call *call, const char *argument, tool_then_fn *then) {
    char room[TOOL_ID_SIZE];
    struct buf target;
    const char *id = tool_id(call, argument, room);
    if (!id) {
        tool_call_fail(call, "%s is the id of a request, a number", argument);
        return;
    }
    buf_init(&target, TARGET_MAX);
    buf_append_view(&target, VIEW("/api/requests/http"));
    tool_path(&target, id);
    tool_ask(call, "GET", &target, NULL, then);
}

static void then_inspect(struct tool_call *call, json_t *answer, const struct ask_answer *raw) {
    struct record_wish wish = {.offset = (size_t)tool_number(call, "body_offset", 0),
                               .limit = (size_t)tool_number(call, "body_limit", BODY_DEFAULT),
                               .reveal = tool_reveals(call)};
    (void)raw;
    tool_call_succeed(call, record_view(answer, &wish));
}

void tool_inspect_request(struct tool_call *call) {
    get_record(call, "id", then_inspect);
}

/* ---- two ---- */

static void then_compare(struct tool_call *call, json_t *answer, const struct ask_answer *raw) {
    (void)raw;
    tool_call_succeed(call, differences_of(call->kept, answer, tool_reveals(call)));
}

static void then_second(struct tool_call *call, json_t *answer, const struct ask_answer *raw) {
    (void)raw;
    call->kept = json_incref(answer);
    get_record(call, "b", then_compare);
}

void tool_compare_requests(struct tool_call *call) {
    get_record(call, "a", then_second);
}
