/* Tunnels, names, gateways. */
#include <stdlib.h>

#include "admin/api_state.h"
#include "http/host.h"
#include "protocol/json_text.h"

/* An answer that is made when the gateways have spoken; waiting->extra. */
struct pending_answer {
    struct waiting *waiting;
    const char *name; /* of the member that holds the rows, or the count */
    bool is_one;      /* the first row alone is the answer; none: 404 */
};

/* ---- answers ---- */

static void put_rest(struct buf *out, const struct control_result *result) {
    if (result->next.len) {
        buf_append_view(out, VIEW(",\"next\":"));
        json_text_string(out, result->next);
    }
    if (result->silent.len) buf_printf(out, ",\"silent\":[%.*s]", VIEW_ARG(result->silent));
    buf_append_view(out, VIEW("}\n"));
}

static const char *why_not(enum status status) {
    return status == STATUS_NOT_FOUND ? "there is no such gateway" : "the store cannot be reached; try again";
}

static void on_rows(void *ctx, const struct control_result *result) {
    struct pending_answer *pending = ctx;
    struct buf *out = &pending->waiting->text;
    if (result->status != STATUS_OK) {
        api_say_error(pending->waiting, api_status(result->status), why_not(result->status));
    } else if (pending->is_one && !result->count) {
        api_say_error(pending->waiting, MHD_HTTP_NOT_FOUND, "no agent is connected as this tunnel");
    } else {
        buf_printf(out, "{\"%s\":[", pending->name);
        buf_append_view(out, result->rows);
        buf_append_byte(out, ']');
        put_rest(out, result);
        waiting_answer(pending->waiting, MHD_HTTP_OK);
    }
}

static void on_count(void *ctx, const struct control_result *result) {
    struct pending_answer *pending = ctx;
    if (result->status != STATUS_OK) {
        api_say_error(pending->waiting, api_status(result->status), why_not(result->status));
    } else if (pending->is_one && !result->count) {
        api_say_error(pending->waiting, MHD_HTTP_NOT_FOUND, "no agent is connected as this tunnel");
    } else {
        buf_printf(&pending->waiting->text, "{\"%s\":%zu", pending->name, result->count);
        put_rest(&pending->waiting->text, result);
        waiting_answer(pending->waiting, MHD_HTTP_OK);
    }
}

/* NULL without memory; else the call waits. */
static struct pending_answer *pending_new(struct api_call *call, const char *name, bool is_one) {
    struct pending_answer *pending = calloc(1, sizeof(*pending));
    struct waiting *waiting = pending ? api_wait(call) : NULL;
    if (!waiting) {
        free(pending);
        return NULL;
    }
    waiting->extra = pending;
    *pending = (struct pending_answer){.waiting = waiting, .name = name, .is_one = is_one};
    return pending;
}

static enum MHD_Result ask(struct api_call *call, const struct control_request *request,
                           control_done_fn *done, const char *name, bool is_one) {
    struct pending_answer *pending = pending_new(call, name, is_one);
    if (!pending) return MHD_NO;
    if (control_ask(call->api->sources.control, request, done, pending)) return MHD_YES;
    api_say_error(pending->waiting, MHD_HTTP_BAD_REQUEST, "cursor, owner or gateway make no sense");
    return MHD_YES;
}

/* ---- tunnels ---- */

enum MHD_Result api_list_tunnels(struct api_call *call) {
    struct view sort = admin_argument(call->connection, "sort");
    bool by_rate = view_eq(sort, VIEW("rate"));
    if (sort.len && !by_rate)
        return api_refuse(call, MHD_HTTP_BAD_REQUEST, "tunnels are sorted by rate only");
    struct control_request request = {.question = {.verb = by_rate ? QUESTION_BUSY : QUESTION_TUNNELS,
                                                   .limit = api_limit(call),
                                                   .owner = admin_argument(call->connection, "owner")},
                                      .cursor =
                                          by_rate ? VIEW("") : admin_argument(call->connection, "cursor"),
                                      .gateway = admin_argument(call->connection, "gateway")};
    return ask(call, &request, on_rows, "tunnels", false);
}

static bool has_name(struct api_call *call, enum MHD_Result *ret_result) {
    if (host_is_tunnel_label(call->segment)) return true;
    *ret_result = api_refuse(call, MHD_HTTP_BAD_REQUEST, "this is no tunnel's name");
    return false;
}

enum MHD_Result api_show_tunnel(struct api_call *call) {
    enum MHD_Result result;
    if (!has_name(call, &result)) return result;
    struct control_request request = {
        .question = {.verb = QUESTION_TUNNELS, .limit = QUESTION_LIMIT_MAX, .name = call->segment}};
    return ask(call, &request, on_rows, "tunnels", true);
}

enum MHD_Result api_kick_tunnel(struct api_call *call) {
    enum MHD_Result result;
    if (!has_name(call, &result)) return result;
    api_audit(call, "kick", call->segment);
    struct control_request request = {.question = {.verb = QUESTION_KICK, .name = call->segment}};
    return ask(call, &request, on_count, "kicked", true);
}

/* ---- names ---- */

enum MHD_Result api_list_names(struct api_call *call) {
    uint64_t cursor = 0;
    struct view text = admin_argument(call->connection, "cursor");
    if (text.ptr && !view_parse_u64(text, &cursor))
        return api_refuse(call, MHD_HTTP_BAD_REQUEST, "the cursor makes no sense");
    struct pending_answer *pending = pending_new(call, "names", false);
    if (!pending) return MHD_NO;
    names_list(&call->api->sources.names, cursor, api_limit(call), on_rows, pending);
    return MHD_YES;
}

static void on_released(void *ctx, enum status status) {
    struct waiting *waiting = ctx;
    if (status == STATUS_OK) {
        buf_append_view(&waiting->text, VIEW("{\"released\":1}\n"));
        waiting_answer(waiting, MHD_HTTP_OK);
        return;
    }
    api_say_error(waiting, api_status(status),
                  status == STATUS_NOT_FOUND  ? "nobody has this name"
                  : status == STATUS_CONFLICT ? "this name has an agent: kick or block it first"
                                              : why_not(status));
}

enum MHD_Result api_release_name(struct api_call *call) {
    enum MHD_Result result;
    if (!has_name(call, &result)) return result;
    struct waiting *waiting = api_wait(call);
    if (!waiting) return MHD_NO;
    api_audit(call, "release", call->segment);
    if (!core_release(call->api->sources.core, call->segment, on_released, waiting))
        on_released(waiting, STATUS_NO_MEMORY);
    return MHD_YES;
}

/* ---- gateways ---- */

enum MHD_Result api_list_gateways(struct api_call *call) {
    struct control_request request = {.question = {.verb = QUESTION_GATEWAY}};
    return ask(call, &request, on_rows, "gateways", false);
}

/* Never all at once, by leaving something out. */
enum MHD_Result api_drain(struct api_call *call) {
    struct control_request request = {.question = {.verb = QUESTION_DRAIN},
                                      .gateway = admin_argument(call->connection, "gateway")};
    if (!request.gateway.len)
        return api_refuse(call, MHD_HTTP_BAD_REQUEST,
                          "say which: ?gateway= and its name as /api/v1/gateways has it");
    api_audit(call, "drain", request.gateway);
    return ask(call, &request, on_count, "draining", false);
}
