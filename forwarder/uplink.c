#include "uplink_state.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

#define ATTEMPT_MS 3000 /* for one address, while there are others to try */
#define PROBE_MS 1000
#define SLACK_S 60 /* libwebsockets' own timeouts stay behind ours */

static void try_next_address(struct uplink *uplink);

/* ---- the end ---- */

static void drop_wsi(struct uplink *uplink) {
    struct lws *wsi = uplink->wsi;
    uplink_let_go(uplink);
    if (!wsi) return;
    /* libwebsockets keeps a connection that has bytes to flush, and its timers may sleep while libuv does. */
    int fd = lws_get_socket_fd(wsi);
    if (fd >= 0) shutdown(fd, SHUT_RDWR);
    if (wsi != uplink->called) lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
}

static void drop_queue(struct uplink *uplink) {
    struct list *node;
    while ((node = list_pop(&uplink->queue))) {
        struct outgoing *outgoing = LIST_ENTRY(node, struct outgoing, node);
        buf_done(&outgoing->message);
        free(outgoing);
    }
    uplink->queued_bytes = 0;
}

/* Back to idle, without a word to the owner. */
static void reset(struct uplink *uplink) {
    timer_stop(&uplink->loop->timers, &uplink->deadline);
    timer_stop(&uplink->loop->timers, &uplink->attempt);
    task_cancel(&uplink->report);
    resolver_cancel(uplink->job);
    uplink->job = NULL;
    drop_wsi(uplink);
    drop_queue(uplink);
    buf_done(&uplink->incoming);
    task_cancel(&uplink->fill);
    buf_done(&uplink->filling);
    uplink->ping_wanted = uplink->close_sent = uplink->fill_wanted = uplink->is_v2 = false;
    uplink->phase = PHASE_IDLE;
}

void uplink_abort(struct uplink *uplink) {
    reset(uplink);
}

static void on_report(struct task *task) {
    struct uplink *uplink = LIST_ENTRY(task, struct uplink, report);
    uplink->events.on_end(uplink->ctx, &uplink->end);
}

void uplink_finish(struct uplink *uplink, enum uplink_failure failure, const char *reason) {
    reset(uplink);
    uplink->end.failure = failure;
    if (reason) snprintf(uplink->end.reason, sizeof(uplink->end.reason), "%s", reason);
    tasks_post(&uplink->loop->tasks, &uplink->report);
}

/* ---- connecting ---- */

static void on_probed(void *ctx, int error) {
    struct uplink *uplink = ctx;
    uplink->job = NULL;
    char reason[192];
    if (error == UV_ECONNREFUSED)
        snprintf(reason, sizeof(reason), "nothing listens at %s (connection refused)",
                 uplink->endpoint->authority);
    else if (error)
        snprintf(reason, sizeof(reason), "%s cannot be reached: %s", uplink->endpoint->authority,
                 uv_strerror(error));
    else
        snprintf(reason, sizeof(reason), "%s cannot be reached", uplink->endpoint->authority);
    uplink_finish(uplink, error == UV_ETIMEDOUT ? UPLINK_TIMEOUT : UPLINK_UNREACHABLE, reason);
}

/* The last address did not take us. libwebsockets does not say why, so the system is asked. */
static void explain(struct uplink *uplink) {
    uplink->phase = PHASE_PROBING;
    const struct address *address = &uplink->addresses.list[uplink->addresses.count - 1];
    uplink->job = resolver_probe(&uplink->loop->uv, address, PROBE_MS, on_probed, uplink);
    if (!uplink->job) uplink_finish(uplink, UPLINK_UNREACHABLE, "out of memory");
}

void uplink_address_failed(struct uplink *uplink) {
    timer_stop(&uplink->loop->timers, &uplink->attempt);
    drop_wsi(uplink);
    if (uplink->next_address < uplink->addresses.count)
        try_next_address(uplink);
    else
        explain(uplink);
}

static void on_attempt_over(struct timer *timer) {
    struct uplink *uplink = LIST_ENTRY(timer, struct uplink, attempt);
    if (uplink->phase == PHASE_CONNECTING) uplink_address_failed(uplink);
}

/* Our heartbeat is the one that counts; libwebsockets would hang up after 310 s without a pong. */
static const lws_retry_bo_t no_retry_policy = {.secs_since_valid_hangup = 0};

static void try_next_address(struct uplink *uplink) {
    const struct address *address = &uplink->addresses.list[uplink->next_address++];
    uplink->phase = PHASE_CONNECTING;
    struct lws_client_connect_info info = {
        .context = uplink->uplinks->context,
        .address = address->text,
        .port = uplink->endpoint->port,
        .path = uplink->endpoint->target,
        .host = uplink->endpoint->authority,
        .ssl_connection = (uplink->endpoint->tls ? LCCSCF_USE_SSL : 0) | LCCSCF_HTTP_NO_FOLLOW_REDIRECT,
        .protocol = endpoint_is_aws(uplink->endpoint) ? NULL : UPLINK_SUBPROTOCOL_V2,
        .local_protocol_name = UPLINK_SUBPROTOCOL_V2,
        .alpn = "http/1.1",
        .ietf_version_or_minus_one = -1,
        .retry_and_idle_policy = &no_retry_policy,
        .opaque_user_data = uplink,
    };
    log_debug("uplink", "connecting to %s port %u", address->text, uplink->endpoint->port);
    if (uplink->next_address < uplink->addresses.count)
        timer_start(&uplink->loop->timers, &uplink->attempt, ATTEMPT_MS);
    uplink->dialing = true;
    struct lws *wsi = lws_client_connect_via_info(&info);
    uplink->dialing = false;
    if (wsi)
        uplink->wsi = wsi;
    else if (uplink->phase == PHASE_CONNECTING || uplink->phase == PHASE_SHAKING) {
        uplink->wsi = NULL; /* it is gone already */
        uplink_address_failed(uplink);
    }
}

static void on_addresses(void *ctx, int error, const struct addresses *addresses) {
    struct uplink *uplink = ctx;
    uplink->job = NULL;
    if (error) {
        char reason[192];
        snprintf(reason, sizeof(reason), "the name %s cannot be looked up: %s", uplink->endpoint->host,
                 uv_strerror(error));
        uplink_finish(uplink, UPLINK_UNREACHABLE, reason);
        return;
    }
    uplink->addresses = *addresses;
    uplink->next_address = 0;
    try_next_address(uplink);
}

static void on_deadline(struct timer *timer) {
    struct uplink *uplink = LIST_ENTRY(timer, struct uplink, deadline);
    if (uplink->phase == PHASE_CLOSING) {
        uplink_finish(uplink, UPLINK_CLOSED, NULL);
        return;
    }
    static const char *const reasons[] = {
        [PHASE_RESOLVING] = "looking up the gateway's name took too long",
        [PHASE_CONNECTING] = "the gateway cannot be reached (connecting took too long)",
        [PHASE_SHAKING] = "the gateway took the connection but did not answer in time",
        [PHASE_PROBING] = "the gateway cannot be reached",
    };
    uplink_finish(uplink, UPLINK_TIMEOUT, reasons[uplink->phase]);
}

static void replace(char **member, const char *text) {
    free(*member);
    *member = text ? strdup(text) : NULL;
}

void uplink_connect(struct uplink *uplink, const struct uplink_credentials *credentials,
                    uint64_t timeout_ms) {
    reset(uplink);
    uplink->end = (struct uplink_end){0};
    replace(&uplink->token, credentials->token);
    replace(&uplink->name, credentials->name);
    replace(&uplink->resume, credentials->resume);
    uplink->phase = PHASE_RESOLVING;
    uplink->job = resolver_lookup(&uplink->loop->uv, uplink->endpoint->host, uplink->endpoint->port,
                                  on_addresses, uplink);
    if (!uplink->job || !timer_start(&uplink->loop->timers, &uplink->deadline, timeout_ms))
        uplink_finish(uplink, UPLINK_UNREACHABLE, "out of memory");
}

/* ---- life ---- */

static const struct lws_protocols protocols[] = {
    {.name = UPLINK_SUBPROTOCOL_V2, .callback = uplink_on_lws, .rx_buffer_size = 64 * 1024},
    {0},
};

static bool make_context(struct uplinks *uplinks, const char *ca_file) {
    /* Proxies are for web pages; libwebsockets would take these even for localhost. */
    unsetenv("http_proxy");
    unsetenv("socks_proxy");
    lws_set_log_level(LLL_ERR | LLL_WARN, uplink_on_lws_log);
    void *loops[] = {&uplinks->loop->uv};
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .protocols = protocols,
        .options =
            LWS_SERVER_OPTION_LIBUV | (uplinks->endpoint->tls ? LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT : 0),
        .foreign_loops = loops,
        .pcontext = &uplinks->context,
        .pt_serv_buf_size = 64 * 1024,
        .max_http_header_data = 16 * 1024,
        .fd_limit_per_thread = 32,
        .timeout_secs = 3600 + SLACK_S,
        .connect_timeout_secs = 3600 + SLACK_S,
        .client_ssl_ca_filepath = uplinks->endpoint->tls ? ca_file : NULL,
    };
    uplinks->context = lws_create_context(&info);
    return uplinks->context != NULL;
}

struct uplinks *uplinks_new(struct agent_loop *loop, const struct endpoint *endpoint, const char *ca_file,
                            char *error, size_t error_size) {
    struct uplinks *uplinks = calloc(1, sizeof(*uplinks));
    if (!uplinks) return NULL;
    uplinks->loop = loop;
    uplinks->endpoint = endpoint;
    if (make_context(uplinks, ca_file)) return uplinks;
    snprintf(error, error_size,
             "libwebsockets cannot be started (is its libuv plug-in, libwebsockets-evlib-uv, installed?)");
    free(uplinks);
    return NULL;
}

void uplinks_shut(struct uplinks *uplinks) {
    lws_context_destroy(uplinks->context);
}

void uplinks_free(struct uplinks *uplinks) {
    if (!uplinks) return;
    /* What was begun by uplinks_shut(): each call goes one step on, the last one clears the context. */
    for (int step = 0; uplinks->context && step < 4; step++) lws_context_destroy(uplinks->context);
    free(uplinks);
}

struct uplink *uplink_new(struct uplinks *uplinks, const struct uplink_events *events, void *ctx) {
    struct uplink *uplink = calloc(1, sizeof(*uplink));
    if (!uplink) return NULL;
    uplink->loop = uplinks->loop;
    uplink->endpoint = uplinks->endpoint;
    uplink->uplinks = uplinks;
    uplink->events = *events;
    uplink->ctx = ctx;
    list_init(&uplink->queue);
    buf_init(&uplink->incoming, UPLINK_MESSAGE_MAX);
    buf_init(&uplink->filling, LWS_PRE + 512 * 1024);
    task_init(&uplink->fill, uplink_on_fill);
    timer_init(&uplink->deadline, on_deadline);
    timer_init(&uplink->attempt, on_attempt_over);
    task_init(&uplink->report, on_report);
    return uplink;
}

void uplink_free(struct uplink *uplink) {
    if (!uplink) return;
    reset(uplink);
    free(uplink->token);
    free(uplink->name);
    free(uplink->resume);
    free(uplink);
}

/* ---- sending ---- */

bool uplink_message_init(struct buf *message) {
    buf_init(message, UPLINK_MESSAGE_MAX + LWS_PRE);
    if (!buf_reserve(message, LWS_PRE)) {
        message->failed = true;
        return false;
    }
    memset(message->ptr, 0, LWS_PRE);
    buf_commit(message, LWS_PRE);
    return true;
}

bool uplink_is_v2(const struct uplink *uplink) {
    return uplink->is_v2;
}

void uplink_want_fill(struct uplink *uplink) {
    if (uplink->fill_wanted || uplink->phase != PHASE_OPEN) return;
    uplink->fill_wanted = true;
    tasks_post(&uplink->loop->tasks, &uplink->fill);
}

bool uplink_send(struct uplink *uplink, struct buf *message) {
    struct outgoing *outgoing = NULL;
    bool ok = !message->failed && message->len > LWS_PRE && uplink->phase == PHASE_OPEN &&
              uplink->queued_bytes + message->len <= UPLINK_QUEUE_MAX;
    if (ok) outgoing = calloc(1, sizeof(*outgoing));
    if (!outgoing) {
        buf_done(message);
        return false;
    }
    outgoing->message = *message;
    buf_init(message, message->max);
    uplink->queued_bytes += outgoing->message.len;
    list_append(&uplink->queue, &outgoing->node);
    lws_callback_on_writable(uplink->wsi);
    return true;
}

void uplink_ping(struct uplink *uplink) {
    if (uplink->phase != PHASE_OPEN) return;
    uplink->ping_wanted = true;
    lws_callback_on_writable(uplink->wsi);
}

size_t uplink_queued_bytes(const struct uplink *uplink) {
    return uplink->queued_bytes;
}

uint64_t uplink_heard_ms(const struct uplink *uplink) {
    return uplink->heard_ms;
}

void uplink_say_goodbye(struct uplink *uplink, int code, const char *reason, uint64_t grace_ms) {
    uplink->phase = PHASE_CLOSING;
    uplink->close_code = code;
    snprintf(uplink->end.reason, sizeof(uplink->end.reason), "%s", reason);
    drop_queue(uplink);
    lws_callback_on_writable(uplink->wsi);
    timer_start(&uplink->loop->timers, &uplink->deadline, grace_ms);
}

void uplink_close(struct uplink *uplink, uint64_t grace_ms) {
    if (uplink->phase == PHASE_OPEN)
        uplink_say_goodbye(uplink, LWS_CLOSE_STATUS_NORMAL, "closed", grace_ms);
    else if (uplink->phase != PHASE_CLOSING)
        uplink_finish(uplink, UPLINK_CLOSED, "closed");
}
