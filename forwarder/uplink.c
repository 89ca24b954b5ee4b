/* Connecting, the public calls, and the end. */
#include "uplink_state.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

#define ATTEMPT_MS 3000 /* for one address, while there are others to try */
#define CODE_NORMAL 1000

static void try_next_address(struct uplink *uplink);

/* ---- the end ---- */

static void drop_wire(struct uplink *uplink) {
    wire_free(uplink->wire);
    uplink->wire = NULL;
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
    drop_wire(uplink);
    drop_queue(uplink);
    buf_done(&uplink->incoming);
    task_cancel(&uplink->push);
    buf_done(&uplink->filling);
    uplink->ping_wanted = uplink->fill_wanted = uplink->is_v2 = false;
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

static void next_address_or_end(struct uplink *uplink, int error) {
    const char *where = uplink->endpoint->authority;
    char reason[320];
    timer_stop(&uplink->loop->timers, &uplink->attempt);
    drop_wire(uplink);
    if (uplink->next_address < uplink->addresses.count) {
        try_next_address(uplink);
        return;
    }
    if (error == UV_ECONNREFUSED)
        snprintf(reason, sizeof(reason), "nothing listens at %s (connection refused)", where);
    else
        snprintf(reason, sizeof(reason), "%s cannot be reached: %s", where, uv_strerror(error));
    uplink_finish(uplink, error == UV_ETIMEDOUT ? UPLINK_TIMEOUT : UPLINK_UNREACHABLE, reason);
}

static void on_attempt_over(struct timer *timer) {
    struct uplink *uplink = LIST_ENTRY(timer, struct uplink, attempt);
    if (uplink->phase == PHASE_CONNECTING) next_address_or_end(uplink, UV_ETIMEDOUT);
}

static void on_connected(void *ctx) {
    struct uplink *uplink = ctx;
    timer_stop(&uplink->loop->timers, &uplink->attempt);
    uplink->phase = PHASE_SHAKING;
}

static void on_up(void *ctx) {
    uplink_ask(ctx);
}

static void on_bytes(void *ctx, struct view bytes) {
    struct uplink *uplink = ctx;
    if (uplink->phase == PHASE_SHAKING)
        uplink_on_answer(uplink, bytes);
    else
        uplink_on_frames(uplink, bytes);
}

static void on_drained(void *ctx) {
    struct uplink *uplink = ctx;
    uplink_on_push(&uplink->push);
}

static void on_wire_end(void *ctx, const struct wire_end *end) {
    struct uplink *uplink = ctx;
    char reason[320];
    if (end->failure == WIRE_UNREACHABLE) {
        next_address_or_end(uplink, end->error);
    } else if (end->failure == WIRE_TLS) {
        snprintf(reason, sizeof(reason), "no TLS connection to %s: %s", uplink->endpoint->authority,
                 end->reason ? end->reason : uv_strerror(end->error));
        uplink_finish(uplink, UPLINK_TLS, reason);
    } else if (uplink->phase == PHASE_SHAKING) {
        uplink_on_answer_end(uplink);
    } else {
        uplink_finish(uplink, UPLINK_CLOSED,
                      uplink->phase == PHASE_CLOSING ? NULL : "the connection was cut");
    }
}

static const struct wire_events wire_events = {
    .on_connected = on_connected,
    .on_up = on_up,
    .on_bytes = on_bytes,
    .on_drained = on_drained,
    .on_end = on_wire_end,
};

static void try_next_address(struct uplink *uplink) {
    const struct address *address = &uplink->addresses.list[uplink->next_address++];
    uplink->phase = PHASE_CONNECTING;
    log_debug("uplink", "connecting to %s port %u", address->text, uplink->endpoint->port);
    if (uplink->next_address < uplink->addresses.count)
        timer_start(&uplink->loop->timers, &uplink->attempt, ATTEMPT_MS);
    struct wire_loop loop = {&uplink->loop->uv, &uplink->loop->tasks};
    uplink->wire = wire_open(&loop, (const struct sockaddr *)&address->socket_address, uplink->uplinks->tls,
                             &wire_events, uplink);
    if (!uplink->wire) uplink_finish(uplink, UPLINK_UNREACHABLE, "out of memory");
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
    };
    if (uplink->end.http_status) { /* its reason was waited for */
        uplink_finish(uplink, UPLINK_REFUSED, NULL);
        return;
    }
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

struct uplinks *uplinks_new(struct loop *loop, const struct endpoint *endpoint, const char *ca_file,
                            char *error, size_t error_size) {
    struct uplinks *uplinks = calloc(1, sizeof(*uplinks));
    if (!uplinks) return NULL;
    uplinks->loop = loop;
    uplinks->endpoint = endpoint;
    if (!endpoint->tls) return uplinks;
    uplinks->tls = wire_tls_new(endpoint->host, ca_file, error, error_size);
    if (uplinks->tls) return uplinks;
    free(uplinks);
    return NULL;
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
    list_init(&uplink->queue);
    buf_init(&uplink->incoming, UPLINK_MESSAGE_MAX);
    buf_init(&uplink->filling, WS_HEAD_MAX + 512 * 1024);
    task_init(&uplink->push, uplink_on_push);
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
    buf_init(message, UPLINK_MESSAGE_MAX + WS_HEAD_MAX);
    if (!buf_reserve(message, WS_HEAD_MAX)) {
        message->failed = true;
        return false;
    }
    memset(message->ptr, 0, WS_HEAD_MAX);
    buf_commit(message, WS_HEAD_MAX);
    return true;
}

struct view uplink_message_text(const struct buf *message) {
    return view_skip(buf_view(message), WS_HEAD_MAX);
}

bool uplink_is_v2(const struct uplink *uplink) {
    return uplink->is_v2;
}

void uplink_want_fill(struct uplink *uplink) {
    if (uplink->fill_wanted || uplink->phase != PHASE_OPEN) return;
    uplink->fill_wanted = true;
    tasks_post(&uplink->loop->tasks, &uplink->push);
}

bool uplink_send(struct uplink *uplink, struct buf *message) {
    struct outgoing *outgoing = NULL;
    bool ok = !message->failed && message->len > WS_HEAD_MAX && uplink->phase == PHASE_OPEN &&
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
    tasks_post(&uplink->loop->tasks, &uplink->push);
    return true;
}

void uplink_ping(struct uplink *uplink) {
    if (uplink->phase != PHASE_OPEN) return;
    uplink->ping_wanted = true;
    tasks_post(&uplink->loop->tasks, &uplink->push);
}

size_t uplink_queued_bytes(const struct uplink *uplink) {
    return uplink->queued_bytes;
}

uint64_t uplink_heard_ms(const struct uplink *uplink) {
    return uplink->heard_ms;
}

void uplink_say_goodbye(struct uplink *uplink, int code, const char *reason, uint64_t grace_ms) {
    uplink->phase = PHASE_CLOSING;
    snprintf(uplink->end.reason, sizeof(uplink->end.reason), "%s", reason);
    drop_queue(uplink);
    uplink_write_close(uplink, code);
    timer_start(&uplink->loop->timers, &uplink->deadline, grace_ms);
}

void uplink_close(struct uplink *uplink, uint64_t grace_ms) {
    if (uplink->phase == PHASE_OPEN)
        uplink_say_goodbye(uplink, CODE_NORMAL, "closed", grace_ms);
    else if (uplink->phase != PHASE_CLOSING)
        uplink_finish(uplink, UPLINK_CLOSED, "closed");
}
