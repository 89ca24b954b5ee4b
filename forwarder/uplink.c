/* See uplink.h. common/net/ws_client.h is the WebSocket; here is who is dialed with what credentials, which
 * protocol was agreed on, and what an end means in words for people. */
#include "uplink.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "net/resolver.h"
#include "net/ws_client.h"

#define FIELDS_MAX ((size_t)16 * 1024)
#define CODE_NORMAL 1000 /* RFC 6455 7.4.1 */

struct uplinks {
    struct loop *loop;
    const struct endpoint *endpoint;
    struct wire_way way;  /* its proxy is NULL: straight */
    struct wire_tls *tls; /* NULL: ws:// */
    bool shows_certificate;
};

struct uplink {
    struct uplinks *uplinks;
    struct loop *loop;
    const struct endpoint *endpoint;
    struct uplink_events events;
    void *ctx;

    char *token, *name, *domain, *resume, *policy;
    struct resolver_job *job; /* NULL: no name is being looked up */
    struct timer deadline;    /* of that */
    uint64_t until_ms;        /* of the whole handshake */
    struct ws_client *socket; /* of the connection under way */
    bool is_v2;
    struct task report; /* carries an end out of the call that caused it */
    struct uplink_end end;
};

/* ---- the end ---- */

/* Back to idle, without a word to the owner. */
static void reset(struct uplink *uplink) {
    timer_stop(&uplink->loop->timers, &uplink->deadline);
    task_cancel(&uplink->report);
    resolver_cancel(uplink->job);
    uplink->job = NULL;
    ws_client_free(uplink->socket);
    uplink->socket = NULL;
    uplink->is_v2 = false;
}

void uplink_abort(struct uplink *uplink) {
    reset(uplink);
}

static void on_report(struct task *task) {
    struct uplink *uplink = LIST_ENTRY(task, struct uplink, report);
    uplink->events.on_end(uplink->ctx, &uplink->end);
}

/* The connection is over for that reason; tells the owner from a safe point. */
static void finish(struct uplink *uplink, enum uplink_failure failure, const char *reason) {
    reset(uplink);
    uplink->end.failure = failure;
    if (reason) snprintf(uplink->end.reason, sizeof(uplink->end.reason), "%s", reason);
    tasks_post(&uplink->loop->tasks, &uplink->report);
}

/* Printable text only, as it ends up on somebody's terminal. */
static void keep_reason(struct uplink *uplink, struct view text) {
    char *out = uplink->end.reason;
    size_t len = strlen(out);
    for (size_t i = 0; i < text.len && len + 1 < sizeof(uplink->end.reason); i++) {
        char byte = text.ptr[i];
        if (byte == '\n' || byte == '\r' || byte == '\t') byte = ' ';
        if ((unsigned char)byte < 0x20 || (unsigned char)byte >= 0x7f) continue;
        out[len++] = byte;
    }
    while (len && out[len - 1] == ' ') len--;
    out[len] = '\0';
}

static void on_unreachable(struct uplink *uplink, int error) {
    const struct proxy *proxy = uplink->uplinks->way.proxy;
    const char *where = uplink->endpoint->authority;
    char reason[320];
    if (proxy && error == UV_ETIMEDOUT)
        snprintf(reason, sizeof(reason), "the proxy %.200s cannot be reached, or does not answer in time",
                 proxy->shown);
    else if (proxy)
        snprintf(reason, sizeof(reason), "the proxy %.200s cannot be reached: %.60s", proxy->shown,
                 uv_strerror(error));
    else if (error == UV_ECONNREFUSED)
        snprintf(reason, sizeof(reason), "nothing listens at %s (connection refused)", where);
    else
        snprintf(reason, sizeof(reason), "%s cannot be reached: %s", where, uv_strerror(error));
    finish(uplink, error == UV_ETIMEDOUT ? UPLINK_TIMEOUT : UPLINK_UNREACHABLE, reason);
}

static void on_closed(struct uplink *uplink, const struct ws_client_end *end) {
    uplink->end.close_code = end->close_code;
    if (!end->why) {
        snprintf(uplink->end.reason, sizeof(uplink->end.reason), "closed by the gateway");
        if (end->close_code)
            snprintf(uplink->end.reason, sizeof(uplink->end.reason), "closed by the gateway: %d ",
                     end->close_code);
        keep_reason(uplink, view_slice(end->said, 0, 200));
    }
    finish(uplink, UPLINK_CLOSED, end->why);
}

static void on_end(void *ctx, const struct ws_client_end *end) {
    struct uplink *uplink = ctx;
    const char *where = uplink->endpoint->authority;
    char reason[320];
    switch (end->failure) {
    case WS_CLIENT_UNREACHABLE: on_unreachable(uplink, end->error); break;
    case WS_CLIENT_PROXY: finish(uplink, UPLINK_UNREACHABLE, end->why); break;
    case WS_CLIENT_TLS:
        snprintf(reason, sizeof(reason), "no TLS connection to %s: %s", where,
                 end->why ? end->why : uv_strerror(end->error));
        finish(uplink, UPLINK_TLS, reason);
        break;
    case WS_CLIENT_SILENT:
        finish(uplink, UPLINK_TIMEOUT, "the gateway took the connection but did not answer in time");
        break;
    case WS_CLIENT_REFUSED:
        uplink->end.http_status = end->http_status;
        keep_reason(uplink, end->said);
        finish(uplink, UPLINK_REFUSED, NULL);
        break;
    case WS_CLIENT_CUT:
    case WS_CLIENT_BAD_ANSWER:
        snprintf(reason, sizeof(reason), "%s does not speak WebSocket (%s)", where, end->why);
        finish(uplink, UPLINK_BROKEN, reason);
        break;
    case WS_CLIENT_CLOSED: on_closed(uplink, end); break;
    }
}

/* ---- an open one ---- */

static const char *on_open(void *ctx, const struct headers *fields) {
    struct uplink *uplink = ctx;
    uplink->is_v2 = headers_get(fields, VIEW("sec-websocket-protocol")).ptr;
    if (uplink->is_v2) ws_client_allow_zero_keys(uplink->socket);
    uplink->events.on_open(uplink->ctx);
    return NULL;
}

static void on_text(void *ctx, struct view text) {
    struct uplink *uplink = ctx;
    if (uplink->is_v2)
        log_debug("uplink", "a text message is ignored");
    else
        uplink->events.on_message(uplink->ctx, text);
}

static bool on_bytes(void *ctx, struct view bytes) {
    struct uplink *uplink = ctx;
    if (uplink->is_v2) return uplink->events.on_bytes(uplink->ctx, bytes);
    log_debug("uplink", "a binary message is ignored");
    return true;
}

static void on_sent(void *ctx) {
    struct uplink *uplink = ctx;
    uplink->events.on_sent(uplink->ctx);
}

static bool fill(void *ctx, struct buf *message) {
    struct uplink *uplink = ctx;
    return uplink->events.fill(uplink->ctx, message);
}

/* ---- connecting ---- */

static void print_field(struct buf *out, const char *name, const char *value) {
    if (value) buf_printf(out, "%s%s\r\n", name, value);
}

static void dial(struct uplink *uplink, const struct addresses *addresses) {
    static const struct ws_client_events events = {.on_open = on_open,
                                                   .on_text = on_text,
                                                   .on_bytes = on_bytes,
                                                   .on_sent = on_sent,
                                                   .fill = fill,
                                                   .on_end = on_end};
    const struct endpoint *endpoint = uplink->endpoint;
    uint64_t now = loop_now(uplink->loop);
    struct ws_client_settings settings = {.loop = uplink->loop,
                                          .tls = uplink->uplinks->tls,
                                          .way = uplink->uplinks->way.proxy ? &uplink->uplinks->way : NULL,
                                          .intake = uplink->events.intake,
                                          .timeout_ms = uplink->until_ms > now ? uplink->until_ms - now : 0,
                                          .message_max = UPLINK_MESSAGE_MAX,
                                          .frame_max = UPLINK_FRAME_MAX};
    struct buf fields;
    buf_init(&fields, FIELDS_MAX);
    print_field(&fields, "User-Agent: ", "ttf/" TTF_VERSION);
    print_field(&fields, "Authorization: Bearer ", uplink->token);
    print_field(&fields, "x-tunnel-name: ", uplink->name);
    print_field(&fields, "x-tunnel-domain: ", uplink->domain);
    print_field(&fields, "x-tunnel-resume: ", uplink->resume);
    print_field(&fields, "x-tunnel-policy: ", uplink->policy);
    struct ws_client_request request = {.target = endpoint->target,
                                        .authority = endpoint->authority,
                                        .protocol = endpoint_is_aws(endpoint) ? NULL : UPLINK_SUBPROTOCOL_V2,
                                        .fields = buf_view(&fields)};
    if (!fields.failed) uplink->socket = ws_client_open(&settings, addresses, &request, &events, uplink);
    if (!uplink->socket) finish(uplink, UPLINK_BROKEN, "the token is too long");
    buf_done(&fields);
}

/* The one that is connected to first. */
static const char *dialed_host(const struct uplink *uplink) {
    const struct proxy *proxy = uplink->uplinks->way.proxy;
    return proxy ? proxy->host : uplink->endpoint->host;
}

static void on_addresses(void *ctx, int error, const struct addresses *addresses) {
    struct uplink *uplink = ctx;
    uplink->job = NULL;
    timer_stop(&uplink->loop->timers, &uplink->deadline);
    if (error) {
        char reason[256];
        snprintf(reason, sizeof(reason), "the name %.120s cannot be looked up: %.60s", dialed_host(uplink),
                 uv_strerror(error));
        finish(uplink, UPLINK_UNREACHABLE, reason);
        return;
    }
    dial(uplink, addresses);
}

static void on_deadline(struct timer *timer) {
    struct uplink *uplink = LIST_ENTRY(timer, struct uplink, deadline);
    finish(uplink, UPLINK_TIMEOUT,
           uplink->uplinks->way.proxy ? "looking up the proxy's name took too long"
                                      : "looking up the gateway's name took too long");
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
    replace(&uplink->domain, credentials->domain);
    replace(&uplink->resume, credentials->resume);
    replace(&uplink->policy, credentials->policy);
    uplink->until_ms = loop_now(uplink->loop) + timeout_ms;
    const struct proxy *proxy = uplink->uplinks->way.proxy;
    uplink->job = resolver_lookup(&uplink->loop->uv, dialed_host(uplink),
                                  proxy ? proxy->port : uplink->endpoint->port, on_addresses, uplink);
    if (!uplink->job || !timer_start(&uplink->loop->timers, &uplink->deadline, timeout_ms))
        finish(uplink, UPLINK_UNREACHABLE, "out of memory");
}

/* ---- life ---- */

struct uplinks *uplinks_new(struct loop *loop, const struct endpoint *endpoint, const struct proxy *proxy,
                            const struct wire_trust *trust, char *error, size_t error_size) {
    struct uplinks *uplinks = calloc(1, sizeof(*uplinks));
    if (!uplinks) return NULL;
    uplinks->loop = loop;
    uplinks->endpoint = endpoint;
    uplinks->way = (struct wire_way){.proxy = proxy, .host = endpoint->host, .port = endpoint->port};
    if (!endpoint->tls) return uplinks;
    uplinks->shows_certificate = trust && trust->cert_file;
    uplinks->tls = wire_tls_new(endpoint->host, trust, error, error_size);
    if (uplinks->tls) return uplinks;
    free(uplinks);
    return NULL;
}

bool uplinks_show_certificate(const struct uplinks *uplinks) {
    return uplinks->shows_certificate;
}

void uplinks_free(struct uplinks *uplinks) {
    if (!uplinks) return;
    wire_tls_free(uplinks->tls);
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
    timer_init(&uplink->deadline, on_deadline);
    task_init(&uplink->report, on_report);
    return uplink;
}

void uplink_free(struct uplink *uplink) {
    if (!uplink) return;
    reset(uplink);
    free(uplink->token);
    free(uplink->name);
    free(uplink->domain);
    free(uplink->resume);
    free(uplink->policy);
    free(uplink);
}

/* ---- the public calls ---- */

bool uplink_message_init(struct buf *message) {
    return ws_message_init(message, UPLINK_MESSAGE_MAX);
}

struct view uplink_message_text(const struct buf *message) {
    return ws_message_text(message);
}

bool uplink_is_v2(const struct uplink *uplink) {
    return uplink->is_v2;
}

void uplink_want_fill(struct uplink *uplink) {
    if (uplink->socket) ws_client_want_fill(uplink->socket);
}

bool uplink_send(struct uplink *uplink, struct buf *message) {
    if (uplink->socket) return ws_client_send(uplink->socket, message);
    buf_done(message);
    return false;
}

void uplink_ping(struct uplink *uplink) {
    if (uplink->socket) ws_client_ping(uplink->socket);
}

size_t uplink_queued_bytes(const struct uplink *uplink) {
    return uplink->socket ? ws_client_queued_bytes(uplink->socket) : 0;
}

bool uplink_is_stranded(const struct uplink *uplink) {
    return uplink->socket && ws_client_is_stranded(uplink->socket);
}

uint64_t uplink_heard_ms(const struct uplink *uplink) {
    return uplink->socket ? ws_client_heard_ms(uplink->socket) : 0;
}

uint64_t uplink_moved_ms(const struct uplink *uplink) {
    return uplink->socket ? ws_client_moved_ms(uplink->socket) : 0;
}

void uplink_close(struct uplink *uplink, uint64_t grace_ms) {
    if (uplink->socket && ws_client_is_up(uplink->socket))
        ws_client_close(uplink->socket, CODE_NORMAL, "closed", grace_ms);
    else
        finish(uplink, UPLINK_CLOSED, "closed");
}
