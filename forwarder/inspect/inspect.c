/* See inspect.h. */
#include <errno.h>
#include <stdlib.h>

#include "base/platform.h"
#include "inspect/inspect_state.h"
#include "inspect/page.h"
#include "metrics/metrics.h"
#include "protocol/json_text.h"

#define IDLE_SECONDS 30u
#define CONNECTIONS_MAX 64u
#define BODIES_MAX ((size_t)16 * 1024 * 1024) /* of all requests that come, but what is small */
#define BODY_SMALL ((size_t)64 * 1024) /* always has room, so that who sends large ones keeps none out */
#define UNREAD_MAX ((size_t)32 * 1024 * 1024)

/* ---- what is told of requests ---- */

uint64_t record_request(struct inspect *inspect, const struct watch_request *request) {
    follow_tell(inspect);
    return store_request(&inspect->store, request, loop_wall_ms(NULL), loop_now(inspect->loop));
}

void record_request_body(struct inspect *inspect, uint64_t id, struct view data) {
    store_request_body(&inspect->store, id, data);
    follow_tell(inspect);
}

void record_answer(struct inspect *inspect, uint64_t id, int status, const struct headers *headers) {
    store_answer(&inspect->store, id, status, headers, loop_now(inspect->loop));
    follow_tell(inspect);
}

void record_answer_body(struct inspect *inspect, uint64_t id, struct view data) {
    store_answer_body(&inspect->store, id, data);
    follow_tell(inspect);
}

void record_end(struct inspect *inspect, uint64_t id, const struct watch_end *end) {
    store_end(&inspect->store, id, end, loop_now(inspect->loop));
    follow_tell(inspect);
}

static uint64_t on_watch_request(void *ctx, const struct watch_request *request) {
    struct inspect *inspect = ctx;
    uint64_t id = record_request(inspect, request);
    if (id) traffic_begin(&inspect->traffic, request, loop_now(inspect->loop));
    return id;
}

static void on_watch_request_body(void *ctx, uint64_t id, struct view data) {
    metrics_add(METRIC_AGENT_REQUEST_BYTES, 0, data.len);
    record_request_body(ctx, id, data);
}

static void on_watch_answer(void *ctx, uint64_t id, int status, const struct headers *headers) {
    record_answer(ctx, id, status, headers);
}

static void on_watch_answer_body(void *ctx, uint64_t id, struct view data) {
    metrics_add(METRIC_AGENT_RESPONSE_BYTES, 0, data.len);
    record_answer_body(ctx, id, data);
}

static void on_watch_end(void *ctx, uint64_t id, const struct watch_end *end) {
    struct inspect *inspect = ctx;
    traffic_end(&inspect->traffic, end);
    record_end(inspect, id, end);
}

const struct watch *inspect_watch(const struct inspect *inspect) {
    return &inspect->watch;
}

/* ---- answers ---- */

static enum MHD_Result queue(struct MHD_Connection *connection, unsigned status, const char *type,
                             struct MHD_Response *response) {
    if (!response) return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "X-Frame-Options", "DENY");
    MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
    MHD_add_response_header(response, "Cross-Origin-Resource-Policy", "same-origin");
    MHD_add_response_header(response, "Content-Security-Policy",
                            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
                            "img-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    if (status == MHD_HTTP_UNAUTHORIZED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
                                "Basic realm=\"the inspector of ttf\", charset=\"UTF-8\"");
    if (status == MHD_HTTP_TOO_MANY_REQUESTS)
        MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "60");
    enum MHD_Result queued = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return queued;
}

enum MHD_Result inspect_answer(struct MHD_Connection *connection, unsigned status, const char *type,
                               struct buf *body) {
    size_t len;
    if (body->failed) {
        buf_done(body);
        return MHD_NO;
    }
    char *bytes = buf_take(body, &len);
    return queue(connection, status, type,
                 MHD_create_response_from_buffer(len, bytes, MHD_RESPMEM_MUST_FREE));
}

struct large {
    struct inspect *inspect;
    size_t len;
    char *bytes;
};

static void on_large_left(void *ctx) {
    struct large *large = ctx;
    large->inspect->unread_bytes -= large->len;
    free(large->bytes);
    free(large);
}

bool inspect_is_unread(const struct inspect *inspect) {
    return inspect->unread_bytes >= UNREAD_MAX;
}

enum MHD_Result inspect_answer_large(struct inspect *inspect, struct MHD_Connection *connection,
                                     struct buf *body) {
    struct large *large = body->failed ? NULL : calloc(1, sizeof(*large));
    if (!large) {
        buf_done(body);
        return MHD_NO;
    }
    large->inspect = inspect;
    large->bytes = buf_take(body, &large->len);
    inspect->unread_bytes += large->len;
    struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback_cls(
        large->len, large->bytes, on_large_left, large);
    if (!response) on_large_left(large);
    return queue(connection, MHD_HTTP_OK, API_JSON, response);
}

enum MHD_Result inspect_refuse(struct MHD_Connection *connection, unsigned status, const char *why) {
    struct buf body;
    buf_init(&body, 4096);
    buf_printf(&body, "{\"error_code\":%u,\"status_code\":%u,\"msg\":", status, status);
    json_text_string(&body, view_from_cstr(why));
    buf_printf(&body, ",\"details\":{\"err\":");
    json_text_string(&body, view_from_cstr(why));
    buf_printf(&body, "}}\n");
    return inspect_answer(connection, status, "application/json", &body);
}

/* ---- requests ---- */

enum MHD_Result inspect_hold(struct ask *ask, uint64_t most_ms, bool (*is_over)(void *ask)) {
    if (ask->inspect->is_stopping) return MHD_NO; /* nothing may be suspended any more */
    ask->is_held = true;
    ask->hold.is_over = is_over;
    ask->hold.ctx = ask;
    hold_begin(&ask->inspect->holds, &ask->hold, most_ms);
    return MHD_YES;
}

static enum MHD_Result answer(struct inspect *inspect, struct MHD_Connection *connection, const char *method,
                              const char *path, struct ask *ask) {
    const struct guard_fault *fault = &ask->fault;
    if (fault->delay_ms && !ask->is_held) return inspect_hold(ask, fault->delay_ms, NULL);
    if (fault->status) return inspect_refuse(connection, fault->status, fault->why);
    if (ask->is_too_large)
        return inspect_refuse(connection, MHD_HTTP_CONTENT_TOO_LARGE,
                              "more than 2 MiB, or too much comes at once");
    for (size_t i = 0; i < page_files_count; i++) {
        const struct page_file *file = &page_files[i];
        if (strcmp(path, file->path) != 0) continue;
        return queue(connection, MHD_HTTP_OK, file->type,
                     MHD_create_response_from_buffer(file->len, (void *)(uintptr_t)file->bytes,
                                                     MHD_RESPMEM_PERSISTENT));
    }
    if (strcmp(path, "/api/inspect/events") == 0) return follow_answer(inspect, connection);
    if (strncmp(path, "/api/", 5) == 0) return api_answer(inspect, connection, method, path, ask);
    if (strcmp(path, "/metrics") == 0) return metrics_answer(inspect, connection);
    return inspect_refuse(connection, MHD_HTTP_NOT_FOUND, "there is no such page");
}

static struct ask *ask_new(struct inspect *inspect, struct MHD_Connection *connection, const char *method) {
    struct ask *ask = calloc(1, sizeof(*ask));
    if (!ask) return NULL;
    buf_init(&ask->body, INSPECT_BODY_MAX);
    ask->inspect = inspect;
    hold_init(&ask->hold);
    ask->hold.connection = connection;
    ask->fault = guard_look(&inspect->guard, connection, method, loop_now(inspect->loop));
    return ask;
}

static void drop_body(struct ask *ask) {
    ask->inspect->bodies_bytes -= ask->body.len;
    buf_done(&ask->body);
}

static void keep_body(struct ask *ask, struct view data) {
    struct inspect *inspect = ask->inspect;
    bool has_room = ask->body.len + data.len <= BODY_SMALL || inspect->bodies_bytes + data.len <= BODIES_MAX;
    bool fits = has_room && buf_append_view(&ask->body, data);
    if (fits) {
        inspect->bodies_bytes += data.len;
        return;
    }
    drop_body(ask);
    ask->is_too_large = true;
}

/* An answer in the first call would close the connection. Nothing is kept of who is refused. */
static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data, size_t *size,
                                  void **request) {
    (void)version;
    struct ask *ask = *request;
    if (!ask) {
        *request = ask_new(ctx, connection, method);
        return *request ? MHD_YES : MHD_NO;
    }
    if (!*size) return answer(ctx, connection, method, url, ask);
    if (!ask->fault.status && !ask->is_too_large) keep_body(ask, view_of(data, *size));
    *size = 0;
    return MHD_YES;
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **request,
                         enum MHD_RequestTerminationCode code) {
    (void)ctx, (void)connection, (void)code;
    struct ask *ask = *request;
    if (ask) hold_done(&ask->hold);
    if (ask) drop_body(ask);
    free(ask);
    *request = NULL;
}

/* ---- life ---- */

static bool start(struct inspect *inspect, int fd) {
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_LOOP_FLAGS & ~(unsigned)MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, on_request, inspect,
        MHD_OPTION_EXTERNAL_LOGGER, mhd_loop_log, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, inspect, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS,
        MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        inspect->guard.is_loopback ? 0 : CONNECTIONS_MAX / 2, MHD_OPTION_END);
    if (daemon && mhd_loop_start(&inspect->mhd, inspect->loop, daemon)) return true;
    if (daemon) MHD_stop_daemon(daemon);
    return false;
}

static struct watch watch_of(struct inspect *inspect) {
    return (struct watch){.ctx = inspect,
                          .request = on_watch_request,
                          .request_body = on_watch_request_body,
                          .answer = on_watch_answer,
                          .answer_body = on_watch_answer_body,
                          .end = on_watch_end};
}

static struct inspect *make(struct loop *loop, const struct inspect_settings *settings, const char *url) {
    struct inspect *inspect = calloc(1, sizeof(*inspect));
    if (!inspect) return NULL;
    inspect->loop = loop;
    follow_init(inspect);
    holds_init(&inspect->holds, loop, &inspect->mhd);
    list_init(&inspect->replays);
    traffic_init(&inspect->traffic);
    store_init(&inspect->store, settings->memory_bytes);
    inspect->watch = watch_of(inspect);
    if (guard_init(&inspect->guard, url, settings->login, settings->place.is_loopback)) {
        snprintf(inspect->url, sizeof(inspect->url), "%s%s%s", url, inspect->guard.key[0] ? "#" : "",
                 inspect->guard.key);
        return inspect;
    }
    free(inspect);
    return NULL;
}

struct inspect *inspect_new(struct loop *loop, const struct inspect_settings *settings, char *error,
                            size_t error_size) {
    char url[64];
    int fd = inspect_place_listen(&settings->place, url, sizeof(url));
    if (fd < 0) {
        snprintf(error, error_size, "the inspector finds no free port from %u on: %s", settings->place.port,
                 strerror(errno));
        return NULL;
    }
    struct inspect *inspect = make(loop, settings, url);
    if (inspect && start(inspect, fd)) return inspect;
    snprintf(error, error_size, "the inspector does not start");
    platform_close_socket(fd);
    inspect_free(inspect);
    return NULL;
}

void inspect_set_tunnels(struct inspect *inspect, const struct inspect_tunnels *tunnels) {
    inspect->tunnels = *tunnels;
}

const char *inspect_url(const struct inspect *inspect) {
    return inspect->url;
}

void inspect_stop(struct inspect *inspect) {
    if (!inspect) return;
    inspect->tunnels = (struct inspect_tunnels){0};
    replays_stop(inspect);
    follow_stop(inspect);
    holds_stop(&inspect->holds);
    MHD_run(inspect->mhd.daemon); /* nothing may be suspended when it stops */
    mhd_loop_stop(&inspect->mhd);
}

void inspect_free(struct inspect *inspect) {
    if (inspect) store_done(&inspect->store);
    if (inspect) guard_done(&inspect->guard);
    if (inspect) traffic_done(&inspect->traffic);
    free(inspect);
}
