/* What the files of the WebSocket API share. */
#ifndef GATEWAY_APIGW_WS_STATE_H
#define GATEWAY_APIGW_WS_STATE_H

#include "apigw/throttle.h"
#include "apigw/web.h"
#include "apigw/ws_api.h"
#include "base/status.h"
#include "base/table.h"
#include "handshake.h"

#include <libwebsockets.h>

#define WS_CONNECTION_MAGIC 0x77736170u
#define WS_AGENT_TEXT_MAX 200

struct ws_api {
    struct loop *loop;
    struct ws_api_settings settings;
    struct lambda *lambda;
    struct usage *usage;
    struct lws_context *context;
    struct lws_vhost *vhost;
    struct web *manage; /* "@connections" */
    struct list candidates;
    struct table connections;
    struct list all;
    struct timer tick;
    struct throttle throttle;
    struct ws_connection *adopting;
    bool is_stopped;
};

/* A message, or what is left of it, that waits to be written. */
struct ws_outgoing {
    struct list node;
    size_t len, sent;
    unsigned char bytes[]; /* LWS_PRE of headroom, then the message */
};

struct ws_connection {
    unsigned magic;
    struct ws_api *api;
    struct lws *wsi;
    int fd;
    struct peer *peer;
    struct table_node node;
    struct list all;
    char id[SHAPE_ID_MAX];
    char user_agent[WS_AGENT_TEXT_MAX];
    uint64_t connected_ms, active_ms;          /* wall clock */
    uint64_t begun_ms, message_ms, closing_ms; /* the loop's; closing: 0 no */
    struct buf message;                        /* pieces of one that is not complete */
    size_t frame_left;                         /* of the frame that comes in */
    struct list outgoing;
    size_t outgoing_bytes;
    int close_code;
    const char *close_reason;
    bool is_established, is_close_sent;
};

/* One that the function has let in; `fd` and `peer` move, `early` is what has come behind the handshake. */
struct ws_admission {
    int fd;
    struct peer *peer;
    const char *id;
    uint64_t connected_ms;
    struct view key, early, user_agent;
};
void ws_api_admit(struct ws_api *api, const struct ws_admission *admission);

struct ws_connection *ws_connection_find(const struct ws_api *api, struct view id);
struct ws_connection *ws_connection_new(struct ws_api *api, const struct ws_admission *admission);
/* Tells the function. */
void ws_connection_free(struct ws_connection *connection);
/* -1 to cut. */
int ws_connection_receive(struct ws_connection *connection, struct view piece);
int ws_connection_write(struct ws_connection *connection);
/* STATUS_OVERLOADED when too much waits. */
enum status ws_connection_send(struct ws_connection *connection, struct view message);
/* After what was queued has left. `reason` is static. */
void ws_connection_close(struct ws_connection *connection, int code, const char *reason);
void ws_connection_tick(struct ws_connection *connection, uint64_t now_ms);
struct shape_connection ws_connection_shape(const struct ws_connection *connection);

/* An event whose outcome nobody waits for. */
void ws_api_tell(struct ws_api *api, enum usage_source source, json_t *event);
/* web_fn; ctx is the ws_api. */
void ws_manage(void *ctx, struct web_exchange *exchange, const struct web_request *request);

/* ---- ws_accept.c ---- */

void ws_candidates_stop(struct ws_api *api);

#endif
