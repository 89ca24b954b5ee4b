/* Tools about tunnels. */
#include "mcp/tools.h"

#define BODY_MAX ((size_t)64 * 1024)
#define TARGET_MAX ((size_t)4096)

static json_t *view_tunnel(const json_t *tunnel) {
    const char *name = json_string_value(json_object_get(tunnel, "name"));
    const char *url = json_string_value(json_object_get(tunnel, "public_url"));
    const char *service = json_string_value(json_object_get(json_object_get(tunnel, "config"), "addr"));
    return json_pack("{s:s,s:s,s:s}", "name", name ? name : "", "public_url", url ? url : "", "service",
                     service ? service : "");
}

static void then_list(struct tool_call *call, json_t *answer, const struct ask_answer *raw) {
    const struct asker *asker = &call->port->asker;
    json_t *tunnels = json_array(), *one;
    size_t i;
    (void)raw;
    json_array_foreach(json_object_get(answer, "tunnels"), i, one)
        json_array_append_new(tunnels, view_tunnel(one));
    tool_call_succeed(call,
                      json_pack("{s:s,s:o}", "inspector", asker->where(asker->ctx), "tunnels", tunnels));
}

void tool_list_tunnels(struct tool_call *call) {
    tool_get(call, "/api/tunnels", then_list);
}

static void then_started(struct tool_call *call, json_t *answer, const struct ask_answer *raw) {
    (void)raw;
    tool_call_succeed(call, view_tunnel(answer));
}

static int append(const char *bytes, size_t len, void *out) {
    return buf_append(out, bytes, len) ? 0 : -1;
}

void tool_start_tunnel(struct tool_call *call) {
    json_t *wish = json_pack("{s:s,s:s,s:s*}", "name", tool_text(call, "name"), "addr",
                             tool_text(call, "service"), "subdomain", tool_text(call, "subdomain"));
    struct buf target, body;
    buf_init(&target, TARGET_MAX);
    buf_init(&body, BODY_MAX);
    buf_append_view(&target, VIEW("/api/tunnels"));
    if (!wish || json_dump_callback(wish, append, &body, JSON_COMPACT) != 0) body.failed = true;
    json_decref(wish);
    tool_ask(call, "POST", &target, &body, then_started);
}

static void then_stopped(struct tool_call *call, json_t *answer, const struct ask_answer *raw) {
    (void)answer, (void)raw;
    tool_call_succeed(call, json_pack("{s:s}", "stopped", tool_text(call, "name")));
}

void tool_stop_tunnel(struct tool_call *call) {
    struct buf target;
    buf_init(&target, TARGET_MAX);
    buf_append_view(&target, VIEW("/api/tunnels"));
    tool_path(&target, tool_text(call, "name"));
    tool_ask(call, "DELETE", &target, NULL, then_stopped);
}
