/* See ws_state.h: one agent's connection, behind libwebsockets' handshake. */
#include "apigw/ws_state.h"

#include "base/log.h"

#include <stdlib.h>
#include <sys/socket.h>

#define OUTGOING_MAX_BYTES ((size_t)8 * 1024 * 1024)
#define CLOSE_WAIT_MS 5000
#define WRITE_CLOSE ((enum lws_write_protocol)4) /* in no public header of libwebsockets */

struct ws_connection *ws_connection_find(const struct ws_api *api, struct view id) {
    struct table_node *node = table_get(&api->connections, id);
    return node ? TABLE_ENTRY(node, struct ws_connection, node) : NULL;
}

struct shape_connection ws_connection_shape(const struct ws_connection *connection) {
    return (struct shape_connection){.id = connection->id,
                                     .peer = view_from_cstr(connection->peer->text),
                                     .user_agent = view_from_cstr(connection->user_agent),
                                     .connected_ms = connection->connected_ms};
}

struct ws_connection *ws_connection_new(struct ws_api *api, const struct ws_admission *admission) {
    struct ws_connection *connection = calloc(1, sizeof(*connection));
    if (!connection) return NULL;
    *connection = (struct ws_connection){.magic = WS_CONNECTION_MAGIC,
                                         .api = api,
                                         .fd = admission->fd,
                                         .peer = admission->peer,
                                         .connected_ms = admission->connected_ms,
                                         .active_ms = admission->connected_ms,
                                         .begun_ms = loop_now(api->loop),
                                         .message_ms = loop_now(api->loop),
                                         .close_code = 1006,
                                         .close_reason = "Connection Closed Abnormally"};
    buf_init(&connection->message, WS_API_MESSAGE_MAX);
    list_init(&connection->outgoing);
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
    for (struct list *node; (node = list_pop(&connection->outgoing));)
        free(LIST_ENTRY(node, struct ws_outgoing, node));
    buf_done(&connection->message);
    peer_release(connection->peer);
    connection->magic = 0;
    free(connection);
}

static void note_message(struct ws_connection *connection) {
    connection->message_ms = loop_now(connection->api->loop);
    connection->active_ms = loop_wall_ms(NULL);
}

/* ---- in ---- */

struct told {
    struct ws_api *api;
    char connection_id[SHAPE_ID_MAX], request_id[SHAPE_ID_MAX];
};

/* What a client hears of an integration that failed. */
static void on_outcome(void *ctx, enum lambda_outcome outcome, struct view answer) {
    (void)answer;
    struct told *told = ctx;
    struct ws_connection *connection =
        outcome == LAMBDA_OK ? NULL : ws_connection_find(told->api, view_from_cstr(told->connection_id));
    if (connection) {
        char text[256];
        int len = snprintf(text, sizeof(text),
                           "{\"message\": \"%s\", \"connectionId\":\"%s\", \"requestId\":\"%s\"}",
                           outcome == LAMBDA_THROTTLED ? "Too Many Requests" : "Internal server error",
                           told->connection_id, told->request_id);
        ws_connection_send(connection, view_of(text, (size_t)len));
    }
    free(told);
}

static void take_message(struct ws_connection *connection) {
    struct ws_api *api = connection->api;
    struct told *told = calloc(1, sizeof(*told));
    const struct shape_connection shape = ws_connection_shape(connection);
    if (!told) abort(); /* a message that was received is not lost */
    told->api = api;
    memcpy(told->connection_id, connection->id, sizeof(told->connection_id));
    shape_id(told->request_id);
    api->usage->messages_in += usage_messages(connection->message.len);
    json_t *event = shape_message(&api->settings.api, &shape, told->request_id, loop_wall_ms(NULL),
                                  buf_view(&connection->message));
    char *text = event ? json_dumps(event, JSON_COMPACT) : NULL;
    if (!text) abort();
    lambda_invoke(api->lambda, SOURCE_MESSAGE, view_from_cstr(text), on_outcome, told);
    free(text);
    json_decref(event);
    note_message(connection);
    buf_clear(&connection->message);
    if (connection->message.cap > WS_API_FRAME_MAX) buf_done(&connection->message);
}

static int refuse(struct ws_connection *connection, int code, const char *reason) {
    log_info("ws-api", "%s: closed with %d: %s", connection->id, code, reason);
    ws_connection_close(connection, code, reason);
    return 0;
}

int ws_connection_receive(struct ws_connection *connection, struct view piece) {
    if (connection->closing_ms) return 0;
    size_t remaining = lws_remaining_packet_payload(connection->wsi);
    if (lws_frame_is_binary(connection->wsi)) return refuse(connection, 1003, "binary frames are not taken");
    if (connection->frame_left == 0 && piece.len + remaining > WS_API_FRAME_MAX)
        return refuse(connection, 1009, "a frame over 32 KB");
    connection->frame_left = remaining;
    if (!buf_append_view(&connection->message, piece))
        return refuse(connection, 1009, "a message over 128 KB");
    if (lws_is_final_fragment(connection->wsi) && remaining == 0) take_message(connection);
    return 0;
}

/* ---- out ---- */

enum status ws_connection_send(struct ws_connection *connection, struct view message) {
    if (connection->closing_ms) return STATUS_GONE;
    if (message.len > OUTGOING_MAX_BYTES - connection->outgoing_bytes) return STATUS_OVERLOADED;
    struct ws_outgoing *out = malloc(sizeof(*out) + LWS_PRE + message.len);
    if (!out) return STATUS_OVERLOADED;
    out->len = message.len;
    out->sent = 0;
    if (message.len) memcpy(out->bytes + LWS_PRE, message.ptr, message.len);
    list_init(&out->node);
    list_append(&connection->outgoing, &out->node);
    connection->outgoing_bytes += message.len;
    connection->api->usage->messages_out += usage_messages(message.len);
    note_message(connection);
    if (connection->is_established) lws_callback_on_writable(connection->wsi);
    return STATUS_OK;
}

static int write_frame(struct ws_connection *connection) {
    struct ws_outgoing *out = LIST_ENTRY(connection->outgoing.next, struct ws_outgoing, node);
    size_t left = out->len - out->sent, len = left < WS_API_FRAME_MAX ? left : WS_API_FRAME_MAX;
    int protocol = lws_write_ws_flags(LWS_WRITE_TEXT, out->sent == 0, len == left);
    if (lws_write(connection->wsi, out->bytes + LWS_PRE + out->sent, len, (enum lws_write_protocol)protocol) <
        0)
        return -1;
    out->sent += len;
    if (out->sent < out->len) return 0;
    connection->outgoing_bytes -= out->len;
    list_remove(&out->node);
    free(out);
    return 0;
}

static int write_close(struct ws_connection *connection) {
    unsigned char bytes[LWS_PRE + 2];
    bytes[LWS_PRE] = (unsigned char)(connection->close_code >> 8);
    bytes[LWS_PRE + 1] = (unsigned char)connection->close_code;
    connection->is_close_sent = true;
    return lws_write(connection->wsi, bytes + LWS_PRE, 2, WRITE_CLOSE) < 0 ? -1 : 0;
}

int ws_connection_write(struct ws_connection *connection) {
    if (connection->is_close_sent) return 0; /* waiting for the other side's */
    if (!list_empty(&connection->outgoing)) {
        if (!lws_partial_buffered(connection->wsi) && write_frame(connection) < 0) return -1;
        lws_callback_on_writable(connection->wsi);
        return 0;
    }
    return connection->closing_ms ? write_close(connection) : 0;
}

void ws_connection_close(struct ws_connection *connection, int code, const char *reason) {
    if (connection->closing_ms) return;
    connection->closing_ms = loop_now(connection->api->loop);
    connection->close_code = code;
    connection->close_reason = reason;
    if (connection->is_established) lws_callback_on_writable(connection->wsi);
}

void ws_connection_tick(struct ws_connection *connection, uint64_t now_ms) {
    const struct ws_api_settings *settings = &connection->api->settings;
    if (connection->closing_ms) { /* libwebsockets sees the end of the socket */
        if (now_ms - connection->closing_ms > CLOSE_WAIT_MS) shutdown(connection->fd, SHUT_RDWR);
    } else if (now_ms - connection->begun_ms >= settings->life_ms) {
        ws_connection_close(connection, 1001, "Going away");
    } else if (now_ms - connection->message_ms >= settings->idle_ms) {
        ws_connection_close(connection, 1001, "Going away");
    }
}
