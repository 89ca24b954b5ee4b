/* See ws_api.h: from a handshake to the function's word on it. */
#include <stdlib.h>

#include "apigw/ws_state.h"
#include "base/log.h"

#define PROTOCOL VIEW("sec-websocket-protocol")

/* ---- the function's word ---- */

static void hand_on(struct ws_api *api, struct ws_candidate *candidate, struct view subprotocol) {
    const struct headers *headers = &candidate->handshake.head.headers;
    const struct ws_admission admission = {
        .socket = ws_candidate_take(candidate),
        .id = candidate->id,
        .connected_ms = candidate->ready_ms,
        .user_agent = headers_get(headers, VIEW("user-agent")),
        .subprotocol = subprotocol,
    };
    ws_api_admit(api, &admission);
    ws_candidate_free(candidate);
}

/* One of those that the client has asked for, as it has written it (RFC 6455 4.2.2). */
static bool is_offered(const struct headers *headers, struct view subprotocol) {
    for (size_t i = 0; i < headers->count; i++) {
        struct view rest = headers->fields[i].value, piece;
        if (!view_eq(headers->fields[i].name, PROTOCOL)) continue;
        while (view_split(&rest, ',', &piece))
            if (view_eq(view_trim(piece), subprotocol)) return true;
    }
    return false;
}

/* All that a client hears of the answer's fields is the subprotocol ("Set up a $connect route that requires a
 * WebSocket subprotocol", API Gateway Developer Guide). What was not offered, clients have to fail the
 * connection for: here the function is told so. */
static void let_in(struct ws_api *api, struct ws_candidate *candidate, const struct shape_answer *answer) {
    struct view chosen = headers_get(&answer->headers, PROTOCOL);
    if (!chosen.ptr || is_offered(&candidate->handshake.head.headers, chosen)) {
        hand_on(api, candidate, chosen);
        return;
    }
    log_error("ws-api", "%s: the function chose the subprotocol \"%.*s\", which the client did not offer",
              candidate->id, VIEW_ARG(chosen));
    ws_candidate_refuse(candidate, 502, VIEW("Internal server error"));
}

/* One about whom the function has been asked. */
struct asking {
    struct ws_api *api;
    struct ws_candidate *candidate; /* NULL: refused, for that took too long */
    struct timer timeout;
};

static void take_answer(struct ws_api *api, struct ws_candidate *candidate, enum lambda_outcome outcome,
                        struct view text) {
    struct shape_answer answer;
    struct arena arena;
    arena_init(&arena, 64 * 1024);
    if (outcome == LAMBDA_THROTTLED)
        ws_candidate_refuse(candidate, 429, VIEW("Too Many Requests"));
    else if (outcome != LAMBDA_OK || !shape_answer_read(text, true, &arena, &answer))
        ws_candidate_refuse(candidate, 502, VIEW("Internal server error"));
    else {
        if (answer.status < 300)
            let_in(api, candidate, &answer);
        else
            ws_candidate_refuse(candidate, answer.status, view_slice(answer.body, 0, 2048));
        shape_answer_done(&answer);
    }
    arena_done(&arena);
}

static void on_outcome(void *ctx, enum lambda_outcome outcome, struct view text) {
    struct asking *asking = ctx;
    timer_stop(&asking->api->loop->timers, &asking->timeout);
    if (asking->candidate && asking->api->is_stopped)
        ws_candidate_free(asking->candidate);
    else if (asking->candidate)
        take_answer(asking->api, asking->candidate, outcome, text);
    free(asking);
}

/* The function goes on; nobody hears of it. */
static void on_timeout(struct timer *timer) {
    struct asking *asking = LIST_ENTRY(timer, struct asking, timeout);
    ws_candidate_refuse(asking->candidate, 504, VIEW("Endpoint request timed out"));
    asking->candidate = NULL;
}

static void invoke(struct ws_api *api, struct ws_candidate *candidate, struct view event) {
    struct asking *asking = calloc(1, sizeof(*asking));
    if (asking) {
        asking->api = api;
        asking->candidate = candidate;
        timer_init(&asking->timeout, on_timeout);
        timer_start(&api->loop->timers, &asking->timeout, api->settings.timeout_ms);
        lambda_pool_invoke(api->pool, SOURCE_CONNECT, event, on_outcome, asking);
    } else {
        ws_candidate_refuse(candidate, 500, VIEW("Internal server error"));
    }
}

static void ask(struct ws_api *api, struct ws_candidate *candidate) {
    const struct request_head *head = &candidate->handshake.head;
    char request_id[SHAPE_ID_MAX];
    ws_candidate_wait(candidate);
    shape_id(candidate->id);
    shape_id(request_id);
    const struct shape_connection connection = {
        .id = candidate->id,
        .client = view_from_cstr(candidate->client->text),
        .user_agent = headers_get(&head->headers, VIEW("user-agent")),
        .connected_ms = candidate->ready_ms,
    };
    const struct shape_request request = {.target = head->target,
                                          .headers = &head->headers,
                                          .client = connection.client,
                                          .id = request_id,
                                          .now_ms = candidate->ready_ms};
    json_t *event = shape_connect(&api->settings.api, &connection, &request);
    char *text = event ? json_dumps(event, JSON_COMPACT) : NULL;
    json_decref(event);
    if (text)
        invoke(api, candidate, view_from_cstr(text));
    else
        ws_candidate_refuse(candidate, 500, VIEW("Internal server error"));
    free(text);
}

/* ---- the request ---- */

/* A WebSocket API has no path but its stage's. */
static bool is_in_stage(const struct ws_api *api, struct view target) {
    struct view path = view_slice(target, 0, view_find(target, '?')),
                rest = shape_behind_stage(&api->settings.api, path);
    return rest.ptr && (rest.len == 0 || view_eq(rest, VIEW("/")));
}

void ws_accept_ready(void *ctx, struct ws_candidate *candidate) {
    struct ws_api *api = ctx;
    if (!is_in_stage(api, candidate->handshake.head.target))
        ws_candidate_refuse(candidate, 403, VIEW("Forbidden"));
    else if (!throttle_take(&api->connects, loop_now(api->loop)) ||
             !throttle_take(api->settings.throttle, loop_now(api->loop)))
        ws_candidate_refuse(candidate, 429, VIEW("Too Many Requests"));
    else
        ask(api, candidate);
}
