#include "lane.h"

#include <stdlib.h>

#include "base/log.h"
#include "heartbeat.h"
#include "link/link.h"
#include "protocol/chunks.h"
#include "relay.h"
#include "streams.h"

#define PIECES_PENDING_MS 60000

struct lane {
    struct lane_settings settings;
    struct lane_events events;
    void *ctx;
    struct uplink *uplink;
    struct relay *relay;     /* v1 */
    struct streams *streams; /* v2 */
    struct chunks chunks;    /* v1: requests that come in pieces */
    bool cuts_messages;      /* v1: the gateway takes answers in pieces */
    struct heartbeat heartbeat;
    struct wire_intake intake;
    struct pieces pieces;         /* of what comes: how much is taken at once */
    struct pieces_done done;      /* v1: what has come; its bytes are v2's, too */
    struct loop_hook fills_later; /* in the loop's list where `fill` was put off */
    uint64_t asked_ms;            /* by a ping that is not answered yet; 0: there is none */
    struct task settle;           /* looks whether a retired lane has finished */
    bool is_retired;
};

/* ---- saying something ---- */

/* A control message: a text message on v1, a line of the control stream on v2. */
static void say(struct lane *lane, bool (*encode)(struct lane *lane, struct buf *out)) {
    struct buf message;
    if (!uplink_is_v2(lane->uplink)) {
        if (uplink_message_init(&message)) encode(lane, &message);
        uplink_send(lane->uplink, &message);
        return;
    }
    buf_init(&message, 64 * 1024);
    if (encode(lane, &message)) streams_control(lane->streams, buf_view(&message));
    buf_done(&message);
}

static bool encode_ready(struct lane *lane, struct buf *out) {
    unsigned more = uplink_is_v2(lane->uplink) ? V1_CAP_UPGRADES : V1_CAP_CHUNKS;
    if (lane->settings.calls->may_index) more |= V1_CAP_INDEX;
    return v1_encode_ready(out, V1_CAP_RESUME | more, lane->settings.calls->request_timeout_ms);
}

static bool encode_ping(struct lane *lane, struct buf *out) {
    (void)lane;
    return v1_encode_ping(out);
}

static bool encode_pong(struct lane *lane, struct buf *out) {
    (void)lane;
    return v1_encode_pong(out);
}

bool lane_greet(struct lane *lane) {
    bool is_v2 = uplink_is_v2(lane->uplink);
    if (is_v2 && !streams_start(lane->streams)) return false;
    say(lane, encode_ready);
    if (is_v2) uplink_want_fill(lane->uplink);
    return true;
}

/* ---- the heartbeat ---- */

static void ask(void *ctx) {
    struct lane *lane = ctx;
    if (!lane->asked_ms) lane->asked_ms = loop_now(lane->settings.loop);
    if (uplink_is_v2(lane->uplink)) {
        streams_ping(lane->streams);
        return;
    }
    say(lane, encode_ping);
    uplink_ping(lane->uplink); /* answered by any WebSocket server, also one that does not know ours */
}

static void on_pong(void *ctx) {
    struct lane *lane = ctx;
    uint64_t asked_ms = lane->asked_ms;
    lane->asked_ms = 0;
    if (asked_ms) lane->events.measured(lane->ctx, lane, loop_now(lane->settings.loop) - asked_ms);
}

static uint64_t heard_ms(void *ctx) {
    const struct lane *lane = ctx;
    return uplink_heard_ms(lane->uplink);
}

static uint64_t moved_ms(void *ctx) {
    const struct lane *lane = ctx;
    return uplink_moved_ms(lane->uplink);
}

static void on_silent(void *ctx, uint64_t for_ms) {
    struct lane *lane = ctx;
    lane->events.silent(lane->ctx, lane, for_ms);
}

void lane_watch(struct lane *lane, uint64_t heartbeat_ms) {
    lane->heartbeat.interval_ms = heartbeat_ms;
    lane->heartbeat.asks_always = uplink_is_v2(lane->uplink); /* on v1 a message may cost (AWS) */
    heartbeat_start(&lane->heartbeat);
}

void lane_doubt(struct lane *lane) {
    if (lane->uplink && uplink_is_stranded(lane->uplink))
        heartbeat_give_up(&lane->heartbeat);
    else
        heartbeat_doubt(&lane->heartbeat);
}

/* ---- the end of one that was retired ---- */

static bool has_finished(const struct lane *lane) {
    return lane->is_retired && !relay_count(lane->relay) && !streams_count(lane->streams) &&
           !uplink_queued_bytes(lane->uplink) && !streams_want_send(lane->streams);
}

static void on_settle(struct task *task) {
    struct lane *lane = LIST_ENTRY(task, struct lane, settle);
    if (has_finished(lane)) lane->events.finished(lane->ctx, lane);
}

static void settle_later(void *ctx) {
    struct lane *lane = ctx;
    if (lane->is_retired) tasks_post(&lane->settings.loop->tasks, &lane->settle);
}

void lane_retire(struct lane *lane) {
    if (lane->is_retired) return;
    lane->is_retired = true;
    streams_drain(lane->streams);
    settle_later(lane);
}

/* ---- what the uplink tells ---- */

static void on_open(void *ctx) {
    struct lane *lane = ctx;
    lane->events.opened(lane->ctx, lane);
}

/* Pieces join to a request, and nothing else. */
static void on_chunk(struct lane *lane, const struct v1_message *piece) {
    struct buf text;
    enum status status;
    buf_init(&text, UPLINK_MESSAGE_MAX);
    enum chunk_result result = chunks_add(&lane->chunks, (struct view){0}, piece->request_id, &piece->chunk,
                                          loop_now(lane->settings.loop), &text);
    struct v1_message *joined =
        result == CHUNK_COMPLETE ? v1_message_parse(buf_view(&text), RELAY_BODY_MAX, &status) : NULL;
    buf_done(&text);
    if (joined && joined->type == V1_HTTP_REQUEST && view_eq(joined->request_id, piece->request_id)) {
        relay_take(lane->relay, joined);
        return;
    }
    if (joined || result == CHUNK_COMPLETE || result == CHUNK_REFUSED)
        log_warn("tunnel", "a piece of a message of the gateway is ignored");
    v1_message_free(joined);
}

/* Only v1 has these. */
static bool on_request(struct lane *lane, struct v1_message *message) {
    if (uplink_is_v2(lane->uplink)) return false;
    if (message->type == V1_HTTP_REQUEST) {
        relay_take(lane->relay, message);
        return true;
    }
    if (message->type != V1_CHUNK) return false;
    on_chunk(lane, message);
    v1_message_free(message);
    return true;
}

static void on_message(void *ctx, struct view text) {
    struct lane *lane = ctx;
    enum status status;
    lane->done.work += LINK_HEAD_WORK;
    lane->done.bytes += text.len;
    struct v1_message *message = v1_message_parse(text, RELAY_BODY_MAX, &status);
    if (!message) {
        log_warn("tunnel", "a message of the gateway is ignored: %s", status_text(status));
        return;
    }
    if (on_request(lane, message)) return;
    if (message->type == V1_CONNECTION_ESTABLISHED)
        lane->cuts_messages = (message->capabilities & V1_CAP_CHUNKS) && !uplink_is_v2(lane->uplink);
    if (message->type == V1_PING)
        say(lane, encode_pong);
    else if (message->type == V1_PONG)
        on_pong(lane);
    else if (message->type != V1_HTTP_REQUEST)
        lane->events.message(lane->ctx, lane, message);
    v1_message_free(message);
}

static void on_sent(void *ctx) {
    struct lane *lane = ctx;
    relay_flow(lane->relay);
    settle_later(lane);
}

static void on_end(void *ctx, const struct uplink_end *end) {
    struct lane *lane = ctx;
    log_debug("tunnel", "the link ended: %s", end->reason);
    lane->events.ended(lane->ctx, lane, end);
}

static bool on_bytes(void *ctx, struct view bytes) {
    struct lane *lane = ctx;
    const char *reason = "no link";
    lane->done.bytes += bytes.len;
    enum status status = streams_receive(lane->streams, bytes, &reason);
    if (status != STATUS_OK) log_warn("tunnel", "the link is broken: %s", reason);
    return status == STATUS_OK;
}

/* ---- turns, where there are several tunnels ---- */

static size_t takes(void *ctx) {
    struct lane *lane = ctx;
    struct pieces_done done = lane->done;
    done.work += streams_work(lane->streams);
    return pieces_take(&lane->pieces, lane->settings.turn->links, lane->settings.loop, &done);
}

static bool on_fills_later(struct loop_hook *hook) {
    struct lane *lane = LIST_ENTRY(hook, struct lane, fills_later);
    if (!turn_taker_may(&lane->settings.turn->taker, TURN_OUT)) {
        loop_again(lane->settings.loop);
        return false;
    }
    loop_hook_remove(hook);
    uplink_want_fill(lane->uplink);
    return true;
}

static void fill_later(struct lane *lane) {
    if (list_empty(&lane->fills_later.node)) loop_hook_add(lane->settings.loop, &lane->fills_later);
    loop_again(lane->settings.loop);
}

static inline bool fill_now(struct lane *lane, struct buf *message) {
    bool ok = streams_send(lane->streams, message) == STATUS_OK;
    if (ok && streams_want_send(lane->streams)) uplink_want_fill(lane->uplink);
    settle_later(lane);
    return ok;
}

/* One that comes behind others makes short messages. */
static bool fill_in_turn(struct lane *lane, struct buf *message) {
    const struct turn_taker *taker = &lane->settings.turn->taker;
    size_t max = message->max, len = message->len;
    if (!turn_taker_may(taker, TURN_OUT)) {
        fill_later(lane);
        return true;
    }
    if (turn_taker_is_behind(taker)) message->max = len + TURN_FEW_BYTES;
    bool ok = fill_now(lane, message);
    message->max = max;
    if (message->len > len) turn_taker_spend(taker, TURN_OUT, message->len - len);
    return ok;
}

static bool fill(void *ctx, struct buf *message) {
    struct lane *lane = ctx;
    return lane->settings.turn->taker.share ? fill_in_turn(lane, message) : fill_now(lane, message);
}

/* ---- what relay and streams ask for ---- */

static bool begin_message(void *ctx, struct buf *message) {
    (void)ctx;
    return uplink_message_init(message);
}

/* Behind API Gateway nothing longer arrives. */
static bool send_pieces(struct lane *lane, struct view request_id, struct view text) {
    struct chunk_cutter cutter;
    if (!chunk_cutter_init(&cutter, request_id, text, CHUNKS_MESSAGE_MAX)) return false;
    while (cutter.rest.len > 0) {
        struct buf piece;
        if (uplink_message_init(&piece)) chunk_cutter_next(&cutter, &piece);
        if (!uplink_send(lane->uplink, &piece)) return false;
    }
    return true;
}

static bool send_message(void *ctx, struct view request_id, struct buf *message) {
    struct lane *lane = ctx;
    struct view text = uplink_message_text(message);
    if (message->failed || !lane->cuts_messages || text.len <= CHUNKS_MESSAGE_MAX)
        return uplink_send(lane->uplink, message);
    bool sent = send_pieces(lane, request_id, text);
    buf_done(message);
    return sent;
}

static size_t waiting_bytes(void *ctx) {
    const struct lane *lane = ctx;
    return uplink_queued_bytes(lane->uplink);
}

static void on_streams_writable(void *ctx) {
    struct lane *lane = ctx;
    uplink_want_fill(lane->uplink);
}

/* ---- life ---- */

static bool make_relay(struct lane *lane) {
    const struct relay_host host = {.ctx = lane,
                                    .begin = begin_message,
                                    .send = send_message,
                                    .waiting_bytes = waiting_bytes,
                                    .idle = settle_later};
    lane->relay = relay_new(lane->settings.calls, &host);
    return lane->relay != NULL;
}

static bool make_streams(struct lane *lane) {
    const struct streams_host host = {.ctx = lane,
                                      .control = on_message,
                                      .writable = on_streams_writable,
                                      .idle = settle_later,
                                      .pong = on_pong};
    lane->streams = streams_new(lane->settings.calls, &host);
    return lane->streams != NULL;
}

static bool make_uplink(struct lane *lane) {
    const struct uplink_events events = {
        .on_open = on_open,
        .on_message = on_message,
        .on_sent = on_sent,
        .on_end = on_end,
        .on_bytes = on_bytes,
        .fill = fill,
        .intake = &lane->intake,
    };
    lane->intake = (struct wire_intake){.taker = &lane->settings.turn->taker, .takes = takes, .ctx = lane};
    lane->uplink = uplink_new(lane->settings.uplinks, &events, lane);
    return lane->uplink != NULL;
}

struct lane *lane_new(const struct lane_settings *settings, const struct lane_events *events, void *ctx) {
    struct lane *lane = calloc(1, sizeof(*lane));
    if (!lane) return NULL;
    lane->settings = *settings;
    lane->events = *events;
    lane->ctx = ctx;
    const struct heartbeat_host host = {
        .ctx = lane, .ask = ask, .heard_ms = heard_ms, .moved_ms = moved_ms, .silent = on_silent};
    heartbeat_init(&lane->heartbeat, settings->loop, settings->heartbeat_ms, &host);
    task_init(&lane->settle, on_settle);
    loop_hook_init(&lane->fills_later, on_fills_later);
    chunks_init(&lane->chunks, &(struct chunks_limits){.message_bytes = UPLINK_MESSAGE_MAX,
                                                       .sender_bytes = RELAY_HELD_SOFT,
                                                       .all_bytes = RELAY_HELD_SOFT,
                                                       .messages = RELAY_REQUESTS_MAX,
                                                       .pending_ms = PIECES_PENDING_MS});
    if (make_uplink(lane) && make_relay(lane) && make_streams(lane)) return lane;
    lane_free(lane);
    return NULL;
}

void lane_stop(struct lane *lane) {
    heartbeat_stop(&lane->heartbeat);
    task_cancel(&lane->settle);
    loop_hook_remove(&lane->fills_later);
    if (lane->relay) relay_cancel_all(lane->relay);
    if (lane->streams) streams_stop(lane->streams);
    chunks_forget(&lane->chunks, (struct view){0});
    lane->cuts_messages = false;
}

void lane_abort(struct lane *lane) {
    lane_stop(lane);
    if (lane->uplink) uplink_abort(lane->uplink);
}

void lane_close(struct lane *lane, uint64_t grace_ms) {
    lane_stop(lane);
    uplink_close(lane->uplink, grace_ms);
}

void lane_free(struct lane *lane) {
    if (!lane) return;
    lane_abort(lane);
    relay_free(lane->relay);
    streams_free(lane->streams);
    uplink_free(lane->uplink);
    chunks_done(&lane->chunks);
    free(lane);
}

void lane_connect(struct lane *lane, const struct uplink_credentials *credentials, uint64_t timeout_ms) {
    lane->is_retired = false;
    lane->asked_ms = 0;
    pieces_init(&lane->pieces);
    lane->done = (struct pieces_done){.work = 0};
    uplink_connect(lane->uplink, credentials, timeout_ms);
}

bool lane_is_v2(const struct lane *lane) {
    return uplink_is_v2(lane->uplink);
}
