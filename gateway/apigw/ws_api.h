/* The WebSocket API: agents' connections become $connect, $default and $disconnect events, and "@connections"
 * posts to them, reads about them and closes them. With API Gateway's bounds ("Quotas for configuring and
 * running a WebSocket API"): messages of 128 KB, frames of 32 KB (close 1009), text only (1003), 10 minutes
 * idle, 2 hours. $default has no route response, so that what the function returns goes nowhere. */
#ifndef GATEWAY_APIGW_WS_API_H
#define GATEWAY_APIGW_WS_API_H

#include "apigw/lambda_pool.h"
#include "apigw/shape.h"
#include "apigw/throttle.h"
#include "aws/environment.h"
#include "sockets/clients.h"

#define WS_API_MESSAGE_MAX ((size_t)128 * 1024)
#define WS_API_FRAME_MAX ((size_t)32 * 1024)

struct ws_api;

struct ws_api_settings {
    struct shape_api api;
    uint64_t idle_ms, life_ms, head_timeout_ms;
    uint64_t timeout_ms;               /* of the function, for $connect and $default */
    uint64_t connect_rate;             /* new connections a second; 0: no bound */
    uint64_t manage_idle_ms;           /* of connections to "@connections", see web.h */
    struct throttle *throttle;         /* of all, shared with the other APIs */
    const struct aws_environment *aws; /* the function's: its credentials may use "@connections" */
};

/* `settings` are copied; what they point to, `pool` and `usage` outlive it. NULL without memory. */
struct ws_api *ws_api_new(struct loop *loop, const struct ws_api_settings *settings, struct lambda_pool *pool,
                          struct usage *usage);
/* A listener_fn; ctx is the ws_api. */
void ws_api_accept(void *ctx, int fd, struct client *client, const struct sockaddr *address, socklen_t len);
size_t ws_api_count(const struct ws_api *api);
/* Closes all with 1001; the function is told. */
void ws_api_close_all(struct ws_api *api);
/* Behind lambda_pool_stop(). Memory goes in ws_api_free(), after the loop has run the close callbacks. NULL
 * is fine. */
void ws_api_stop(struct ws_api *api);
void ws_api_free(struct ws_api *api);

#endif
