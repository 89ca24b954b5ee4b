/* The tunnel's lanes (tunnel_state.h): one after the other, with growing waits, or side by side for as long
 * as an older one finishes what it carries. */
#include <stdio.h>
#include <stdlib.h>

#include "base/ids.h"
#include "base/log.h"
#include "refusal.h"
#include "tunnel_state.h"

#define STABLE_MS 10000 /* a link that lived as long makes the next wait short again */
#define HURRY_MS 3000   /* who is given up so soon has slept, or changed its network */

/* ---- connecting ---- */

static void connect_with(struct tunnel *tunnel, const char *error) {
    if (error && !token_text(tunnel->settings.token)) {
        tunnel_fail(tunnel, error);
        return;
    }
    if (error) tunnel_complain(tunnel, "%s; the one of before is used", error);
    struct uplink_credentials credentials = {
        .token = token_text(tunnel->settings.token),
        .name = tunnel->settings.name,
        .domain = tunnel->settings.domain,
        .resume = tunnel->resume,
        .policy = tunnel->settings.rules->policy,
    };
    renewal_note(&tunnel->renewal);
    lane_connect(tunnel->lane, &credentials, tunnel->settings.connect_timeout_ms);
}

static void on_token(struct token_wait *wait, const char *error) {
    connect_with(LIST_ENTRY(wait, struct tunnel, token_wait), error);
}

void tunnel_connect(struct tunnel *tunnel) {
    char error[512];
    tunnel->state = TUNNEL_CONNECTING;
    renewal_stop(&tunnel->renewal);
    if (tunnel->settings.token_command)
        token_command_ask(tunnel->settings.token_command, &tunnel->token_wait);
    else
        connect_with(tunnel, token_refresh(tunnel->settings.token, error, sizeof(error)) ? NULL : error);
}

uint32_t tunnel_wait(struct tunnel *tunnel) {
    uint32_t random;
    ids_random(&random, sizeof(random));
    if (tunnel->hurries) random = 0;
    tunnel->hurries = false;
    uint32_t wait_ms = backoff_next_ms(&tunnel->backoff, random, loop_now(tunnel->loop));
    tunnel->state = TUNNEL_WAITING;
    resume_store_tell(tunnel->settings.resume, tunnel->older_count > 0);
    if (!timer_start(&tunnel->loop->timers, &tunnel->timer, wait_ms)) tunnel_fail(tunnel, "out of memory");
    return wait_ms;
}

static void connect_later(struct tunnel *tunnel, const char *what, const char *reason) {
    bool stable = tunnel->state == TUNNEL_UP && loop_now(tunnel->loop) - tunnel->up_ms >= STABLE_MS;
    if (stable) backoff_reset(&tunnel->backoff);
    lane_stop(tunnel->lane);
    uint32_t wait_ms = tunnel_wait(tunnel);
    tunnel_show_state(tunnel, BOARD_DOWN, reason);
    tunnel_say(tunnel, "%s (%s); %s in %.1f s", what, reason,
               tunnel->was_up ? "reconnecting" : "trying again", wait_ms / 1000.0);
}

/* A token that is not taken any more may soon be renewed. */
static bool may_be_renewed(const struct tunnel *tunnel, const struct uplink_end *end) {
    return tunnel->was_up && token_is_renewed(tunnel->settings.token) && end->failure == UPLINK_REFUSED &&
           end->http_status == 401;
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
        tunnel_connect(tunnel);
    } else if (refusal_is_final(end, tunnel->was_up) && !may_be_renewed(tunnel, end)) {
        if (tunnel->settings.endpoint_is_default && end->failure == UPLINK_UNREACHABLE)
            snprintf(
                reason, sizeof(reason),
                "no gateway runs on this machine (%.60s): start one with ttf-gateway, or say where one is "
                "with -e URL",
                tunnel->settings.endpoint->shown);
        tunnel_fail(tunnel, reason);
    } else {
        connect_later(tunnel, "Connection failed", reason);
    }
}

static void on_own_end(struct tunnel *tunnel, const struct uplink_end *end) {
    switch (tunnel->state) {
    case TUNNEL_CONNECTING:
    case TUNNEL_GREETING: on_failed_attempt(tunnel, end); break;
    case TUNNEL_UP: connect_later(tunnel, "Connection lost", end->reason); break;
    case TUNNEL_LEAVING: tunnel_finish(tunnel, 1); break;
    case TUNNEL_STOPPING: tunnel_finish(tunnel, 0); break;
    case TUNNEL_WAITING:
    case TUNNEL_OVER: break;
    }
}

/* ---- older lanes ---- */

void tunnel_drop_older(struct tunnel *tunnel, struct lane *lane) {
    size_t kept = 0;
    for (size_t i = 0; i < tunnel->older_count; i++)
        if (tunnel->older[i] != lane) tunnel->older[kept++] = tunnel->older[i];
    tunnel->older_count = kept;
    lane_free(lane);
}

/* The gateway that went down has gone. Where there is no other, its successor may be there any moment. */
static void on_older_end(struct tunnel *tunnel, struct lane *lane) {
    tunnel_drop_older(tunnel, lane);
    if (tunnel->older_count || tunnel->state != TUNNEL_WAITING) return;
    backoff_reset(&tunnel->backoff);
    tunnel_wait(tunnel);
}

static void on_end(void *ctx, struct lane *lane, const struct uplink_end *end) {
    struct tunnel *tunnel = ctx;
    if (tunnel_is_older(tunnel, lane))
        on_older_end(tunnel, lane);
    else
        on_own_end(tunnel, end);
}

static void on_finished(void *ctx, struct lane *lane) {
    (void)ctx;
    lane_close(lane, GOODBYE_MS);
}

/* Make before break: the lane goes on serving while another connects, and after that finishes what it
 * carries. */
void tunnel_move(struct tunnel *tunnel, const char *why) {
    if (tunnel->state != TUNNEL_UP) return;
    struct lane *next = tunnel_make_lane(tunnel);
    if (!next) return; /* then when this one ends */
    if (tunnel->older_count == OLDER_MAX) tunnel_drop_older(tunnel, tunnel->older[0]);
    tunnel->older[tunnel->older_count++] = tunnel->lane;
    tunnel->lane = next;
    backoff_reset(&tunnel->backoff);
    tunnel_say(tunnel, "%s; connecting again", why);
    tunnel_connect(tunnel);
}

static void on_renewed(struct renewal *renewal) {
    tunnel_move(LIST_ENTRY(renewal, struct tunnel, renewal), "There is a new token");
}

static void on_token_ended(struct renewal *renewal) {
    tunnel_on_token_expired(LIST_ENTRY(renewal, struct tunnel, renewal));
}

/* The claim is the new lane's: nothing more is meant for the older ones. On v1 the gateway has to say so. */
void tunnel_retire_older(struct tunnel *tunnel) {
    for (size_t i = 0; i < tunnel->older_count; i++)
        if (lane_is_v2(tunnel->older[i])) lane_retire(tunnel->older[i]);
}

static void on_timer(struct timer *timer) {
    struct tunnel *tunnel = LIST_ENTRY(timer, struct tunnel, timer);
    if (tunnel->state == TUNNEL_WAITING) {
        tunnel_connect(tunnel);
    } else if (tunnel->state == TUNNEL_LEAVING) {
        tunnel_finish(tunnel, 1);
    } else if (tunnel->state == TUNNEL_GREETING) {
        struct uplink_end end = {.failure = UPLINK_TIMEOUT,
                                 .reason = "connected, but the gateway did not say where the tunnel is"};
        lane_abort(tunnel->lane);
        on_failed_attempt(tunnel, &end);
    }
}

static void on_silent(void *ctx, struct lane *lane, uint64_t for_ms) {
    struct tunnel *tunnel = ctx;
    if (tunnel_is_older(tunnel, lane)) {
        on_older_end(tunnel, lane);
        return;
    }
    if (tunnel->state != TUNNEL_UP) return;
    char reason[64] = "this machine's address has changed";
    if (for_ms >= 1000)
        snprintf(reason, sizeof(reason), "nothing heard for %llu s", (unsigned long long)(for_ms / 1000));
    tunnel->hurries = for_ms < HURRY_MS;
    lane_abort(lane);
    connect_later(tunnel, "Connection lost", reason);
}

static void on_measured(void *ctx, struct lane *lane, uint64_t took_ms) {
    struct tunnel *tunnel = ctx;
    if (tunnel_is_older(tunnel, lane) || tunnel->state != TUNNEL_UP) return;
    tunnel->latency_ms = (int64_t)took_ms;
    console_latency(tunnel->settings.console, tunnel, took_ms);
}

/* ---- what they are made of ---- */

struct lane *tunnel_make_lane(struct tunnel *tunnel) {
    static const struct lane_events events = {.opened = tunnel_on_open,
                                              .message = tunnel_on_message,
                                              .ended = on_end,
                                              .measured = on_measured,
                                              .silent = on_silent,
                                              .finished = on_finished};
    const struct lane_settings settings = {
        .loop = tunnel->loop,
        .uplinks = tunnel->settings.uplinks,
        .calls = &tunnel->calls,
        .turn = tunnel->settings.turn,
        .heartbeat_ms = tunnel->settings.heartbeat_ms,
    };
    return lane_new(&settings, &events, tunnel);
}

void tunnel_init_waits(struct tunnel *tunnel) {
    const struct tunnel_settings *settings = &tunnel->settings;
    timer_init(&tunnel->timer, on_timer);
    token_wait_init(&tunnel->token_wait, on_token);
    renewal_init(&tunnel->renewal, tunnel->loop, settings->token, settings->token_command, on_renewed,
                 on_token_ended);
}
