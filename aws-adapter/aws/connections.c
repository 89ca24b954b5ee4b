#include "aws/connections.h"

#include <stdio.h>
#include <stdlib.h>

#include "aws/actions.h"
#include "base/heap.h"
#include "base/log.h"

enum { ATTEMPT_MS = 5000, DELETE_ATTEMPTS_MAX = 4, ANSWER_MAX = 64 * 1024, PATH_MAX_BYTES = 1024 };

struct post {
    connections_fn *done;
    void *ctx;
};

bool connections_set_endpoint(struct connections *connections, struct view websocket_url) {
    static const struct {
        struct view before;
        const char *after;
    } schemes[] = {{{"wss://", 6}, "https://"},
                   {{"ws://", 5}, "http://"},
                   {{"https://", 8}, "https://"},
                   {{"http://", 7}, "http://"}};
    while (websocket_url.len && websocket_url.ptr[websocket_url.len - 1] == '/') websocket_url.len--;
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (!view_starts_with(websocket_url, schemes[i].before)) continue;
        struct view rest = view_skip(websocket_url, schemes[i].before.len);
        int len = snprintf(connections->endpoint, sizeof(connections->endpoint), "%s%.*s", schemes[i].after,
                           VIEW_ARG(rest));
        return rest.len > 0 && len > 0 && (size_t)len < sizeof(connections->endpoint);
    }
    return false;
}

static enum status status_of(enum status status, int http_status) {
    if (http_status == 410) return STATUS_GONE;
    if (http_status == 413) return STATUS_TOO_LARGE;
    return status == STATUS_GONE || status == STATUS_INVALID ? STATUS_UNAVAILABLE : status;
}

static void on_answer(void *ctx, enum status status, const struct aws_answer *answer) {
    struct post *post = ctx;
    enum status meant = status_of(status, answer->http_status);
    if (status == STATUS_INVALID && meant == STATUS_UNAVAILABLE)
        log_warn("agents", "a message was refused: %d %.*s", answer->http_status, VIEW_ARG(answer->error));
    post->done(post->ctx, meant);
    free(post);
}

static void call(struct connections *connections, enum aws_action action, struct view connection_id,
                 struct view message, unsigned attempts_max, connections_fn *done, void *ctx) {
    struct post *post = heap_alloc_owed(sizeof(*post));
    post->done = done;
    post->ctx = ctx;
    struct buf path;
    buf_init(&path, PATH_MAX_BYTES);
    buf_printf(&path, "/@connections/");
    sigv4_encode(&path, connection_id, false);
    struct aws_request request = {.service = aws_action_service(action),
                                  .endpoint = view_from_cstr(connections->endpoint),
                                  .method = view_from_cstr(aws_action_operation(action)),
                                  .path = buf_view(&path),
                                  .content_type = VIEW("application/octet-stream"),
                                  .body = message,
                                  .idempotent = action == ACTION_AGENT_DELETE,
                                  .attempts_max = attempts_max,
                                  .attempt_ms = ATTEMPT_MS,
                                  .answer_max = ANSWER_MAX};
    aws_call_start(connections->aws, &request, on_answer, post);
    buf_done(&path);
}

void connections_post(struct connections *connections, struct view connection_id, struct view message,
                      unsigned attempts_max, connections_fn *done, void *ctx) {
    call(connections, ACTION_AGENT_POST, connection_id, message, attempts_max, done, ctx);
}

void connections_delete(struct connections *connections, struct view connection_id, connections_fn *done,
                        void *ctx) {
    call(connections, ACTION_AGENT_DELETE, connection_id, (struct view){0}, DELETE_ATTEMPTS_MAX, done, ctx);
}
