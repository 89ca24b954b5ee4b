#include "tunnel.h"

#include <stdio.h>
#include <stdlib.h>

#include "backoff.h"
#include "base/ids.h"
#include "base/log.h"
#include "heartbeat.h"
#include "refusal.h"
#include "uplink.h"

#define STABLE_MS 10000 /* a link that lived as long makes the next wait short again */
#define GOODBYE_MS 100
#define LOCAL_CONNECT_MAX_MS 5000
#define LAST_WORDS_MS 30000 /* for requests under way when the tunnel was taken over */

enum tunnel_state {
    TUNNEL_CONNECTING,
    TUNNEL_GREETING, /* open; connection_established is awaited */
    TUNNEL_UP,
    TUNNEL_WAITING, /* before the next attempt */
    TUNNEL_LEAVING, /* taken over: finishes what runs */
    TUNNEL_STOPPING,
    TUNNEL_OVER,
};

struct tunnel {
    struct agent_loop *loop;
    struct tunnel_settings settings;
    void (*on_exit)(void *ctx, int code);
    void *ctx;
    enum tunnel_state state;

    struct uplink *uplink;
    struct local_client *client;
    struct relay *relay;     /* v1 */
    struct streams *streams; /* v2 */
    struct heartbeat heartbeat;
    struct backoff backoff;
    struct timer timer; /* greeting, wait or last words, by state */

    char *resume, *url;
    bool resume_refused; /* tried without it already */
    bool was_up;         /* once at least */
    bool warned;         /* that the resume token cannot be kept */
    uint64_t up_ms;
};

static void finish(struct tunnel *tunnel, int code) {
    if (tunnel->state == TUNNEL_OVER) return;
    tunnel->state = TUNNEL_OVER;
    timer_stop(&tunnel->loop->timers, &tunnel->timer);
    heartbeat_stop(&tunnel->heartbeat);
    tunnel->on_exit(tunnel->ctx, code);
}

static void fail(struct tunnel *tunnel, const char *reason) {
    fprintf(stderr, "ttf: %s\n", reason);
    finish(tunnel, 1);
}

/* ---- connecting ---- */

static void connect_now(struct tunnel *tunnel) {
    struct uplink_credentials credentials = {
        .token = tunnel->settings.token,
        .name = tunnel->settings.name,
        .resume = tunnel->resume,
    };
    tunnel->state = TUNNEL_CONNECTING;
    uplink_connect(tunnel->uplink, &credentials, tunnel->settings.connect_timeout_ms);
}

static void on_link_down(struct tunnel *tunnel) {
    heartbeat_stop(&tunnel->heartbeat);
    timer_stop(&tunnel->loop->timers, &tunnel->timer);
    relay_cancel_all(tunnel->relay);
    streams_stop(tunnel->streams);
}

static void connect_later(struct tunnel *tunnel, const char *what, const char *reason) {
    bool stable = tunnel->state == TUNNEL_UP && agent_loop_now_ms(tunnel->loop) - tunnel->up_ms >= STABLE_MS;
    if (stable) backoff_reset(&tunnel->backoff);
    uint32_t random;
    ids_random(&random, sizeof(random));
    uint32_t wait_ms = backoff_next_ms(&tunnel->backoff, random);
    on_link_down(tunnel);
    tunnel->state = TUNNEL_WAITING;
    console_line(tunnel->settings.console, "%s (%s); %s in %.1f s", what, reason,
                 tunnel->was_up ? "reconnecting" : "trying again", wait_ms / 1000.0);
    if (!timer_start(&tunnel->loop->timers, &tunnel->timer, wait_ms)) fail(tunnel, "out of memory");
}

/* The link did not come about, or a new one died before it could be used. */
static void on_failed_attempt(struct tunnel *tunnel, const struct uplink_end *end) {
    char reason[512];
    refusal_text(end, tunnel->settings.name, reason, sizeof(reason));
    if (end->failure == UPLINK_REFUSED && refusal_may_be_resume(end->http_status) && tunnel->resume &&
        !tunnel->resume_refused) {
        log_debug("tunnel", "refused (%s); once more without the saved tunnel", reason);
        tunnel->resume_refused = true;
        free(tunnel->resume);
        tunnel->resume = NULL;
        connect_now(tunnel);
    } else if (refusal_is_final(end, tunnel->was_up)) {
        if (tunnel->settings.endpoint_is_default && end->failure == UPLINK_UNREACHABLE)
            snprintf(
                reason, sizeof(reason),
                "no gateway runs on this machine (%.60s): start one with ttf-gateway, or say where one is "
                "with -e URL",
                tunnel->settings.endpoint->shown);
        fail(tunnel, reason);
    } else {
        connect_later(tunnel, "Connection failed", reason);
    }
}

static void on_end(void *ctx, const struct uplink_end *end) {
    struct tunnel *tunnel = ctx;
    log_debug("tunnel", "the link ended: %s", end->reason);
    switch (tunnel->state) {
    case TUNNEL_CONNECTING:
    case TUNNEL_GREETING: on_failed_attempt(tunnel, end); break;
    case TUNNEL_UP: connect_later(tunnel, "Connection lost", end->reason); break;
    case TUNNEL_LEAVING: finish(tunnel, 1); break;
    case TUNNEL_STOPPING: finish(tunnel, 0); break;
    case TUNNEL_WAITING:
    case TUNNEL_OVER: break;
    }
}

static void on_timer(struct timer *timer) {
    struct tunnel *tunnel = LIST_ENTRY(timer, struct tunnel, timer);
    if (tunnel->state == TUNNEL_WAITING) {
        connect_now(tunnel);
    } else if (tunnel->state == TUNNEL_LEAVING) {
        finish(tunnel, 1);
    } else if (tunnel->state == TUNNEL_GREETING) {
        struct uplink_end end = {.failure = UPLINK_TIMEOUT,
                                 .reason = "connected, but the gateway did not say where the tunnel is"};
        uplink_abort(tunnel->uplink);
        on_failed_attempt(tunnel, &end);
    }
}

static void on_silent(void *ctx, uint64_t for_ms) {
    struct tunnel *tunnel = ctx;
    if (tunnel->state != TUNNEL_UP) return;
    char reason[64];
    snprintf(reason, sizeof(reason), "nothing heard for %llu s", (unsigned long long)(for_ms / 1000));
    uplink_abort(tunnel->uplink);
    connect_later(tunnel, "Connection lost", reason);
}

/* ---- messages ---- */

/* A control message: a text message on v1, a line of the control stream on v2. */
static void say(struct tunnel *tunnel, bool (*encode)(struct tunnel *tunnel, struct buf *out)) {
    struct buf message;
    if (!uplink_is_v2(tunnel->uplink)) {
        if (uplink_message_init(&message)) encode(tunnel, &message);
        uplink_send(tunnel->uplink, &message);
        return;
    }
    buf_init(&message, 64 * 1024);
    if (encode(tunnel, &message)) streams_control(tunnel->streams, buf_view(&message));
    buf_done(&message);
}

static bool encode_ready(struct tunnel *tunnel, struct buf *out) {
    return v1_encode_ready(out, V1_CAP_RESUME, tunnel->settings.request_timeout_ms);
}

static bool encode_ping(struct tunnel *tunnel, struct buf *out) {
    (void)tunnel;
    return v1_encode_ping(out);
}

static bool encode_pong(struct tunnel *tunnel, struct buf *out) {
    (void)tunnel;
    return v1_encode_pong(out);
}

static void ask(void *ctx) {
    struct tunnel *tunnel = ctx;
    if (uplink_is_v2(tunnel->uplink)) {
        streams_ping(tunnel->streams);
        return;
    }
    say(tunnel, encode_ping);
    uplink_ping(tunnel->uplink); /* answered by any WebSocket server, also one that does not know ours */
}

static uint64_t heard_ms(void *ctx) {
    const struct tunnel *tunnel = ctx;
    return uplink_heard_ms(tunnel->uplink);
}

static void on_open(void *ctx) {
    struct tunnel *tunnel = ctx;
    tunnel->state = TUNNEL_GREETING;
    console_line(tunnel->settings.console, "\xe2\x9c\x85 WebSocket connection established");
    bool is_v2 = uplink_is_v2(tunnel->uplink);
    log_info("tunnel", "connected, protocol %s", is_v2 ? "v2" : "v1");
    if (is_v2 && !streams_start(tunnel->streams)) {
        fail(tunnel, "out of memory");
        return;
    }
    say(tunnel, encode_ready);
    if (is_v2) uplink_want_fill(tunnel->uplink);
    timer_start(&tunnel->loop->timers, &tunnel->timer, tunnel->settings.connect_timeout_ms);
}

static void keep_resume(struct tunnel *tunnel, struct view token) {
    if (!token.len) return;
    char error[512];
    free(tunnel->resume);
    tunnel->resume = view_to_cstr(token);
    if (resume_store_save(tunnel->settings.resume, token, error, sizeof(error)) || tunnel->warned) return;
    tunnel->warned = true;
    fprintf(stderr, "ttf: the tunnel's URL will not survive a restart of ttf: %s\n", error);
}

/* URLs come from the gateway and go to a terminal. */
static bool url_is_sane(struct view url) {
    for (size_t i = 0; i < url.len; i++)
        if ((unsigned char)url.ptr[i] <= 0x20 || (unsigned char)url.ptr[i] >= 0x7f) return false;
    return url.len > 0 && url.len < 2048;
}

static void on_established(struct tunnel *tunnel, const struct v1_message *message) {
    if (tunnel->state != TUNNEL_GREETING) return;
    struct view url = message->subdomain_url.len ? message->subdomain_url : message->public_url;
    if (!url_is_sane(url)) {
        log_warn("tunnel", "the gateway sent no usable URL");
        url = VIEW("(the gateway sent no URL)");
    }
    timer_stop(&tunnel->loop->timers, &tunnel->timer);
    tunnel->state = TUNNEL_UP;
    tunnel->was_up = true;
    tunnel->resume_refused = false;
    tunnel->up_ms = agent_loop_now_ms(tunnel->loop);
    keep_resume(tunnel, message->resume);
    console_line(tunnel->settings.console, "Tunnel established: %.*s", VIEW_ARG(url));
    if (tunnel->url && !view_eq(url, view_from_cstr(tunnel->url)))
        console_line(tunnel->settings.console, "The tunnel's URL has changed, it was: %s", tunnel->url);
    free(tunnel->url);
    tunnel->url = view_to_cstr(url);
    heartbeat_start(&tunnel->heartbeat);
}

/* Taken over: when all is answered and the answers are on their way, go. */
static void leave_when_done(struct tunnel *tunnel) {
    if (tunnel->state == TUNNEL_LEAVING && !relay_count(tunnel->relay) && !streams_count(tunnel->streams) &&
        !uplink_queued_bytes(tunnel->uplink))
        uplink_close(tunnel->uplink, GOODBYE_MS);
}

static void on_relay_idle(void *ctx) {
    leave_when_done(ctx);
}

static void on_taken_over(struct tunnel *tunnel) {
    fprintf(stderr, "ttf: This tunnel was taken over by another ttf\n");
    tunnel->state = TUNNEL_LEAVING;
    heartbeat_stop(&tunnel->heartbeat);
    timer_start(&tunnel->loop->timers, &tunnel->timer, LAST_WORDS_MS);
    leave_when_done(tunnel);
}

static void on_error(struct tunnel *tunnel, const struct v1_message *message) {
    if (message->request_id.ptr) return;
    if (view_eq(message->code, VIEW(V1_CODE_TAKEN_OVER)))
        on_taken_over(tunnel);
    else
        log_warn("gateway", "%.*s: %.*s", VIEW_ARG(view_slice(message->code, 0, 40)),
                 VIEW_ARG(view_slice(message->message, 0, 200)));
}

static void on_message(void *ctx, struct view text) {
    struct tunnel *tunnel = ctx;
    enum status status;
    struct v1_message *message = v1_message_parse(text, RELAY_BODY_MAX, &status);
    if (!message) {
        log_warn("tunnel", "a message of the gateway is ignored: %s", status_text(status));
        return;
    }
    switch (message->type) {
    case V1_HTTP_REQUEST:
        if (uplink_is_v2(tunnel->uplink)) break;
        relay_take(tunnel->relay, message);
        return;
    case V1_CONNECTION_ESTABLISHED: on_established(tunnel, message); break;
    case V1_PING: say(tunnel, encode_pong); break;
    case V1_ERROR: on_error(tunnel, message); break;
    default: break;
    }
    v1_message_free(message);
}

static bool begin_message(void *ctx, struct buf *message) {
    (void)ctx;
    return uplink_message_init(message);
}

static bool send_message(void *ctx, struct buf *message) {
    struct tunnel *tunnel = ctx;
    return uplink_send(tunnel->uplink, message);
}

static size_t waiting_bytes(void *ctx) {
    const struct tunnel *tunnel = ctx;
    return uplink_queued_bytes(tunnel->uplink);
}

static void on_sent(void *ctx) {
    struct tunnel *tunnel = ctx;
    relay_flow(tunnel->relay);
    leave_when_done(tunnel);
}

static bool on_bytes(void *ctx, struct view bytes) {
    struct tunnel *tunnel = ctx;
    const char *reason = "no link";
    enum status status = streams_receive(tunnel->streams, bytes, &reason);
    if (status != STATUS_OK) log_warn("tunnel", "the link is broken: %s", reason);
    return status == STATUS_OK;
}

static bool fill(void *ctx, struct buf *message) {
    struct tunnel *tunnel = ctx;
    bool ok = streams_send(tunnel->streams, message) == STATUS_OK;
    if (ok && streams_want_send(tunnel->streams)) uplink_want_fill(tunnel->uplink);
    return ok;
}

static void on_streams_writable(void *ctx) {
    struct tunnel *tunnel = ctx;
    uplink_want_fill(tunnel->uplink);
}

/* ---- life ---- */

static bool make_streams(struct tunnel *tunnel) {
    const struct tunnel_settings *settings = &tunnel->settings;
    const struct streams_settings streams_settings = {
        .host_field = settings->host_field,
        .request_timeout_ms = settings->request_timeout_ms,
        .console = settings->console,
    };
    const struct streams_host host = {
        .ctx = tunnel, .control = on_message, .writable = on_streams_writable, .idle = on_relay_idle};
    tunnel->streams = streams_new(tunnel->loop, &streams_settings, tunnel->client, &host);
    return tunnel->streams != NULL;
}

static uint64_t local_connect_ms(const struct tunnel_settings *settings) {
    return settings->request_timeout_ms < LOCAL_CONNECT_MAX_MS ? settings->request_timeout_ms
                                                               : LOCAL_CONNECT_MAX_MS;
}

static bool make_parts(struct tunnel *tunnel, char *error, size_t error_size) {
    const struct tunnel_settings *settings = &tunnel->settings;
    const struct uplink_events events = {
        .on_open = on_open,
        .on_message = on_message,
        .on_sent = on_sent,
        .on_end = on_end,
        .on_bytes = on_bytes,
        .fill = fill,
    };
    const struct relay_host relay_host = {.ctx = tunnel,
                                          .begin = begin_message,
                                          .send = send_message,
                                          .waiting_bytes = waiting_bytes,
                                          .idle = on_relay_idle};
    const struct heartbeat_host heartbeat_host = {
        .ctx = tunnel, .ask = ask, .heard_ms = heard_ms, .silent = on_silent};
    const struct relay_settings relay_settings = {
        .host_field = settings->host_field,
        .request_timeout_ms = settings->request_timeout_ms,
        .console = settings->console,
    };
    heartbeat_init(&tunnel->heartbeat, tunnel->loop, settings->heartbeat_ms, &heartbeat_host);
    timer_init(&tunnel->timer, on_timer);
    tunnel->resume = resume_store_load(settings->resume);
    snprintf(error, error_size, "out of memory");
    tunnel->uplink =
        uplink_new(tunnel->loop, settings->endpoint, settings->ca_file, &events, tunnel, error, error_size);
    if (!tunnel->uplink) return false;
    tunnel->client = local_client_new(tunnel->loop, settings->target, local_connect_ms(settings));
    if (!tunnel->client) return false;
    tunnel->relay = relay_new(tunnel->loop, &relay_settings, tunnel->client, &relay_host);
    return tunnel->relay && make_streams(tunnel);
}

struct tunnel *tunnel_new(struct agent_loop *loop, const struct tunnel_settings *settings,
                          void (*on_exit)(void *ctx, int code), void *ctx, char *error, size_t error_size) {
    struct tunnel *tunnel = calloc(1, sizeof(*tunnel));
    if (!tunnel) return NULL;
    tunnel->loop = loop;
    tunnel->settings = *settings;
    tunnel->on_exit = on_exit;
    tunnel->ctx = ctx;
    if (make_parts(tunnel, error, error_size)) return tunnel;
    if (tunnel->uplink) uplink_shut(tunnel->uplink);
    return NULL; /* the process ends; what is left of the uplink belongs to the loop */
}

void tunnel_start(struct tunnel *tunnel) {
    connect_now(tunnel);
}

void tunnel_stop(struct tunnel *tunnel) {
    if (tunnel->state == TUNNEL_OVER || tunnel->state == TUNNEL_STOPPING) return;
    on_link_down(tunnel);
    tunnel->state = TUNNEL_STOPPING;
    uplink_close(tunnel->uplink, GOODBYE_MS);
}

void tunnel_shut(struct tunnel *tunnel) {
    timer_stop(&tunnel->loop->timers, &tunnel->timer);
    heartbeat_stop(&tunnel->heartbeat);
    relay_cancel_all(tunnel->relay);
    streams_stop(tunnel->streams);
    local_client_shut(tunnel->client);
    uplink_shut(tunnel->uplink);
}

void tunnel_free(struct tunnel *tunnel) {
    if (!tunnel) return;
    relay_free(tunnel->relay);
    streams_free(tunnel->streams);
    local_client_free(tunnel->client);
    uplink_free(tunnel->uplink);
    free(tunnel->resume);
    free(tunnel->url);
    free(tunnel);
}
