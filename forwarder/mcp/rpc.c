/* See rpc.h. */
#include "mcp/rpc.h"

/* ---- what comes ---- */

/* Looked at before the parser, which would go deeper on its stack and build what is then refused. */
static bool is_too_deep(struct view line) {
    unsigned depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < line.len; i++) {
        char c = line.ptr[i];
        if (in_string && c == '\\') {
            i++;
        } else if (c == '"') {
            in_string = !in_string;
        } else if (!in_string && (c == '{' || c == '[')) {
            if (++depth > RPC_DEPTH_MAX) return true;
        } else if (!in_string && (c == '}' || c == ']')) {
            depth -= depth > 0;
        }
    }
    return false;
}

static enum rpc_kind refuse(struct rpc_message *message, enum rpc_code code, const char *why) {
    message->code = code;
    message->why = why;
    return RPC_REFUSED;
}

static enum rpc_kind take(struct rpc_message *message) {
    json_t *whole = message->whole, *id = json_object_get(whole, "id");
    const char *version = json_string_value(json_object_get(whole, "jsonrpc"));
    json_t *method = json_object_get(whole, "method"), *params = json_object_get(whole, "params");
    if (id && !json_is_string(id) && !json_is_number(id))
        return refuse(message, RPC_INVALID_REQUEST, "id is a string or a number");
    message->id = id;
    if (!version || strcmp(version, "2.0") != 0)
        return refuse(message, RPC_INVALID_REQUEST, "jsonrpc is \"2.0\"");
    if (!method && (json_object_get(whole, "result") || json_object_get(whole, "error"))) return RPC_ANSWER;
    if (!json_is_string(method)) return refuse(message, RPC_INVALID_REQUEST, "method is a string");
    if (params && !json_is_object(params)) return refuse(message, RPC_INVALID_REQUEST, "params is an object");
    message->method = json_string_value(method);
    message->params = params;
    return id ? RPC_REQUEST : RPC_NOTIFICATION;
}

enum rpc_kind rpc_parse(struct view line, struct rpc_message *ret_message) {
    *ret_message = (struct rpc_message){0};
    if (line.len > RPC_LINE_MAX)
        return refuse(ret_message, RPC_INVALID_REQUEST, "the line is longer than 4 MiB");
    if (is_too_deep(line)) return refuse(ret_message, RPC_INVALID_REQUEST, "it is nested too deep");
    json_t *whole =
        json_loadb(line.ptr ? line.ptr : "", line.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
    if (!whole) return refuse(ret_message, RPC_PARSE_ERROR, "the line is no JSON");
    ret_message->whole = whole;
    if (json_is_array(whole)) return refuse(ret_message, RPC_INVALID_REQUEST, "batches are not taken");
    if (!json_is_object(whole)) return refuse(ret_message, RPC_INVALID_REQUEST, "it is no object");
    return take(ret_message);
}

void rpc_done(struct rpc_message *message) {
    json_decref(message->whole);
    *message = (struct rpc_message){0};
}

/* ---- what goes ---- */

static int append(const char *bytes, size_t len, void *out) {
    return buf_append(out, bytes, len) ? 0 : -1;
}

/* {"jsonrpc":"2.0","id":…,"<key>":<value>} and the line's end. The value is taken. */
static bool write_message(struct buf *out, const json_t *id, const char *key, json_t *value) {
    size_t before = out->len;
    buf_append_view(out, VIEW("{\"jsonrpc\":\"2.0\",\"id\":"));
    bool good = id ? json_dump_callback(id, append, out, JSON_ENCODE_ANY | JSON_COMPACT) == 0
                   : buf_append_view(out, VIEW("null"));
    good = good && buf_printf(out, ",\"%s\":", key) && value &&
           json_dump_callback(value, append, out, JSON_COMPACT) == 0 && buf_append_view(out, VIEW("}\n"));
    json_decref(value);
    if (!good) out->len = before;
    return good;
}

bool rpc_write_result(struct buf *out, const json_t *id, json_t *result) {
    return write_message(out, id, "result", result);
}

bool rpc_write_error(struct buf *out, const json_t *id, enum rpc_code code, const char *why, json_t *data) {
    return write_message(out, id, "error",
                         json_pack("{s:i,s:s,s:o*}", "code", (int)code, "message", why, "data", data));
}

bool rpc_write_notification(struct buf *out, const char *method, json_t *params) {
    size_t before = out->len;
    bool good = buf_printf(out, "{\"jsonrpc\":\"2.0\",\"method\":\"%s\",\"params\":", method) && params &&
                json_dump_callback(params, append, out, JSON_COMPACT) == 0 &&
                buf_append_view(out, VIEW("}\n"));
    json_decref(params);
    if (!good) out->len = before;
    return good;
}
