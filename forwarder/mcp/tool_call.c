/* See tool_call.h. */
#include "mcp/tool_call.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "mcp/session.h"

#define PROGRESS_MS 10000u /* less than clients' own deadlines */
#define TARGET_MAX ((size_t)64 * 1024)

/* ---- life ---- */

static void stop(struct tool_call *call) {
    const struct asker *asker = &call->port->asker;
    asker->cancel(asker->ctx, &call->ask);
    asker->cancel(asker->ctx, &call->watch.follow);
    timer_stop(call->port->timers, &call->watch.deadline);
    timer_stop(call->port->timers, &call->progress);
}

static void tool_call_free(struct tool_call *call) {
    json_decref(call->id);
    json_decref(call->arguments);
    json_decref(call->kept);
    json_decref(call->progress_token);
    free(call);
}

static void end(struct tool_call *call) {
    stop(call);
    session_forget(call->session, call);
    tool_call_free(call);
}

void tool_call_cancel(struct tool_call *call) {
    end(call);
}

static void on_progress(struct timer *timer) {
    struct tool_call *call = LIST_ENTRY(timer, struct tool_call, progress);
    call->progress_count++;
    session_say_notification(call->session, "notifications/progress",
                             json_pack("{s:O,s:I,s:s}", "progressToken", call->progress_token, "progress",
                                       (json_int_t)call->progress_count, "message", "still waiting"));
    timer_start(call->port->timers, &call->progress, PROGRESS_MS);
}

bool tool_call_start(struct session *session, const struct session_port *port, const struct tool *tool,
                     const struct rpc_message *request) {
    json_t *arguments = json_object_get(request->params, "arguments");
    json_t *token = json_object_get(json_object_get(request->params, "_meta"), "progressToken");
    struct tool_call *call = calloc(1, sizeof(*call));
    if (!call) return false;
    *call = (struct tool_call){
        .session = session, .port = port, .tool = tool, .is_stateless = request->is_stateless};
    call->id = json_deep_copy(request->id);
    call->arguments = arguments ? json_incref(arguments) : json_object();
    timer_init(&call->progress, on_progress);
    timer_init(&call->watch.deadline, NULL);
    if (!call->id || !call->arguments) {
        tool_call_free(call);
        return false;
    }
    session_keep(session, call);
    if (json_is_string(token) || json_is_integer(token)) {
        call->progress_token = json_incref(token);
        timer_start(port->timers, &call->progress, PROGRESS_MS);
    }
    tool->start(call);
    return true;
}

/* ---- arguments ---- */

const char *tool_text(const struct tool_call *call, const char *name) {
    return json_string_value(json_object_get(call->arguments, name));
}

json_int_t tool_number(const struct tool_call *call, const char *name, json_int_t otherwise) {
    const json_t *value = json_object_get(call->arguments, name);
    return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

bool tool_reveals(const struct tool_call *call) {
    return json_is_true(json_object_get(call->arguments, "reveal"));
}

const char *tool_id(const struct tool_call *call, const char *name, char room[TOOL_ID_SIZE]) {
    uint64_t id;
    json_int_t number = tool_number(call, name, -1);
    const char *text = tool_text(call, name);
    if (text && !view_parse_u64(view_from_cstr(text), &id)) return NULL;
    if (!text && number < 0) return NULL;
    snprintf(room, TOOL_ID_SIZE, "%llu", text ? (unsigned long long)id : (unsigned long long)number);
    return room;
}

/* ---- targets ---- */

static void append_encoded(struct buf *out, const char *text) {
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (; *text; text++) {
        if (strchr(plain, *text))
            buf_append_byte(out, *text);
        else
            buf_printf(out, "%%%02X", (unsigned char)*text);
    }
}

void tool_query(struct buf *target, const char *name, const char *value) {
    struct view so_far = buf_view(target);
    if (!value) return;
    buf_printf(target, "%c%s=", view_find(so_far, '?') < so_far.len ? '&' : '?', name);
    append_encoded(target, value);
}

void tool_query_number(struct buf *target, const char *name, uint64_t value) {
    char text[24];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    tool_query(target, name, text);
}

void tool_path(struct buf *target, const char *segment) {
    buf_append_byte(target, '/');
    append_encoded(target, segment);
}

/* ---- asking ---- */

/* The API's refusal, in its own words. */
static void fail_as_told(struct tool_call *call, const json_t *answer, int status) {
    const char *why = json_string_value(json_object_get(answer, "msg"));
    if (status == 401)
        tool_call_fail(call, "this ttf's inspector wants its password: start ttf mcp with --inspect-url and "
                             "--inspect-password-file (or TTF_INSPECT_PASSWORD)");
    else
        tool_call_fail(call, "%s", why ? why : "ttf refused");
}

static void on_answer(struct ask *ask, const struct ask_answer *raw) {
    struct tool_call *call = LIST_ENTRY(ask, struct tool_call, ask);
    if (!raw->status) {
        tool_call_fail(call, "%.*s", VIEW_ARG(raw->body));
        return;
    }
    json_t *answer = raw->body.len ? json_loadb(raw->body.ptr, raw->body.len, JSON_ALLOW_NUL, NULL) : NULL;
    if (raw->status >= 400)
        fail_as_told(call, answer, raw->status);
    else if (!answer && raw->status != 204)
        tool_call_fail(call, "what answers at %s is no ttf", call->port->asker.where(call->port->asker.ctx));
    else
        call->then(call, answer, raw);
    json_decref(answer);
}

void tool_ask(struct tool_call *call, const char *method, struct buf *target, struct buf *body,
              tool_then_fn *then) {
    const struct asker *asker = &call->port->asker;
    call->ask = (struct ask){.method = method, .target = buf_view(target), .on_answer = on_answer};
    if (body) call->ask.body = buf_view(body);
    call->then = then;
    bool is_asked = !target->failed && (!body || !body->failed) && asker->start(asker->ctx, &call->ask);
    buf_done(target);
    if (body) buf_done(body);
    if (!is_asked) tool_call_fail(call, "the arguments are too long, or memory ran out");
}

void tool_get(struct tool_call *call, const char *path, tool_then_fn *then) {
    struct buf target;
    buf_init(&target, TARGET_MAX);
    buf_append_view(&target, view_from_cstr(path));
    tool_ask(call, "GET", &target, NULL, then);
}

/* ---- results ---- */

void tool_call_succeed(struct tool_call *call, json_t *structured) {
    char *text = structured ? json_dumps(structured, JSON_COMPACT) : NULL;
    json_t *result = text ? json_pack("{s:[{s:s,s:s}],s:O,s:b}", "content", "type", "text", "text", text,
                                      "structuredContent", structured, "isError", 0)
                          : NULL;
    session_say_result(call->session, call->id, call->is_stateless, result);
    free(text);
    json_decref(structured);
    end(call);
}

void tool_call_fail(struct tool_call *call, const char *format, ...) {
    char text[600];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    json_t *said = json_string(text);
    if (!said) said = json_string("it failed"); /* the text was cut within a character */
    session_say_result(
        call->session, call->id, call->is_stateless,
        json_pack("{s:[{s:s,s:o}],s:b}", "content", "type", "text", "text", said, "isError", 1));
    end(call);
}
