/* See web.h. One exchange a connection at a time; it is made with the request line and freed when
 * libmicrohttpd has done with the request. A connection is suspended from the end of the body to the answer.
 */
#include "apigw/web.h"

#include <stdlib.h>
#include <unistd.h>

#include "apigw/mhd_head.h"
#include "base/log.h"
#include "mhd/mhd_loop.h"

#define POOL_BYTES ((size_t)128 * 1024)
#define ARENA_BYTES ((size_t)1024 * 1024)
#define IDLE_SECONDS 900 /* a frozen process must not lose the one to its Runtime API */

struct web {
    struct loop *loop;
    struct mhd_loop mhd;
    struct web_settings settings;
    struct list exchanges;
    struct connection *accepting;
};

struct connection {
    struct client *client;
    uint64_t tag;
    uint64_t idle_since_ms;        /* 0: it has had no request yet */
    struct web_exchange *exchange; /* one that libmicrohttpd has not said farewell to */
};

struct web_exchange {
    struct list node;
    struct web *web;
    struct connection *connection;
    struct MHD_Connection *mhd;
    struct arena arena;
    struct headers headers;
    struct web_request request;
    struct buf body;
    struct MHD_Response *response;
    unsigned status;
    bool is_read, is_asked, is_suspended, is_cut;
};

static void exchange_free(struct web_exchange *exchange) {
    exchange->connection->idle_since_ms = loop_now(exchange->web->loop);
    exchange->connection->exchange = NULL;
    list_remove(&exchange->node);
    if (exchange->response) MHD_destroy_response(exchange->response);
    buf_done(&exchange->body);
    arena_done(&exchange->arena);
    free(exchange);
}

/* As of a server that has forgotten the connection while the process behind it was frozen. */
static bool is_reset(struct web *web, struct MHD_Connection *mhd, const struct connection *connection) {
    const struct linger now = {.l_onoff = 1};
    uint64_t since = connection->idle_since_ms;
    if (!web->settings.idle_ms || !since || loop_now(web->loop) - since <= web->settings.idle_ms)
        return false;
    int fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    ++*web->settings.idle_cuts;
    return true;
}

static struct web_exchange *exchange_new(struct web *web, struct MHD_Connection *mhd, const char *target) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    if (!info || !info->socket_context || is_reset(web, mhd, info->socket_context)) return NULL;
    struct web_exchange *exchange = calloc(1, sizeof(*exchange));
    if (!exchange) return NULL;
    exchange->web = web;
    exchange->mhd = mhd;
    exchange->connection = info->socket_context;
    if (exchange->connection->exchange) exchange_free(exchange->connection->exchange);
    exchange->connection->exchange = exchange;
    arena_init(&exchange->arena, ARENA_BYTES);
    headers_init(&exchange->headers, &exchange->arena);
    buf_init(&exchange->body, web->settings.body_max);
    list_append(&web->exchanges, &exchange->node);
    exchange->request.target = arena_copy(&exchange->arena, view_from_cstr(target ? target : ""));
    return exchange;
}

static enum MHD_Result collect_header(void *ctx, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                      const char *value, size_t value_len) {
    (void)kind;
    struct web_exchange *exchange = ctx;
    return headers_add(&exchange->headers, view_of(name, name_len), view_trim(view_of(value, value_len)))
               ? MHD_YES
               : MHD_NO;
}

static bool read_head(struct web_exchange *exchange, const char *method, const char *version) {
    struct web_request *request = &exchange->request;
    int total = MHD_get_connection_values_n(exchange->mhd, MHD_HEADER_KIND, NULL, NULL);
    request->method = arena_copy(&exchange->arena, view_from_cstr(method));
    request->version = arena_copy(&exchange->arena, view_from_cstr(version));
    request->is_strict = mhd_head_is_strict(exchange->mhd, method, version);
    request->headers = &exchange->headers;
    request->client = view_from_cstr(exchange->connection->client->text);
    request->tag = exchange->connection->tag;
    exchange->is_read = true;
    return request->target.ptr && request->method.ptr && request->version.ptr &&
           MHD_get_connection_values_n(exchange->mhd, MHD_HEADER_KIND, collect_header, exchange) == total &&
           exchange->headers.count == (size_t)total;
}

static enum MHD_Result queue(struct web_exchange *exchange) {
    if (exchange->is_cut) return MHD_NO;
    return MHD_queue_response(exchange->mhd, exchange->status, exchange->response);
}

static enum MHD_Result ask(struct web_exchange *exchange) {
    struct web *web = exchange->web;
    exchange->is_asked = true;
    exchange->request.body = buf_view(&exchange->body);
    web->settings.handle(web->settings.ctx, exchange, &exchange->request);
    if (exchange->response || exchange->is_cut) return queue(exchange);
    exchange->is_suspended = true;
    MHD_suspend_connection(exchange->mhd);
    return MHD_YES;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data, size_t *size,
                                  void **request) {
    (void)ctx, (void)connection, (void)url;
    struct web_exchange *exchange = *request;
    if (!exchange) return MHD_NO;
    if (!exchange->is_read) return read_head(exchange, method, version) ? MHD_YES : MHD_NO;
    if (*size) {
        if (!buf_append(&exchange->body, data, *size)) exchange->request.is_body_too_large = true;
        *size = 0;
        return MHD_YES;
    }
    return exchange->is_asked ? queue(exchange) : ask(exchange);
}

static void *on_request_line(void *ctx, const char *target, struct MHD_Connection *connection) {
    return exchange_new(ctx, connection, target);
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **request,
                         enum MHD_RequestTerminationCode code) {
    (void)ctx, (void)connection, (void)code;
    if (*request) exchange_free(*request);
    *request = NULL;
}

static void on_connection(void *ctx, struct MHD_Connection *mhd, void **socket_context,
                          enum MHD_ConnectionNotificationCode code) {
    (void)mhd;
    struct web *web = ctx;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *socket_context = web->accepting;
        web->accepting = NULL;
    } else if (*socket_context) {
        struct connection *connection = *socket_context;
        if (connection->exchange) exchange_free(connection->exchange); /* its head never came */
        client_release(connection->client);
        free(connection);
        *socket_context = NULL;
    }
}

static size_t keep_escapes(void *ctx, struct MHD_Connection *connection, char *text) {
    (void)ctx, (void)connection;
    return strlen(text);
}

struct web *web_new(struct loop *loop, const struct web_settings *settings) {
    struct web *web = calloc(1, sizeof(*web));
    if (!web) return NULL;
    web->loop = loop;
    web->settings = *settings;
    list_init(&web->exchanges);
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_LOOP_FLAGS, 0, NULL, NULL, on_request, web, MHD_OPTION_EXTERNAL_LOGGER, mhd_loop_log, NULL,
        MHD_OPTION_URI_LOG_CALLBACK, on_request_line, web, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, web, MHD_OPTION_NOTIFY_COMPLETED, on_completed, web,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, POOL_BYTES, MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)16384,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS, MHD_OPTION_CONNECTION_LIMIT,
        settings->connections_max, MHD_OPTION_END);
    if (daemon && mhd_loop_start(&web->mhd, loop, daemon)) return web;
    log_error("web", "libmicrohttpd does not start");
    free(web);
    return NULL;
}

void web_accept(struct web *web, int fd, struct client *client, const struct sockaddr *address, socklen_t len,
                uint64_t tag) {
    struct connection *connection = malloc(sizeof(*connection));
    if (!connection) {
        close(fd);
        client_release(client);
        return;
    }
    *connection = (struct connection){.client = client, .tag = tag};
    web->accepting = connection;
    MHD_add_connection(web->mhd.daemon, fd, address, len);
    if (web->accepting) { /* refused, and the socket closed */
        client_release(client);
        free(connection);
        web->accepting = NULL;
    }
    mhd_loop_kick(&web->mhd);
}

static void resume(struct web_exchange *exchange) {
    if (!exchange->is_suspended) return;
    exchange->is_suspended = false;
    MHD_resume_connection(exchange->mhd);
    mhd_loop_kick(&exchange->web->mhd);
}

void web_cut(struct web_exchange *exchange) {
    exchange->is_cut = true;
    resume(exchange);
}

void web_answer(struct web_exchange *exchange, int status, const struct headers *headers, struct view body) {
    struct MHD_Response *response = MHD_create_response_from_buffer(
        body.len, (void *)(uintptr_t)(body.len ? body.ptr : ""), MHD_RESPMEM_MUST_COPY);
    if (!response) {
        web_cut(exchange);
        return;
    }
    for (size_t i = 0; headers && i < headers->count; i++)
        MHD_add_response_header(response, headers->fields[i].name.ptr, headers->fields[i].value.ptr);
    exchange->response = response;
    exchange->status = (unsigned)status;
    resume(exchange);
}

void web_answer_json(struct web_exchange *exchange, int status, struct view json) {
    struct arena arena;
    struct headers headers;
    arena_init(&arena, 4096);
    headers_init(&headers, &arena);
    headers_add(&headers, VIEW("content-type"), VIEW("application/json"));
    web_answer(exchange, status, &headers, json);
    arena_done(&arena);
}

void web_stop(struct web *web) {
    if (!web) return;
    for (struct list *node = web->exchanges.next; node != &web->exchanges; node = node->next)
        web_cut(LIST_ENTRY(node, struct web_exchange, node));
    MHD_run(web->mhd.daemon);
    mhd_loop_stop(&web->mhd);
}

void web_free(struct web *web) {
    free(web);
}
