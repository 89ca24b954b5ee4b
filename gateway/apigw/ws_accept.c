/* See ws_api.h: from an accepted socket to the function's word on it. What asks for "@connections" goes to
 * libmicrohttpd, with its bytes still in the socket: the request line is only peeked at. */
#include "apigw/ws_state.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINGER_MS 2000
#define PEEK_AGAIN_MS 10
#define MANAGE VIEW("/@connections/")

enum candidate_phase { PEEKING, READING, ASKED, LINGERING };

struct candidate {
    struct list node;
    struct ws_api *api;
    enum candidate_phase phase;
    struct peer *peer;
    int fd; /* -1: handed on, or closed */
    struct sockaddr_storage address;
    socklen_t address_len;
    uv_poll_t *poll;
    struct timer deadline, again;
    struct buf bytes;
    struct arena arena;
    struct handshake handshake;
    char id[SHAPE_ID_MAX];
    uint64_t connected_ms;
};

static void on_poll_closed(uv_handle_t *handle) {
    free(handle);
}

static void stop_poll(struct candidate *candidate) {
    if (!candidate->poll) return;
    uv_poll_stop(candidate->poll);
    uv_close((uv_handle_t *)candidate->poll, on_poll_closed);
    candidate->poll = NULL;
}

static void candidate_free(struct candidate *candidate) {
    stop_poll(candidate);
    timer_stop(&candidate->api->loop->timers, &candidate->deadline);
    timer_stop(&candidate->api->loop->timers, &candidate->again);
    list_remove(&candidate->node);
    if (candidate->fd >= 0) {
        close(candidate->fd);
        peer_release(candidate->peer);
    }
    buf_done(&candidate->bytes);
    arena_done(&candidate->arena);
    free(candidate);
}

static void on_readable(uv_poll_t *poll, int status, int events);

static bool start_poll(struct candidate *candidate) {
    candidate->poll = malloc(sizeof(*candidate->poll));
    if (!candidate->poll) return false;
    if (uv_poll_init(&candidate->api->loop->uv, candidate->poll, candidate->fd) != 0) {
        free(candidate->poll);
        candidate->poll = NULL;
        return false;
    }
    candidate->poll->data = candidate;
    uv_poll_start(candidate->poll, UV_READABLE, on_readable);
    return true;
}

/* Closing first, with bytes unread, would take the answer back (RST). */
static void refuse(struct candidate *candidate, int status, struct view text) {
    struct buf out;
    buf_init(&out, 8192);
    handshake_print_refusal(&out, status, text);
    bool sent =
        !out.failed && send(candidate->fd, buf_view(&out).ptr, out.len, MSG_NOSIGNAL) == (ssize_t)out.len;
    buf_done(&out);
    shutdown(candidate->fd, SHUT_WR);
    candidate->phase = LINGERING;
    if (!sent || (!candidate->poll && !start_poll(candidate)))
        candidate_free(candidate);
    else
        timer_start(&candidate->api->loop->timers, &candidate->deadline, LINGER_MS);
}

/* ---- the function's word ---- */

static void hand_on(struct candidate *candidate) {
    const struct headers *headers = &candidate->handshake.head.headers;
    const struct ws_admission admission = {
        .fd = candidate->fd,
        .peer = candidate->peer,
        .id = candidate->id,
        .connected_ms = candidate->connected_ms,
        .key = candidate->handshake.key,
        .early = view_skip(buf_view(&candidate->bytes), candidate->handshake.len),
        .user_agent = headers_get(headers, VIEW("user-agent")),
    };
    candidate->fd = -1;
    ws_api_admit(candidate->api, &admission);
    candidate_free(candidate);
}

static void on_outcome(void *ctx, enum lambda_outcome outcome, struct view text) {
    struct candidate *candidate = ctx;
    struct shape_answer answer;
    struct arena arena;
    if (candidate->api->is_stopped) {
        candidate_free(candidate);
        return;
    }
    arena_init(&arena, 64 * 1024);
    if (outcome == LAMBDA_THROTTLED)
        refuse(candidate, 429, VIEW("Too Many Requests"));
    else if (outcome != LAMBDA_OK || !shape_answer_read(text, true, &arena, &answer))
        refuse(candidate, 502, VIEW("Internal server error"));
    else {
        if (answer.status < 300)
            hand_on(candidate);
        else
            refuse(candidate, answer.status, view_slice(answer.body, 0, 2048));
        shape_answer_done(&answer);
    }
    arena_done(&arena);
}

static void ask(struct candidate *candidate) {
    struct ws_api *api = candidate->api;
    const struct request_head *head = &candidate->handshake.head;
    char request_id[SHAPE_ID_MAX];
    stop_poll(candidate);
    timer_stop(&api->loop->timers, &candidate->deadline);
    candidate->phase = ASKED;
    candidate->connected_ms = loop_wall_ms(NULL);
    shape_id(candidate->id);
    shape_id(request_id);
    const struct shape_connection connection = {
        .id = candidate->id,
        .peer = view_from_cstr(candidate->peer->text),
        .user_agent = headers_get(&head->headers, VIEW("user-agent")),
        .connected_ms = candidate->connected_ms,
    };
    const struct shape_request request = {.target = head->target,
                                          .headers = &head->headers,
                                          .peer = connection.peer,
                                          .id = request_id,
                                          .now_ms = candidate->connected_ms};
    json_t *event = shape_connect(&api->settings.api, &connection, &request);
    char *text = event ? json_dumps(event, JSON_COMPACT) : NULL;
    json_decref(event);
    if (text)
        lambda_invoke(api->lambda, SOURCE_CONNECT, view_from_cstr(text), on_outcome, candidate);
    else
        refuse(candidate, 500, VIEW("Internal server error"));
    free(text);
}

/* ---- the request ---- */

/* With a custom domain the root, else the stage. */
static bool is_in_stage(const struct ws_api *api, struct view target) {
    struct view path = view_slice(target, 0, view_find(target, '?'));
    if (path.len > 0 && path.ptr[path.len - 1] == '/') path.len--;
    return api->settings.api.has_custom_domain
               ? path.len == 0
               : view_eq(view_skip(path, 1), view_from_cstr(api->settings.api.stage));
}

static void look_at_head(struct candidate *candidate) {
    struct ws_api *api = candidate->api;
    struct view text;
    int status =
        handshake_check(buf_view(&candidate->bytes), &candidate->arena, &candidate->handshake, &text);
    if (status == 0) return; /* more to come */
    if (status == 101 && !is_in_stage(api, candidate->handshake.head.target))
        refuse(candidate, 403, VIEW("Forbidden"));
    else if (status == 101 && !throttle_take(&api->throttle, loop_now(api->loop)))
        refuse(candidate, 429, VIEW("Too Many Requests"));
    else if (status == 101)
        ask(candidate);
    else
        refuse(candidate, status, text);
}

static bool is_management(struct view line) {
    for (size_t i = 0; i < line.len; i++)
        if (view_starts_with(view_skip(line, i), MANAGE)) return true;
    return false;
}

static void to_management(struct candidate *candidate) {
    struct ws_api *api = candidate->api;
    int fd = candidate->fd;
    candidate->fd = -1;
    stop_poll(candidate);
    web_accept(api->manage, fd, candidate->peer, (struct sockaddr *)&candidate->address,
               candidate->address_len, 0);
    candidate_free(candidate);
}

/* True: the line is whole, or longer than one of "@connections", and it is a WebSocket's. */
static bool peek(struct candidate *candidate) {
    char bytes[512];
    ssize_t len = recv(candidate->fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);
    if (len < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (len <= 0) {
        candidate_free(candidate);
        return false;
    }
    struct view all = view_of(bytes, (size_t)len), line = view_slice(all, 0, view_find(all, '\r'));
    if (is_management(line)) {
        to_management(candidate);
        return false;
    }
    if (line.len < all.len || all.len == sizeof(bytes)) {
        candidate->phase = READING;
        return true;
    }
    uv_poll_stop(candidate->poll); /* what has come stays: it would wake us without end */
    timer_start(&candidate->api->loop->timers, &candidate->again, PEEK_AGAIN_MS);
    return false;
}

static void on_again(struct timer *timer) {
    struct candidate *candidate = LIST_ENTRY(timer, struct candidate, again);
    uv_poll_start(candidate->poll, UV_READABLE, on_readable);
}

static void on_readable(uv_poll_t *poll, int status, int events) {
    (void)status, (void)events;
    struct candidate *candidate = poll->data;
    char bytes[4096];
    if (candidate->phase == PEEKING && !peek(candidate)) return;
    ssize_t len = recv(candidate->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (len < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (len <= 0) {
        candidate_free(candidate);
        return;
    }
    if (candidate->phase == LINGERING) return; /* thrown away */
    if (!buf_append(&candidate->bytes, bytes, (size_t)len))
        refuse(candidate, 431, VIEW("Request Header Fields Too Large"));
    else
        look_at_head(candidate);
}

static void on_deadline(struct timer *timer) {
    candidate_free(LIST_ENTRY(timer, struct candidate, deadline));
}

void ws_api_accept(void *ctx, int fd, struct peer *peer, const struct sockaddr *address, socklen_t len) {
    struct ws_api *api = ctx;
    struct candidate *candidate = calloc(1, sizeof(*candidate));
    if (!candidate) {
        close(fd);
        peer_release(peer);
        return;
    }
    candidate->api = api;
    candidate->fd = fd;
    candidate->peer = peer;
    candidate->address_len = len;
    memcpy(&candidate->address, address, len);
    buf_init(&candidate->bytes, HANDSHAKE_BYTES_MAX);
    arena_init(&candidate->arena, HANDSHAKE_BYTES_MAX * 8);
    timer_init(&candidate->deadline, on_deadline);
    timer_init(&candidate->again, on_again);
    list_append(&api->candidates, &candidate->node);
    if (!start_poll(candidate) ||
        !timer_start(&api->loop->timers, &candidate->deadline, api->settings.head_timeout_ms))
        candidate_free(candidate);
}

/* Those that the function has been asked about end with its outcome. */
void ws_candidates_stop(struct ws_api *api) {
    for (struct list *node = api->candidates.next, *next; node != &api->candidates; node = next) {
        next = node->next;
        struct candidate *candidate = LIST_ENTRY(node, struct candidate, node);
        if (candidate->phase != ASKED) candidate_free(candidate);
    }
}
