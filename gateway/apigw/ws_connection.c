/* See ws_state.h: one agent's connection, behind its handshake. */
#include <stdio.h>
#include <stdlib.h>

#include "apigw/ws_state.h"
#include "base/log.h"

#define OUTGOING_MAX_BYTES ((size_t)8 * 1024 * 1024)

struct ws_connection *ws_connection_find(const struct ws_api *api, struct view id) {
    struct table_node *node = table_get(&api->connections, id);
    return node ? TABLE_ENTRY(node, struct ws_connection, node) : NULL;
}

struct shape_connection ws_connection_shape(const struct ws_connection *connection) {
    return (struct shape_connection){.id = connection->id,
                                     .client = view_from_cstr(connection->client->text),
                                     .user_agent = view_from_cstr(connection->user_agent),
                                     .connected_ms = connection->connected_ms};
}

struct ws_connection *ws_connection_new(struct ws_api *api, const struct ws_admission *admission) {
    struct ws_connection *connection = calloc(1, sizeof(*connection));
    if (!connection) return NULL;
    *connection = (struct ws_connection){
        .api = api,
        .client = admission->socket.client,
        .connected_ms = admission->connected_ms,
        .active_ms = admission->connected_ms,
        .begun_ms = loop_now(api->loop),
        .message_ms = loop_now(api->loop),
    };
    ws_connection_note_close(connection, 1006, VIEW("Connection Closed Abnormally"));
    ws_end_init(&connection->end, api->server, &admission->socket.conn);
    buf_init(&connection->message, WS_API_MESSAGE_MAX);
    view_copy_to(view_from_cstr(admission->id), connection->id, sizeof(connection->id));
    view_copy_to(view_slice(admission->user_agent, 0, WS_AGENT_TEXT_MAX - 1), connection->user_agent,
                 WS_AGENT_TEXT_MAX);
    if (!table_put(&api->connections, &connection->node, view_from_cstr(connection->id))) {
        free(connection);
        return NULL;
    }
    list_append(&api->all, &connection->all);
    api->usage->connections++;
    return connection;
}

void ws_connection_free(struct ws_connection *connection) {
    struct ws_api *api = connection->api;
    const struct shape_connection shape = ws_connection_shape(connection);
    char id[SHAPE_ID_MAX];
    shape_id(id);
    ws_api_tell(api, SOURCE_DISCONNECT,
                shape_disconnect(&api->settings.api, &shape, id, loop_wall_ms(NULL), connection->close_code,
                                 connection->close_reason));
    table_remove(&api->connections, &connection->node);
    list_remove(&connection->all);
    api->usage->connections--;
    api->usage->connection_ms += loop_now(api->loop) - connection->begun_ms;
    ws_end_done(&connection->end);
    buf_done(&connection->message);
    client_release(connection->client);
    free(connection);
}

void ws_connection_note_close(struct ws_connection *connection, int code, struct view reason) {
    connection->close_code = code;
    if (!view_copy_to(reason, connection->close_reason, sizeof(connection->close_reason)))
        connection->close_reason[0] = '\0';
}

static void note_message(struct ws_connection *connection) {
    connection->message_ms = loop_now(connection->api->loop);
    connection->active_ms = loop_wall_ms(NULL);
}

/* ---- in ---- */

/* A message that the function has been told of. */
struct told {
    struct ws_api *api;
    struct timer timeout;
    bool is_late; /* the client has heard so */
    char connection_id[SHAPE_ID_MAX], request_id[SHAPE_ID_MAX];
};

/* What a client hears instead of nothing. */
static void send_error(struct ws_connection *connection, const char *message, const char *request_id) {
    char text[256];
    int len =
        snprintf(text, sizeof(text), "{\"message\": \"%s\", \"connectionId\":\"%s\", \"requestId\":\"%s\"}",
                 message, connection->id, request_id);
    ws_connection_send(connection, view_of(text, (size_t)len));
}

static void answer_error(const struct told *told, const char *message) {
    struct ws_connection *connection = ws_connection_find(told->api, view_from_cstr(told->connection_id));
    if (connection) send_error(connection, message, told->request_id);
}

static void on_outcome(void *ctx, enum lambda_outcome outcome, struct view answer) {
    (void)answer;
    struct told *told = ctx;
    timer_stop(&told->api->loop->timers, &told->timeout);
    if (outcome != LAMBDA_OK && !told->is_late)
        answer_error(told, outcome == LAMBDA_THROTTLED ? "Too Many Requests" : "Internal server error");
    free(told);
}

static void on_timeout(struct timer *timer) {
    struct told *told = LIST_ENTRY(timer, struct told, timeout);
    told->is_late = true;
    answer_error(told, "Endpoint request timed out");
}

static void tell(struct ws_connection *connection, struct view message, const char *request_id) {
    struct ws_api *api = connection->api;
    struct told *told = calloc(1, sizeof(*told));
    const struct shape_connection shape = ws_connection_shape(connection);
    if (!told) abort(); /* a message that was received is not lost */
    told->api = api;
    timer_init(&told->timeout, on_timeout);
    timer_start(&api->loop->timers, &told->timeout, api->settings.timeout_ms);
    memcpy(told->connection_id, connection->id, sizeof(told->connection_id));
    memcpy(told->request_id, request_id, sizeof(told->request_id));
    json_t *event = shape_message(&api->settings.api, &shape, told->request_id, loop_wall_ms(NULL), message);
    char *text = event ? json_dumps(event, JSON_COMPACT) : NULL;
    if (!text) abort();
    lambda_pool_invoke(api->pool, SOURCE_MESSAGE, view_from_cstr(text), on_outcome, told);
    free(text);
    json_decref(event);
}

static void take_message(struct ws_connection *connection, struct view message) {
    struct ws_api *api = connection->api;
    char request_id[SHAPE_ID_MAX];
    shape_id(request_id);
    api->usage->messages_in += usage_messages(message.len);
    note_message(connection);
    if (throttle_take(api->settings.throttle, loop_now(api->loop)))
        tell(connection, message, request_id);
    else
        send_error(connection, "Too Many Requests", request_id);
}

void ws_connection_refuse(struct ws_connection *connection, unsigned code, const char *reason) {
    log_from(LOG_LEVEL_INFO, "ws-api", view_from_cstr(connection->id), "closed with %u: %s", code, reason);
    ws_connection_close(connection, code, reason);
}

/* True: it was refused. */
static bool is_too_large(struct ws_connection *connection, const struct ws_piece *piece) {
    uint64_t left = ws_end_frame_left(&connection->end);
    bool begins = connection->frame_left == 0;
    connection->frame_left = left;
    if (begins && piece->payload.len + left > WS_API_FRAME_MAX) {
        ws_connection_refuse(connection, WS_CODE_TOO_LARGE, "a frame over 32 KB");
        return true;
    }
    if (buf_append_view(&connection->message, piece->payload)) return false;
    ws_connection_refuse(connection, WS_CODE_TOO_LARGE, "a message over 128 KB");
    return true;
}

void ws_connection_receive(struct ws_connection *connection, const struct ws_piece *piece) {
    if (connection->end.closing_ms) return;
    if (piece->opcode == WS_BINARY) {
        ws_connection_refuse(connection, WS_CODE_UNSUPPORTED, "binary frames are not taken");
        return;
    }
    if (is_too_large(connection, piece) || !piece->is_last) return;
    take_message(connection, buf_view(&connection->message));
    buf_clear(&connection->message);
    if (connection->message.cap > WS_API_FRAME_MAX) buf_done(&connection->message);
}

/* ---- out ---- */

enum status ws_connection_send(struct ws_connection *connection, struct view message) {
    enum status status = ws_end_send(&connection->end, message, OUTGOING_MAX_BYTES);
    if (status != STATUS_OK) return status;
    connection->api->usage->messages_out += usage_messages(message.len);
    note_message(connection);
    return STATUS_OK;
}

void ws_connection_write(struct ws_connection *connection) {
    ws_end_write_messages(&connection->end);
    ws_end_write_done(&connection->end, false);
}

void ws_connection_close(struct ws_connection *connection, unsigned code, const char *reason) {
    if (connection->end.closing_ms) return;
    ws_end_close(&connection->end, code);
    ws_connection_note_close(connection, (int)code, view_from_cstr(reason));
}

void ws_connection_tick(struct ws_connection *connection, uint64_t now_ms) {
    const struct ws_api_settings *settings = &connection->api->settings;
    if (ws_end_is_stuck(&connection->end, now_ms))
        ws_end_cut(&connection->end);
    else if (now_ms - connection->begun_ms >= settings->life_ms ||
             now_ms - connection->message_ms >= settings->idle_ms)
        ws_connection_close(connection, 1001, "Going away");
}
