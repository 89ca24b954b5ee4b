/* See admin.h. A second small libmicrohttpd daemon on the same loop. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "admin/admin_state.h"
#include "admin/api.h"
#include "admin/status_page.h"
#include "base/log.h"
#include "http/host.h"

#define IDLE_SECONDS 10
#define WATCHED_MS 60000
#define PAGE_BYTES_MAX ((size_t)1024 * 1024)

enum MHD_Result admin_answer_response(struct MHD_Connection *connection, unsigned status, const char *type,
                                      struct MHD_Response *response, const char *policy) {
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Content-Security-Policy",
                            policy ? policy : "default-src 'none'; frame-ancestors 'none'");
    enum MHD_Result queued = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return queued;
}

enum MHD_Result admin_answer_with(struct MHD_Connection *connection, unsigned status, const char *type,
                                  struct view body, const char *policy) {
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body.len, (void *)(uintptr_t)body.ptr, MHD_RESPMEM_MUST_COPY);
    return response ? admin_answer_response(connection, status, type, response, policy) : MHD_NO;
}

enum MHD_Result admin_answer(struct MHD_Connection *connection, unsigned status, const char *type,
                             struct view body) {
    return admin_answer_with(connection, status, type, body, NULL);
}

enum MHD_Result admin_say(struct MHD_Connection *connection, unsigned status, const char *text) {
    return admin_answer(connection, status, ADMIN_PLAIN, view_from_cstr(text));
}

struct view admin_argument(struct MHD_Connection *connection, const char *name) {
    const char *text = NULL;
    size_t len = 0; /* a value may have a NUL in it */
    MHD_lookup_connection_value_n(connection, MHD_GET_ARGUMENT_KIND, name, strlen(name), &text, &len);
    return view_of(text, text ? len : 0);
}

const struct client *admin_client(struct MHD_Connection *connection) {
    static const struct client nobody = {.text = "?"};
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info && info->socket_context ? info->socket_context : &nobody;
}

static enum MHD_Result answer_ready(struct admin *admin, struct MHD_Connection *connection) {
    admin->ready_asked_ms = loop_now(admin->mhd.loop);
    char text[64];
    switch (admin->state) {
    case ADMIN_READY:
        snprintf(text, sizeof(text), "ready\n%s%s%s", admin->degraded ? "degraded: " : "",
                 admin->degraded ? admin->degraded : "", admin->degraded ? "\n" : "");
        return admin_say(connection, MHD_HTTP_OK, text);
    case ADMIN_STARTING: return admin_say(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "starting\n");
    case ADMIN_DRAINING: break;
    }
    return admin_say(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "draining\n");
}

static enum MHD_Result answer_page(const struct admin_page *page, struct MHD_Connection *connection) {
    struct buf text;
    buf_init(&text, PAGE_BYTES_MAX);
    const char *accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
    const char *type = page->print(page->ctx, view_from_cstr(accept), &text);
    enum MHD_Result queued = type ? admin_answer(connection, MHD_HTTP_OK, type, buf_view(&text)) : MHD_NO;
    buf_done(&text);
    return queued;
}

/* What MHD keeps of a request: that it has been seen, or what it waits for. */
static int seen;

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data, size_t *size,
                                  void **request) {
    (void)version, (void)data;
    struct admin *admin = ctx;
    if (*request == NULL) { /* an answer in the first call would close the connection */
        *request = &seen;
        return MHD_YES;
    }
    if (*request != &seen) return waiting_reply(*request, connection);
    if (*size) {
        *size = 0;
        return MHD_YES;
    }
    const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
    if (!admin->any_host && !host_is_this_machine(host))
        return admin_say(connection, MHD_HTTP_MISDIRECTED_REQUEST,
                         "The admin port answers to localhost only.\n");
    if (admin->api && api_has(url)) return api_request(admin->api, connection, url, method, request);
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return admin_say(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET and HEAD only.\n");
    if (strcmp(url, "/") == 0 && admin->api) return status_page_answer(connection);
    if (strcmp(url, "/healthz") == 0) return admin_say(connection, MHD_HTTP_OK, "ok\n");
    if (strcmp(url, "/readyz") == 0) return answer_ready(admin, connection);
    if (strcmp(url, "/api/v1/tls-ask") == 0 && admin->core) {
        struct waiting *waiting = tls_ask_new(admin, connection);
        if (waiting) *request = waiting;
        return waiting ? MHD_YES : MHD_NO;
    }
    for (size_t i = 0; i < admin->page_count; i++)
        if (strcmp(url, admin->pages[i].path) == 0) return answer_page(&admin->pages[i], connection);
    return admin_say(connection, MHD_HTTP_NOT_FOUND, "Not found.\n");
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **request,
                         enum MHD_RequestTerminationCode code) {
    (void)ctx, (void)connection, (void)code;
    if (*request && *request != &seen) waiting_end(*request);
    *request = NULL;
}

static void release(struct admin *admin, struct client *client) {
    if (client && client != &admin->owner) client_release(client);
}

static void on_connection(void *ctx, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code) {
    (void)connection;
    struct admin *admin = ctx;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *socket_context = admin->accepting;
        admin->accepting = NULL;
    } else {
        release(admin, *socket_context);
        *socket_context = NULL;
    }
}

struct admin *admin_new(struct loop *loop, bool any_host) {
    struct admin *admin = calloc(1, sizeof(*admin));
    if (!admin) return NULL;
    admin->any_host = any_host;
    list_init(&admin->waiting);
    snprintf(admin->owner.text, sizeof(admin->owner.text), "socket");
    struct MHD_Daemon *daemon =
        MHD_start_daemon(MHD_LOOP_FLAGS, 0, NULL, NULL, on_request, admin, MHD_OPTION_EXTERNAL_LOGGER,
                         mhd_loop_log, NULL, MHD_OPTION_NOTIFY_CONNECTION, on_connection, admin,
                         MHD_OPTION_NOTIFY_COMPLETED, on_completed, admin, MHD_OPTION_CONNECTION_TIMEOUT,
                         (unsigned)IDLE_SECONDS, MHD_OPTION_CONNECTION_LIMIT, 64u, MHD_OPTION_END);
    if (daemon && mhd_loop_start(&admin->mhd, loop, daemon)) return admin;
    log_error("admin", "libmicrohttpd does not start");
    abort();
}

void admin_set_core(struct admin *admin, struct core *core) {
    admin->core = core;
}

void admin_set_state(struct admin *admin, enum admin_state state) {
    admin->state = state;
}

void admin_add_page(struct admin *admin, const char *path, admin_page_fn *print, void *ctx) {
    if (admin->page_count == ADMIN_PAGES_MAX) abort();
    admin->pages[admin->page_count++] = (struct admin_page){path, print, ctx};
}

bool admin_is_watched(const struct admin *admin) {
    return admin->ready_asked_ms && loop_now(admin->mhd.loop) - admin->ready_asked_ms < WATCHED_MS;
}

void admin_set_degraded(struct admin *admin, const char *what) {
    admin->degraded = what;
}

void admin_accept(void *ctx, int fd, struct client *client, const struct sockaddr *address, socklen_t len) {
    struct admin *admin = ctx;
    admin->accepting = client;
    MHD_add_connection(admin->mhd.daemon, fd, address, len);
    release(admin, admin->accepting);
    admin->accepting = NULL;
    mhd_loop_kick(&admin->mhd);
}

void admin_accept_owner(struct admin *admin, int fd) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    admin_accept(admin, fd, &admin->owner, (const struct sockaddr *)&address, sizeof(address));
}

void admin_set_api(struct admin *admin, struct api *api) {
    admin->api = api;
}

void admin_stop(struct admin *admin) {
    if (!admin) return;
    waitings_stop(admin);
    api_stop(admin->api);
    MHD_run(admin->mhd.daemon); /* nothing may be suspended when it stops */
    mhd_loop_stop(&admin->mhd);
}

void admin_free(struct admin *admin) {
    if (admin) waitings_free(admin);
    free(admin);
}
