/* replay_request: reads the request where its fields are to change, has the API send it, and waits for the
 * answers. */
#include <stdlib.h>

#include "base/base64.h"
#include "mcp/record_view.h"
#include "mcp/tools.h"

#define WAIT_DEFAULT_S 20
#define BODY_MAX ((size_t)2 * 1024 * 1024) /* what the API takes */
#define TARGET_MAX ((size_t)1024)

/* ---- the answers ---- */

static uint64_t id_of(const json_t *line) {
    uint64_t id = 0;
    view_parse_u64(view_from_cstr(json_string_value(json_object_get(line, "id"))), &id);
    return id;
}

/* Ours of the lines; *ret_ended: all of them have. */
static json_t *pick(const struct tool_call *call, const json_t *answer, bool *ret_ended) {
    json_t *ours = json_array();
    const json_t *line;
    size_t i;
    *ret_ended = answer != NULL;
    json_array_foreach(json_object_get(answer, "requests"), i, line) {
        uint64_t id = id_of(line);
        if (id < call->watch.first || id > call->watch.last) continue;
        if (!json_is_true(json_object_get(line, "ended"))) *ret_ended = false;
        json_array_append_new(ours, record_view_line(line, tool_reveals(call)));
    }
    return ours;
}

static void succeed(struct tool_call *call, json_t *lines, bool all_ended) {
    tool_call_succeed(call, json_pack("{s:b,s:o}", "all_ended", all_ended, "requests", lines));
}

/* When the time is over, what was seen last is told. */
static bool look(struct tool_call *call, json_t *answer) {
    bool all_ended;
    json_t *lines = pick(call, answer ? answer : call->kept, &all_ended);
    if (!answer || all_ended) {
        succeed(call, lines, all_ended && answer);
        return false;
    }
    json_decref(lines);
    json_decref(call->kept);
    call->kept = json_incref(answer);
    return true;
}

static void then_sent(struct tool_call *call, json_t *answer, const struct ask_answer *raw) {
    struct view rest = raw->ids, piece;
    uint64_t id;
    (void)answer;
    while (view_split(&rest, ',', &piece)) {
        if (!view_parse_u64(piece, &id)) continue;
        if (!call->watch.first) call->watch.first = id;
        call->watch.last = id;
    }
    if (!call->watch.first) {
        tool_call_fail(call, "ttf did not say what it has sent");
        return;
    }
    call->watch.after = call->watch.first - 1;
    call->watch.knows_after = true;
    json_decref(call->kept);
    call->kept = NULL;
    tool_watch(call, (unsigned)tool_number(call, "timeout_seconds", WAIT_DEFAULT_S), look);
}

/* ---- the order ---- */

static bool is_edited(json_t *edits, const char *name) {
    const char *its;
    json_t *value;
    json_object_foreach(edits, its, value) if (strcasecmp(its, name) == 0) return true;
    return false;
}

/* All fields: the record's own that are not edited, then what is set. */
static json_t *merged_fields(const json_t *record, json_t *edits) {
    json_t *fields = json_array(), *field, *value;
    const char *name;
    size_t i;
    json_array_foreach(json_object_get(json_object_get(record, "request"), "fields"), i, field) {
        name = json_string_value(json_array_get(field, 0));
        if (name && !is_edited(edits, name)) json_array_append(fields, field);
    }
    json_object_foreach(edits, name, value) if (json_is_string(value))
        json_array_append_new(fields, json_pack("[s,O]", name, value));
    return fields;
}

static json_t *body_of(const struct tool_call *call) {
    const json_t *text = json_object_get(call->arguments, "body");
    json_t *given = json_object_get(call->arguments, "body_base64");
    if (given) return json_incref(given);
    struct view plain = view_of(json_string_value(text), json_string_length(text));
    char *room = text ? malloc(base64_encoded_len(plain.len) + 1) : NULL;
    json_t *encoded = room ? json_stringn(room, base64_encode(plain, room)) : NULL;
    free(room);
    return encoded;
}

static json_t *order_of(const struct tool_call *call, const char *id, const json_t *record) {
    json_t *edits = json_object_get(call->arguments, "headers");
    json_t *order = json_pack("{s:s,s:s*,s:s*,s:s*,s:o*,s:o*}", "id", id, "method", tool_text(call, "method"),
                              "uri", tool_text(call, "path"), "tunnel_name", tool_text(call, "tunnel"),
                              "body", body_of(call), "headers", edits ? merged_fields(record, edits) : NULL);
    json_int_t port = tool_number(call, "port", 0);
    json_object_set_new(order, "times", json_integer(tool_number(call, "times", 1)));
    if (port) json_object_set_new(order, "port", json_integer(port));
    return order;
}

static int append(const char *bytes, size_t len, void *out) {
    return buf_append(out, bytes, len) ? 0 : -1;
}

static void send_order(struct tool_call *call, json_t *record, const struct ask_answer *raw) {
    char room[TOOL_ID_SIZE];
    struct buf target, body;
    json_t *order = order_of(call, tool_id(call, "id", room), record);
    (void)raw;
    buf_init(&target, TARGET_MAX);
    buf_init(&body, BODY_MAX);
    buf_append_view(&target, VIEW("/api/requests/http"));
    if (!order || json_dump_callback(order, append, &body, JSON_COMPACT) != 0) body.failed = true;
    json_decref(order);
    tool_ask(call, "POST", &target, &body, then_sent);
}

void tool_replay_request(struct tool_call *call) {
    char room[TOOL_ID_SIZE], path[64];
    const char *id = tool_id(call, "id", room);
    if (!id) {
        tool_call_fail(call, "id is the id of a request, a number");
    } else if (json_object_get(call->arguments, "headers")) {
        snprintf(path, sizeof(path), "/api/requests/http/%s", id);
        tool_get(call, path, send_order);
    } else {
        send_order(call, NULL, NULL);
    }
}
