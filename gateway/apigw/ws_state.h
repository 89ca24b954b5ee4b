/* What the files of the WebSocket API share. */
#ifndef GATEWAY_APIGW_WS_STATE_H
#define GATEWAY_APIGW_WS_STATE_H

#include "agents/ws_server.h"
#include "apigw/web.h"
#include "apigw/ws_api.h"
#include "base/status.h"
#include "base/table.h"

#define WS_AGENT_TEXT_MAX 200
#define WS_REASON_MAX 123 /* of a close frame */

struct ws_api {
    struct loop *loop;
    struct ws_api_settings settings;
    struct lambda_pool *pool;
    struct usage *usage;
    struct ws_server *server;
    struct web *manage; /* "@connections" */
    struct ws_candidates candidates;
    struct table connections;
    struct list all;
    struct timer tick;
    struct throttle connects;
    bool is_stopped;
};

struct ws_connection {
    struct ws_end end;
    struct ws_api *api;
    struct client *client;
    struct table_node node;
    struct list all;
    char id[SHAPE_ID_MAX];
    char user_agent[WS_AGENT_TEXT_MAX];
    uint64_t connected_ms, active_ms; /* wall clock */
    uint64_t begun_ms, message_ms;    /* the loop's */
    struct buf message;               /* pieces of one that is not complete */
    uint64_t frame_left;              /* of the frame that comes in */
    int close_code;                   /* what the function is told in the end */
    char close_reason[WS_REASON_MAX + 1];
};

/* One that the function has let in. */
struct ws_admission {
    struct ws_socket socket; /* moved */
    const char *id;
    uint64_t connected_ms;
    struct view user_agent;
    struct view subprotocol; /* that the function has chosen; absent: none */
};
void ws_api_admit(struct ws_api *api, const struct ws_admission *admission);

struct ws_connection *ws_connection_find(const struct ws_api *api, struct view id);
struct ws_connection *ws_connection_new(struct ws_api *api, const struct ws_admission *admission);
/* Tells the function. */
void ws_connection_free(struct ws_connection *connection);
/* As ws_server_events has them. */
void ws_connection_receive(struct ws_connection *connection, const struct ws_piece *piece);
void ws_connection_write(struct ws_connection *connection);
/* Closes it with this code, and says so in the log. */
void ws_connection_refuse(struct ws_connection *connection, unsigned code, const char *reason);
/* As ws_end_send(). */
enum status ws_connection_send(struct ws_connection *connection, struct view message);
/* What the function is told when it has ended. */
void ws_connection_note_close(struct ws_connection *connection, int code, struct view reason);
/* After what was queued has left. */
void ws_connection_close(struct ws_connection *connection, unsigned code, const char *reason);
void ws_connection_tick(struct ws_connection *connection, uint64_t now_ms);
struct shape_connection ws_connection_shape(const struct ws_connection *connection);

/* An event whose outcome nobody waits for. */
void ws_api_tell(struct ws_api *api, enum usage_source source, json_t *event);
/* web_fn; ctx is the ws_api. */
void ws_manage(void *ctx, struct web_exchange *exchange, const struct web_request *request);
/* Of ws_candidates_settings; ctx is the ws_api. */
void ws_accept_ready(void *ctx, struct ws_candidate *candidate);
bool ws_manage_is_meant(struct view line);

#endif
