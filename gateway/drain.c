/* See drain.h. */
#include "drain.h"

#include "base/log.h"
#include "notify.h"

#define CLOSE_AGENTS_MS 2000
#define TURN_AWAY_MS 40
#define LOOK_MS 20
#define CLAIMS_BYTES_MAX ((size_t)256 * 1024 * 1024)

static void stop_accepting(struct drain_parts *parts) {
    entrance_take_waiting(parts->visitor_entrance);
    entrance_close(parts->visitor_entrance);
    entrance_stop(parts->agent_entrance);
    agent_accept_stop(parts->accept);
    visitors_drain(parts->visitors);
    agent_ws_tell_draining(parts->agents);
    log_info("gateway", "accepting nobody any more: %zu requests under way, %zu agents",
             visitors_busy(parts->visitors), agent_ws_count(parts->agents));
}

/* An exchange may have no visitor of ours, and a visitor (or a peer) still reads when his exchange has ended.
 */
static bool has_finished(const struct drain_parts *parts) {
    return visitors_busy(parts->visitors) == 0 && entrance_waiting(parts->visitor_entrance) == 0 &&
           core_exchange_count(parts->core) == 0 && backend_busy(parts->backend) == 0 &&
           peering_busy(parts->peering) == 0;
}

static void tell_late(const struct drain_parts *parts) {
    log_warn("gateway",
             "not finished in time, and ended: %zu visitors' requests, %zu exchanges, %zu for agents here, "
             "%zu of peers",
             visitors_busy(parts->visitors), core_exchange_count(parts->core), backend_busy(parts->backend),
             peering_busy(parts->peering));
}

/* The agents and the peers are gone, and the store knows. */
static bool all_is_told(const struct drain_parts *parts) {
    return agent_ws_count(parts->agents) == 0 && agent_ws_peers(parts->agents) == 0 &&
           backend_is_idle(parts->backend);
}

static void enter(struct drain *drain, enum drain_phase phase, uint64_t limit_ms) {
    drain->phase = phase;
    drain->deadline_ms = loop_now(drain->parts.loop) + (drain->hurry ? 0 : limit_ms);
}

static void on_look(struct timer *timer) {
    struct drain *drain = LIST_ENTRY(timer, struct drain, timer);
    struct drain_parts *parts = &drain->parts;
    bool late = loop_now(parts->loop) >= drain->deadline_ms;
    if (drain->phase == DRAIN_DELAY && late) {
        entrance_turn_away(parts->visitor_entrance);
        enter(drain, DRAIN_TURNING, TURN_AWAY_MS);
    } else if (drain->phase == DRAIN_TURNING && late) {
        stop_accepting(parts);
        enter(drain, DRAIN_FINISHING, parts->timeout_ms);
    } else if (drain->phase == DRAIN_FINISHING && (late || has_finished(parts))) {
        if (!has_finished(parts) && !drain->hurry) tell_late(parts);
        agent_ws_close_all(parts->agents);
        drain->hurry = false;
        enter(drain, DRAIN_CLOSING, CLOSE_AGENTS_MS);
    } else if (drain->phase == DRAIN_CLOSING && (late || all_is_told(parts))) {
        loop_quit(parts->loop);
        return;
    }
    timer_start(&parts->loop->timers, &drain->timer, LOOK_MS);
}

void drain_init(struct drain *drain) {
    *drain = (struct drain){.phase = DRAIN_NO};
    timer_init(&drain->timer, on_look);
}

/* The ports stay open, for the successor: who connects from now on is its visitor. */
static void hand_over(struct drain_parts *parts) {
    struct buf claims;
    entrance_close(parts->visitor_entrance);
    entrance_close(parts->agent_entrance);
    listener_free(*parts->admin_port);
    *parts->admin_port = NULL;
    agent_accept_stop(parts->accept);
    buf_init(&claims, CLAIMS_BYTES_MAX);
    backend_export(parts->backend, &claims);
    handover_go(parts->handover, buf_view(&claims));
    buf_done(&claims);
    visitors_hand_over(parts->visitors, handover_pass, parts->handover);
    agent_ws_tell_draining(parts->agents);
}

void drain_start(struct drain *drain, const struct drain_parts *parts) {
    drain->parts = *parts;
    if (parts->handover) {
        admin_set_state(parts->admin, ADMIN_DRAINING);
        hand_over(&drain->parts);
        enter(drain, DRAIN_FINISHING, parts->timeout_ms);
        on_look(&drain->timer);
        return;
    }
    uint64_t delay_ms = admin_is_watched(parts->admin) ? parts->delay_ms : 0;
    notify_tell("STOPPING=1\nSTATUS=Finishing what runs");
    log_info("gateway", "stopping, in %llu ms", (unsigned long long)delay_ms);
    admin_set_state(parts->admin, ADMIN_DRAINING);
    visitors_close_after(parts->visitors);
    enter(drain, DRAIN_DELAY, delay_ms);
    on_look(&drain->timer);
}

void drain_hurry(struct drain *drain) {
    drain->hurry = drain->phase != DRAIN_CLOSING;
    if (drain->hurry) drain->deadline_ms = loop_now(drain->parts.loop);
}

void drain_stop(struct drain *drain, struct loop *loop) {
    timer_stop(&loop->timers, &drain->timer);
}
