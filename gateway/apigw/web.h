/* An HTTP server for whole requests: libmicrohttpd on the gateway's loop, bodies collected up to a bound. The
 * Runtime API, the front of the HTTP API, "@connections" and the proxy before DynamoDB are such servers. */
#ifndef GATEWAY_APIGW_WEB_H
#define GATEWAY_APIGW_WEB_H

#include "base/buf.h"
#include "http/headers.h"
#include "net/loop.h"
#include "sockets/clients.h"

struct web;
struct web_exchange;

/* Views live until web_answer(). */
struct web_request {
    struct view method, target, version;
    const struct headers *headers;
    struct view body;
    bool is_body_too_large; /* the body is then what fitted */
    bool is_strict;         /* false: the head is not as RFC 9112 has it */
    struct view client;     /* address */
    uint64_t tag;           /* of the connection */
};

/* Must be answered with web_answer(), now or later, once. */
typedef void web_fn(void *ctx, struct web_exchange *exchange, const struct web_request *request);

struct web_settings {
    size_t body_max;
    unsigned connections_max;
    uint64_t idle_ms;    /* a request on a connection that was idle for longer is reset; 0: never */
    uint64_t *idle_cuts; /* counts them; NULL where idle_ms is 0 */
    web_fn *handle;
    void *ctx;
};

/* NULL without memory. */
struct web *web_new(struct loop *loop, const struct web_settings *settings);
/* As listener_fn, with what the connection's requests are tagged with. */
void web_accept(struct web *web, int fd, struct client *client, const struct sockaddr *address, socklen_t len,
                uint64_t tag);

/* Headers (NULL: none) and body are copied. Content-Length is made here. Whoever asked may have gone. */
void web_answer(struct web_exchange *exchange, int status, const struct headers *headers, struct view body);
/* A JSON text. */
void web_answer_json(struct web_exchange *exchange, int status, struct view json);
/* Cuts the connection, as a process that has died does. */
void web_cut(struct web_exchange *exchange);

/* Exchanges without an answer are cut: call when nobody will answer any more. Memory goes in web_free(),
 * after the loop has run the close callbacks. NULL is fine for both. */
void web_stop(struct web *web);
void web_free(struct web *web);

#endif
