/* The HTTP API: visitors' requests become events, what the function returns becomes the answer. With API
 * Gateway's bounds ("Quotas for configuring and running an HTTP API"): 10 MB, 30 s, 10 240 bytes of request
 * line and fields. */
#ifndef GATEWAY_APIGW_HTTP_API_H
#define GATEWAY_APIGW_HTTP_API_H

#include "apigw/lambda_pool.h"
#include "apigw/shape.h"
#include "apigw/throttle.h"
#include "sockets/clients.h"

#define HTTP_API_BODY_MAX ((size_t)10 * 1024 * 1024)
#define HTTP_API_HEAD_MAX ((size_t)10240)

struct http_api;

struct http_api_settings {
    struct shape_api api;
    struct throttle *throttle; /* shared with the other APIs */
    uint64_t timeout_ms;
    unsigned connections_max;
};

/* `settings` are copied; what they point to, `pool` and `usage` outlive it. NULL without memory. */
struct http_api *http_api_new(struct loop *loop, const struct http_api_settings *settings,
                              struct lambda_pool *pool, struct usage *usage);
/* A listener_fn; ctx is the http_api. */
void http_api_accept(void *ctx, int fd, struct client *client, const struct sockaddr *address, socklen_t len);
size_t http_api_busy(const struct http_api *api);
/* Behind lambda_pool_stop(). Memory goes in http_api_free(), after the loop has run the close callbacks. NULL
 * is fine. */
void http_api_stop(struct http_api *api);
void http_api_free(struct http_api *api);

#endif
