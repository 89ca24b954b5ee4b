/* See ws_api.h: from a handshake to the function's word on it. */
#include "apigw/ws_state.h"

#include <stdlib.h>

#define MANAGE VIEW("/@connections/")

/* ---- the function's word ---- */

static void hand_on(struct ws_api *api, struct ws_candidate *candidate) {
    const struct headers *headers = &candidate->handshake.head.headers;
    const struct ws_admission admission = {
        .socket = ws_candidate_take(candidate),
        .id = candidate->id,
        .connected_ms = candidate->ready_ms,
        .user_agent = headers_get(headers, VIEW("user-agent")),
    };
    ws_api_admit(api, &admission);
    ws_candidate_free(candidate);
}

static void on_outcome(void *ctx, enum lambda_outcome outcome, struct view text) {
    struct ws_candidate *candidate = ctx;
    struct ws_api *api = LIST_ENTRY(candidate->set, struct ws_api, candidates);
    struct shape_answer answer;
    struct arena arena;
    if (api->is_stopped) {
        ws_candidate_free(candidate);
        return;
    }
    arena_init(&arena, 64 * 1024);
    if (outcome == LAMBDA_THROTTLED)
        ws_candidate_refuse(candidate, 429, VIEW("Too Many Requests"));
    else if (outcome != LAMBDA_OK || !shape_answer_read(text, true, &arena, &answer))
        ws_candidate_refuse(candidate, 502, VIEW("Internal server error"));
    else {
        if (answer.status < 300)
            hand_on(api, candidate);
        else
            ws_candidate_refuse(candidate, answer.status, view_slice(answer.body, 0, 2048));
        shape_answer_done(&answer);
    }
    arena_done(&arena);
}

static void ask(struct ws_api *api, struct ws_candidate *candidate) {
    const struct request_head *head = &candidate->handshake.head;
    char request_id[SHAPE_ID_MAX];
    ws_candidate_wait(candidate);
    shape_id(candidate->id);
    shape_id(request_id);
    const struct shape_connection connection = {
        .id = candidate->id,
        .peer = view_from_cstr(candidate->peer->text),
        .user_agent = headers_get(&head->headers, VIEW("user-agent")),
        .connected_ms = candidate->ready_ms,
    };
    const struct shape_request request = {.target = head->target,
                                          .headers = &head->headers,
                                          .peer = connection.peer,
                                          .id = request_id,
                                          .now_ms = candidate->ready_ms};
    json_t *event = shape_connect(&api->settings.api, &connection, &request);
    char *text = event ? json_dumps(event, JSON_COMPACT) : NULL;
    json_decref(event);
    if (text)
        lambda_invoke(api->lambda, SOURCE_CONNECT, view_from_cstr(text), on_outcome, candidate);
    else
        ws_candidate_refuse(candidate, 500, VIEW("Internal server error"));
    free(text);
}

/* ---- the request ---- */

/* With a custom domain the root, else the stage. */
static bool is_in_stage(const struct ws_api *api, struct view target) {
    struct view path = view_slice(target, 0, view_find(target, '?'));
    if (path.len > 0 && path.ptr[path.len - 1] == '/') path.len--;
    return api->settings.api.has_custom_domain
               ? path.len == 0
               : view_eq(view_skip(path, 1), view_from_cstr(api->settings.api.stage));
}

void ws_accept_ready(void *ctx, struct ws_candidate *candidate) {
    struct ws_api *api = ctx;
    if (!is_in_stage(api, candidate->handshake.head.target))
        ws_candidate_refuse(candidate, 403, VIEW("Forbidden"));
    else if (!throttle_take(&api->throttle, loop_now(api->loop)))
        ws_candidate_refuse(candidate, 429, VIEW("Too Many Requests"));
    else
        ask(api, candidate);
}

bool ws_accept_is_management(struct view line) {
    for (size_t i = 0; i < line.len; i++)
        if (view_starts_with(view_skip(line, i), MANAGE)) return true;
    return false;
}
