/* See websocket.h. libcurl makes the connection as one of the client's transfers; afterwards the socket is
 * watched here, and frames are read and written with curl_ws_recv() and curl_ws_send(). */
#include "aws/websocket.h"

#include <stdlib.h>

#include "aws/http_client_state.h"
#include "base/buf.h"
#include "base/log.h"

enum { READ_MAX = 16 * 1024 };

struct websocket {
    struct http_transfer transfer;
    struct http_client *client;
    CURL *easy;
    uv_poll_t *poll; /* NULL: not open */
    struct buf incoming;
    struct websocket_events events;
    void *ctx;
    bool closed, inside; /* inside: in our own reading, which frees at its end */
};

bool websocket_available(void) {
    const curl_version_info_data *version = curl_version_info(CURLVERSION_NOW);
    for (const char *const *name = version->protocols; *name; name++)
        if (strcmp(*name, "wss") == 0) return true;
    return false;
}

static void on_poll_closed(uv_handle_t *handle) {
    free(handle);
}

static void stop_watching(struct websocket *websocket) {
    if (!websocket->poll) return;
    uv_poll_stop(websocket->poll);
    uv_close((uv_handle_t *)websocket->poll, on_poll_closed);
    websocket->poll = NULL;
}

static void websocket_free(struct websocket *websocket) {
    stop_watching(websocket);
    if (websocket->easy) {
        curl_multi_remove_handle(websocket->client->multi, websocket->easy);
        curl_easy_cleanup(websocket->easy);
    }
    buf_done(&websocket->incoming);
    free(websocket);
}

void websocket_close(struct websocket *websocket) {
    if (!websocket) return;
    websocket->closed = true;
    if (!websocket->inside) websocket_free(websocket);
}

static void tell_end(struct websocket *websocket) {
    stop_watching(websocket);
    if (!websocket->closed) websocket->events.on_end(websocket->ctx);
}

/* One piece of a frame. False: there is none, or the end was told. */
static bool read_piece(struct websocket *websocket) {
    char bytes[READ_MAX];
    size_t len = 0;
    const struct curl_ws_frame *frame = NULL;
    void *ret_frame = &frame; /* its type has changed between versions of libcurl */
    CURLcode code = curl_ws_recv(websocket->easy, bytes, sizeof bytes, &len, ret_frame);
    if (code == CURLE_AGAIN) return false;
    if (code != CURLE_OK || !frame || (frame->flags & CURLWS_CLOSE) ||
        !buf_append(&websocket->incoming, bytes, (frame->flags & (CURLWS_PING | CURLWS_PONG)) ? 0 : len)) {
        tell_end(websocket);
        return false;
    }
    bool whole = frame->bytesleft == 0 && (frame->flags & CURLWS_TEXT) && !(frame->flags & CURLWS_CONT);
    if (!whole) return true;
    websocket->events.on_message(websocket->ctx, buf_view(&websocket->incoming));
    buf_clear(&websocket->incoming);
    return !websocket->closed;
}

void websocket_look(struct websocket *websocket) {
    if (!websocket->poll || websocket->inside) return;
    websocket->inside = true;
    while (websocket->poll && read_piece(websocket)) continue;
    websocket->inside = false;
    if (websocket->closed) websocket_free(websocket);
}

static void on_readable(uv_poll_t *poll, int error, int events) {
    (void)error; /* reading finds it too */
    (void)events;
    websocket_look(poll->data);
}

static bool watch(struct websocket *websocket) {
    curl_socket_t fd = CURL_SOCKET_BAD;
    uv_poll_t *poll = calloc(1, sizeof *poll);
    if (!poll) return false;
    if (curl_easy_getinfo(websocket->easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK || fd == CURL_SOCKET_BAD ||
        uv_poll_init(websocket->client->uv, poll, fd) != 0) {
        free(poll);
        return false;
    }
    poll->data = websocket;
    websocket->poll = poll;
    return uv_poll_start(poll, UV_READABLE, on_readable) == 0;
}

static void on_connected(struct http_transfer *transfer, CURLcode code) {
    struct websocket *websocket = LIST_ENTRY(transfer, struct websocket, transfer);
    if (code != CURLE_OK) log_debug("websocket", "%s", curl_easy_strerror(code));
    websocket->inside = true;
    if (code == CURLE_OK && watch(websocket))
        websocket->events.on_open(websocket->ctx);
    else
        tell_end(websocket);
    websocket->inside = false;
    if (websocket->closed)
        websocket_free(websocket);
    else
        websocket_look(websocket); /* what came along with the handshake wakes nobody */
}

bool websocket_send(struct websocket *websocket, struct view text) {
    size_t sent = 0;
    return websocket->poll &&
           curl_ws_send(websocket->easy, text.ptr, text.len, &sent, 0, CURLWS_TEXT) == CURLE_OK &&
           sent == text.len;
}

struct websocket *websocket_open(struct http_client *client, struct view url, uint64_t timeout_ms,
                                 size_t message_max, const struct websocket_events *events, void *ctx) {
    struct websocket *websocket = calloc(1, sizeof *websocket);
    char *text = view_to_cstr(url);
    if (!websocket || !text) goto fail;
    *websocket =
        (struct websocket){.transfer = {on_connected}, .client = client, .events = *events, .ctx = ctx};
    buf_init(&websocket->incoming, message_max);
    websocket->easy = curl_easy_init();
    if (!websocket->easy) goto fail;
    curl_easy_setopt(websocket->easy, CURLOPT_PRIVATE, (void *)&websocket->transfer);
    curl_easy_setopt(websocket->easy, CURLOPT_URL, text);
    curl_easy_setopt(websocket->easy, CURLOPT_CONNECT_ONLY, 2L); /* WebSocket, RFC 6455 */
    curl_easy_setopt(websocket->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(websocket->easy, CURLOPT_PROXY, "");
    curl_easy_setopt(websocket->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(websocket->easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    if (client->ca_file) curl_easy_setopt(websocket->easy, CURLOPT_CAINFO, client->ca_file);
    if (curl_multi_add_handle(client->multi, websocket->easy) != CURLM_OK) goto fail;
    free(text);
    return websocket;
fail:
    if (websocket && websocket->easy) curl_easy_cleanup(websocket->easy);
    free(websocket);
    free(text);
    return NULL;
}
