/* See inspect.h. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/ids.h"
#include "base/log.h"
#include "http/host.h"
#include "inspect/inspect_state.h"
#include "inspect/page.h"
#include "protocol/json_text.h"

#define PORTS_TRIED 20
#define IDLE_SECONDS 30u
#define CONNECTIONS_MAX 64u

/* ---- what is told of requests ---- */

static uint64_t on_watch_request(void *ctx, const struct watch_request *request) {
    struct inspect *inspect = ctx;
    follow_tell(inspect);
    return store_request(&inspect->store, request, loop_wall_ms(NULL), loop_now(inspect->loop));
}

static void on_watch_request_body(void *ctx, uint64_t id, struct view data) {
    struct inspect *inspect = ctx;
    store_request_body(&inspect->store, id, data);
    follow_tell(inspect);
}

static void on_watch_answer(void *ctx, uint64_t id, int status, const struct headers *headers) {
    struct inspect *inspect = ctx;
    store_answer(&inspect->store, id, status, headers, loop_now(inspect->loop));
    follow_tell(inspect);
}

static void on_watch_answer_body(void *ctx, uint64_t id, struct view data) {
    struct inspect *inspect = ctx;
    store_answer_body(&inspect->store, id, data);
    follow_tell(inspect);
}

static void on_watch_end(void *ctx, uint64_t id, const struct watch_end *end) {
    struct inspect *inspect = ctx;
    store_end(&inspect->store, id, end, loop_now(inspect->loop));
    follow_tell(inspect);
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

/* ---- who may ask ---- */

static const char *field(struct MHD_Connection *connection, const char *name) {
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static bool is_own_origin(const char *origin, const char *host) {
    return strncmp(origin, "http://", 7) == 0 && strcmp(origin + 7, host) == 0;
}

/* In a time that does not depend on the guess. */
static bool is_key(const struct inspect *inspect, const char *text) {
    unsigned char differs = 0;
    if (!text || strlen(text) != INSPECT_KEY_LEN) return false;
    for (size_t i = 0; i < INSPECT_KEY_LEN; i++) differs |= (unsigned char)(text[i] ^ inspect->key[i]);
    return differs == 0;
}

/* NULL, or why not. Programs (no Origin) say what they write in JSON, which no form of a page can do. */
static const char *write_fault(const struct inspect *inspect, struct MHD_Connection *connection,
                               const char *method) {
    const char *type = field(connection, MHD_HTTP_HEADER_CONTENT_TYPE);
    bool is_post = strcmp(method, "DELETE") != 0;
    if (is_key(inspect, field(connection, "X-Inspect-Key"))) return NULL;
    if (field(connection, MHD_HTTP_HEADER_ORIGIN)) return "a page needs the key of the inspector's URL";
    if (is_post && (!type || strncasecmp(type, "application/json", 16) != 0))
        return "the body must be application/json";
    return NULL;
}

static const char *fault(const struct inspect *inspect, struct MHD_Connection *connection, const char *method,
                         unsigned *ret_status) {
    const char *host = field(connection, MHD_HTTP_HEADER_HOST), *site = field(connection, "Sec-Fetch-Site");
    const char *origin = field(connection, MHD_HTTP_HEADER_ORIGIN);
    *ret_status = MHD_HTTP_MISDIRECTED_REQUEST;
    if (!host_is_this_machine(host)) return "the inspector answers to localhost only";
    *ret_status = MHD_HTTP_FORBIDDEN;
    if (origin && !is_own_origin(origin, host)) return "the inspector answers no page but its own";
    if (site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0 && origin)
        return "the inspector answers no page but its own";
    if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0) return NULL;
    *ret_status = MHD_HTTP_METHOD_NOT_ALLOWED;
    if (strcmp(method, "POST") != 0 && strcmp(method, "DELETE") != 0)
        return "GET, HEAD, POST and DELETE only";
    *ret_status = MHD_HTTP_FORBIDDEN;
    return write_fault(inspect, connection, method);
}

/* ---- requests ---- */

struct ask {
    struct buf body;
    bool is_too_large;
};

static enum MHD_Result answer(struct inspect *inspect, struct MHD_Connection *connection, const char *method,
                              const char *path, const struct ask *ask) {
    unsigned status;
    const char *why = fault(inspect, connection, method, &status);
    if (why) return inspect_refuse(connection, status, why);
    if (ask->is_too_large) return inspect_refuse(connection, MHD_HTTP_CONTENT_TOO_LARGE, "more than 2 MiB");
    for (size_t i = 0; i < page_files_count; i++) {
        const struct page_file *file = &page_files[i];
        if (strcmp(path, file->path) != 0) continue;
        return queue(connection, MHD_HTTP_OK, file->type,
                     MHD_create_response_from_buffer(file->len, (void *)(uintptr_t)file->bytes,
                                                     MHD_RESPMEM_PERSISTENT));
    }
    if (strcmp(path, "/api/inspect/events") == 0) return follow_answer(inspect, connection);
    if (strncmp(path, "/api/", 5) == 0)
        return api_answer(inspect, connection, method, path, buf_view(&ask->body));
    return inspect_refuse(connection, MHD_HTTP_NOT_FOUND, "there is no such page");
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data, size_t *size,
                                  void **request) {
    (void)version;
    struct ask *ask = *request;
    if (!ask) { /* an answer in the first call would close the connection */
        *request = ask = calloc(1, sizeof(*ask));
        if (ask) buf_init(&ask->body, INSPECT_BODY_MAX);
        return ask ? MHD_YES : MHD_NO;
    }
    if (!*size) return answer(ctx, connection, method, url, ask);
    if (!buf_append(&ask->body, data, *size)) ask->is_too_large = true;
    *size = 0;
    return MHD_YES;
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **request,
                         enum MHD_RequestTerminationCode code) {
    (void)ctx, (void)connection, (void)code;
    struct ask *ask = *request;
    if (ask) buf_done(&ask->body);
    free(ask);
    *request = NULL;
}

/* ---- life ---- */

static int listen_at(uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int yes = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0) return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 32) == 0) return fd;
    close(fd);
    return -1;
}

static int listen_near(uint16_t *port) {
    uint16_t first = *port;
    for (unsigned i = 0; i <= PORTS_TRIED && first + i <= UINT16_MAX; i++) {
        *port = (uint16_t)(first + i);
        int fd = listen_at(*port);
        if (fd >= 0) return fd;
    }
    return -1;
}

static bool start(struct inspect *inspect, int fd) {
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_LOOP_FLAGS & ~(unsigned)MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, on_request, inspect,
        MHD_OPTION_EXTERNAL_LOGGER, mhd_loop_log, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, inspect, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS,
        MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_END);
    if (daemon && mhd_loop_start(&inspect->mhd, inspect->loop, daemon)) return true;
    if (daemon) MHD_stop_daemon(daemon);
    return false;
}

static void make_key(struct inspect *inspect) {
    char part[TUNNEL_ID_LEN + 1];
    for (size_t at = 0; at < INSPECT_KEY_LEN; at += TUNNEL_ID_LEN) {
        ids_tunnel(part);
        memcpy(inspect->key + at, part, TUNNEL_ID_LEN);
    }
}

struct inspect *inspect_new(struct loop *loop, uint16_t port, size_t memory_bytes, char *error,
                            size_t error_size) {
    uint16_t first = port;
    int fd = listen_near(&port);
    struct inspect *inspect = fd < 0 ? NULL : calloc(1, sizeof(*inspect));
    snprintf(error, error_size, "the inspector finds no free port from %u on", first);
    if (!inspect) {
        if (fd >= 0) close(fd);
        return NULL;
    }
    inspect->loop = loop;
    follow_init(inspect);
    list_init(&inspect->replays);
    store_init(&inspect->store, memory_bytes);
    inspect->started_wall_ms = loop_wall_ms(NULL);
    inspect->watch = (struct watch){.ctx = inspect,
                                    .request = on_watch_request,
                                    .request_body = on_watch_request_body,
                                    .answer = on_watch_answer,
                                    .answer_body = on_watch_answer_body,
                                    .end = on_watch_end};
    make_key(inspect);
    snprintf(inspect->url, sizeof(inspect->url), "http://127.0.0.1:%u/#%s", port, inspect->key);
    if (start(inspect, fd)) return inspect;
    snprintf(error, error_size, "the inspector does not start");
    close(fd);
    free(inspect);
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
    MHD_run(inspect->mhd.daemon); /* nothing may be suspended when it stops */
    mhd_loop_stop(&inspect->mhd);
}

void inspect_free(struct inspect *inspect) {
    if (inspect) store_done(&inspect->store);
    free(inspect);
}
