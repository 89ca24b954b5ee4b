/* See http_client.h. libcurl tells which sockets to watch (uv_poll) and when to be called again (a timer);
 * completions are taken from its queue after each of these, never from inside a call of ours. */
#include "fetch/http_client.h"

#include <curl/curl.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/log.h"
#include "fetch/authorities.h"

enum {
    CONNECT_TIMEOUT_MS = 3000,
    CONNECTIONS_KEPT = 16,
    IDLE_MAX_S = 20, /* a connection that was not used for so long is not used again */
    HEADERS_MAX = 64 * 1024,
};

struct http_client {
    uv_loop_t *uv;
    struct timers *timers;
    struct authorities *authorities; /* NULL: libcurl's own */
    CURLM *multi;
    struct timer timer;
    struct list calls, sockets;
};

struct http_call {
    struct list node;
    struct http_client *client;
    CURL *easy;
    struct curl_slist *lines;
    char *body;
    size_t body_len;
    struct view unread; /* of the body */
    uint64_t timeout_ms;
    bool heard; /* something of an answer has come */
    bool again; /* this is the second try, on a connection of its own */
    struct arena arena;
    struct headers headers;
    struct buf answer;
    http_call_fn *done;
    void *ctx;
};

/* ---- sockets ---- */

struct socket_watch {
    struct list node;
    uv_poll_t poll;
    struct http_client *client;
    curl_socket_t fd;
};

static void take_completions(struct http_client *client);

static void on_ready(uv_poll_t *poll, int error, int events) {
    struct socket_watch *watch = poll->data;
    struct http_client *client = watch->client;
    int mask = error < 0 ? CURL_CSELECT_ERR : 0, running;
    if (events & UV_READABLE) mask |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE) mask |= CURL_CSELECT_OUT;
    curl_multi_socket_action(client->multi, watch->fd, mask, &running);
    take_completions(client);
}

static void on_watch_closed(uv_handle_t *handle) {
    free(handle->data);
}

static void watch_close(struct socket_watch *watch) {
    list_remove(&watch->node);
    uv_poll_stop(&watch->poll);
    uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
}

static struct socket_watch *watch_new(struct http_client *client, curl_socket_t fd) {
    struct socket_watch *watch = calloc(1, sizeof(*watch));
    if (!watch) return NULL;
    watch->client = client;
    watch->fd = fd;
    if (uv_poll_init(client->uv, &watch->poll, fd) != 0) {
        free(watch);
        return NULL;
    }
    watch->poll.data = watch;
    list_init(&watch->node);
    list_append(&client->sockets, &watch->node);
    curl_multi_assign(client->multi, fd, watch);
    return watch;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *assigned) {
    (void)easy;
    struct http_client *client = ctx;
    struct socket_watch *watch = assigned;
    if (what == CURL_POLL_REMOVE) {
        if (watch) watch_close(watch);
        curl_multi_assign(client->multi, fd, NULL);
        return 0;
    }
    if (!watch) watch = watch_new(client, fd);
    if (!watch) return -1;
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    return uv_poll_start(&watch->poll, events, on_ready) == 0 ? 0 : -1;
}

static void on_timer(struct timer *timer) {
    struct http_client *client = LIST_ENTRY(timer, struct http_client, timer);
    int running;
    curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    take_completions(client);
}

static int on_timeout_wanted(CURLM *multi, long timeout_ms, void *ctx) {
    (void)multi;
    struct http_client *client = ctx;
    if (timeout_ms < 0)
        timer_stop(client->timers, &client->timer);
    else if (!timer_start(client->timers, &client->timer, (uint64_t)timeout_ms))
        return -1;
    return 0;
}

/* ---- one call ---- */

static void call_free(struct http_call *call) {
    list_remove(&call->node);
    if (call->easy) curl_easy_cleanup(call->easy);
    curl_slist_free_all(call->lines);
    free(call->body);
    buf_done(&call->answer);
    arena_done(&call->arena);
    free(call);
}

static enum status status_of(CURLcode code, struct http_call *call) {
    switch (code) {
    case CURLE_OK: return STATUS_OK;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_PEER_FAILED_VERIFICATION: return STATUS_UNAVAILABLE;
    case CURLE_OPERATION_TIMEDOUT: {
        curl_off_t connected = 0; /* within the connection's own time: nothing was sent */
        curl_easy_getinfo(call->easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
        return connected > 0 ? STATUS_TIMEOUT : STATUS_UNAVAILABLE;
    }
    case CURLE_OUT_OF_MEMORY: return STATUS_NO_MEMORY;
    case CURLE_WRITE_ERROR: return STATUS_TOO_LARGE;
    default: return STATUS_GONE;
    }
}

/* Did a kept connection turn out to be dead, as after a thaw, before anything of an answer came? libcurl
 * tells by CURLE_SEND_FAIL_REWIND that it would have tried again itself. */
static bool was_dead(struct http_call *call, CURLcode code) {
    long connects = 0;
    curl_easy_getinfo(call->easy, CURLINFO_NUM_CONNECTS, &connects);
    if (call->heard) return false;
    return code == CURLE_SEND_FAIL_REWIND ||
           (connects == 0 &&
            (code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING));
}

/* The same call anew. libcurl 8 keeps in a handle that the body was to be rewound, and fails it for that
 * again. */
static bool renew(struct http_call *call) {
    CURL *easy = curl_easy_duphandle(call->easy);
    if (!easy) return false;
    curl_multi_remove_handle(call->client->multi, call->easy);
    curl_easy_cleanup(call->easy);
    call->easy = easy;
    call->unread = view_of(call->body, call->body_len);
    return true;
}

/* Once more, on a fresh connection and within the same time. */
static bool send_again(struct http_call *call, CURLcode code) {
    curl_off_t spent_us = 0;
    if (call->again || !was_dead(call, code)) return false;
    call->again = true;
    curl_easy_getinfo(call->easy, CURLINFO_TOTAL_TIME_T, &spent_us);
    uint64_t spent_ms = (uint64_t)spent_us / 1000;
    if (call->timeout_ms && spent_ms >= call->timeout_ms) return false;
    if (!renew(call)) return false;
    if (call->timeout_ms)
        curl_easy_setopt(call->easy, CURLOPT_TIMEOUT_MS, (long)(call->timeout_ms - spent_ms));
    curl_easy_setopt(call->easy, CURLOPT_FRESH_CONNECT, 1L);
    log_debug("http", "a kept connection was dead: once more on another");
    return curl_multi_add_handle(call->client->multi, call->easy) == CURLM_OK;
}

static void call_end(struct http_call *call, CURLcode code) {
    if (code != CURLE_OK && send_again(call, code)) return;
    long http_status = 0;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &http_status);
    enum status status = status_of(code, call);
    struct http_answer answer = {
        .status = (int)http_status, .headers = &call->headers, .body = buf_view(&call->answer)};
    if (status != STATUS_OK) log_debug("http", "%s", curl_easy_strerror(code));
    list_remove(&call->node);
    curl_multi_remove_handle(call->client->multi, call->easy);
    call->done(call->ctx, status, status == STATUS_OK ? &answer : NULL);
    call_free(call);
}

static void take_completions(struct http_client *client) {
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(client->multi, &left))) {
        if (message->msg != CURLMSG_DONE) continue;
        CURLcode code = message->data.result;
        char *private = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        call_end((struct http_call *)(void *)private, code);
    }
}

static size_t on_body(char *bytes, size_t size, size_t count, void *ctx) {
    struct http_call *call = ctx;
    return buf_append(&call->answer, bytes, size * count) ? size * count : 0;
}

/* A status line begins anew: a 100 may have come before. */
static size_t on_header(char *bytes, size_t size, size_t count, void *ctx) {
    struct http_call *call = ctx;
    struct view line = view_of(bytes, size * count);
    call->heard = true;
    while (line.len && (line.ptr[line.len - 1] == '\n' || line.ptr[line.len - 1] == '\r')) line.len--;
    size_t colon = view_find(line, ':');
    if (view_starts_with(line, VIEW("HTTP/"))) {
        arena_clear(&call->arena);
        headers_init(&call->headers, &call->arena);
    } else if (colon < line.len && !headers_add(&call->headers, view_slice(line, 0, colon),
                                                view_trim(view_skip(line, colon + 1)))) {
        return 0;
    }
    return size * count;
}

static bool add_line(struct http_call *call, struct view name, const char *separator, struct view value) {
    struct view line = arena_printf(&call->arena, "%.*s%s%.*s", VIEW_ARG(name), separator, VIEW_ARG(value));
    struct curl_slist *lines = line.ptr ? curl_slist_append(call->lines, line.ptr) : NULL;
    if (lines) call->lines = lines;
    return lines != NULL;
}

/* libcurl's own Accept, Expect and Content-Type are taken off. */
static bool set_headers(struct http_call *call, const struct headers *headers) {
    bool ok = add_line(call, VIEW("Accept"), ":", VIEW("")) && add_line(call, VIEW("Expect"), ":", VIEW(""));
    if (!headers || headers_count(headers, VIEW("content-type")) == 0)
        ok = ok && add_line(call, VIEW("Content-Type"), ":", VIEW(""));
    for (size_t i = 0; headers && i < headers->count && ok; i++)
        ok = add_line(call, headers->fields[i].name, headers->fields[i].value.len ? ": " : ";",
                      headers->fields[i].value);
    return ok && curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->lines) == CURLE_OK;
}

static size_t on_read(char *out, size_t size, size_t count, void *ctx) {
    struct http_call *call = ctx;
    size_t len = call->unread.len < size * count ? call->unread.len : size * count;
    memcpy(out, call->unread.ptr, len);
    call->unread = view_skip(call->unread, len);
    return len;
}

/* What libcurl cannot rewind it does not send again by itself, over and over: send_again() does, once. */
static bool set_body(struct http_call *call, struct view body) {
    if (!body.ptr) return true;
    call->body = view_to_cstr(body);
    call->body_len = body.len;
    call->unread = view_of(call->body, body.len);
    return call->body && curl_easy_setopt(call->easy, CURLOPT_POST, 1L) == CURLE_OK &&
           curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len) == CURLE_OK &&
           curl_easy_setopt(call->easy, CURLOPT_READFUNCTION, on_read) == CURLE_OK &&
           curl_easy_setopt(call->easy, CURLOPT_READDATA, call) == CURLE_OK;
}

static CURLcode on_ssl_context(CURL *easy, void *context, void *ctx) {
    X509_STORE *store = authorities_store(ctx);
    (void)easy;
    if (!store) return CURLE_SSL_CACERT_BADFILE;
    SSL_CTX_set1_cert_store(context, store);
    return CURLE_OK;
}

/* libcurl is to read none itself. Where it does not let us, nobody is trusted. */
static void set_authorities(struct http_call *call) {
    curl_easy_setopt(call->easy, CURLOPT_CAINFO, NULL);
    curl_easy_setopt(call->easy, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(call->easy, CURLOPT_SSL_CTX_FUNCTION, on_ssl_context);
    curl_easy_setopt(call->easy, CURLOPT_SSL_CTX_DATA, (void *)call->client->authorities);
}

static bool set_options(struct http_call *call, const struct http_call_request *request) {
    CURL *easy = call->easy;
    struct view method = arena_copy(&call->arena, request->method);
    struct view url = arena_copy(&call->arena, request->url);
    if (!url.ptr || !method.ptr) return false;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, (void *)call);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)IDLE_MAX_S);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
    if (call->client->authorities) set_authorities(call);
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_URL, url.ptr) == CURLE_OK && set_body(call, request->body) &&
           (view_eq(request->method, VIEW("GET")) ||
            curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method.ptr) == CURLE_OK) &&
           set_headers(call, request->headers);
}

struct http_call *http_client_start(struct http_client *client, const struct http_call_request *request,
                                    http_call_fn *done, void *ctx) {
    struct http_call *call = calloc(1, sizeof(*call));
    if (!call) return NULL;
    call->client = client;
    call->done = done;
    call->ctx = ctx;
    call->timeout_ms = request->timeout_ms;
    list_init(&call->node);
    arena_init(&call->arena, HEADERS_MAX);
    headers_init(&call->headers, &call->arena);
    buf_init(&call->answer, request->answer_max);
    call->easy = curl_easy_init();
    if (!call->easy || !set_options(call, request) ||
        curl_multi_add_handle(client->multi, call->easy) != CURLM_OK) {
        call_free(call);
        return NULL;
    }
    list_append(&client->calls, &call->node);
    return call;
}

void http_call_cancel(struct http_call *call) {
    curl_multi_remove_handle(call->client->multi, call->easy);
    call_free(call);
}

/* ---- life ---- */

const char *http_client_library(void) {
    static char text[32];
    snprintf(text, sizeof(text), "libcurl %s", curl_version_info(CURLVERSION_NOW)->version);
    return text;
}

struct http_client *http_client_new(uv_loop_t *uv, struct timers *timers, struct authorities *authorities) {
    struct http_client *client = calloc(1, sizeof(*client));
    if (!client) return NULL;
    client->uv = uv;
    client->timers = timers;
    client->authorities = authorities;
    timer_init(&client->timer, on_timer);
    list_init(&client->calls);
    list_init(&client->sockets);
    client->multi = curl_multi_init();
    if (!client->multi) {
        free(client);
        return NULL;
    }
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_timeout_wanted);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
    curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
    return client;
}

void http_client_free(struct http_client *client) {
    if (!client) return;
    for (struct list *node; (node = client->calls.next) != &client->calls;)
        http_call_cancel(LIST_ENTRY(node, struct http_call, node));
    curl_multi_cleanup(client->multi);
    for (struct list *node; (node = client->sockets.next) != &client->sockets;)
        watch_close(LIST_ENTRY(node, struct socket_watch, node));
    timer_stop(client->timers, &client->timer);
    free(client);
}
