/* One link to the gateway with all that hangs on it: the uplink, its requests (streams on v2, the relay on
 * v1) and its heartbeat. The tunnel has one that it is reached by, and for a while others that only finish
 * what they carry. */
#ifndef FORWARDER_LANE_H
#define FORWARDER_LANE_H

#include "call.h"
#include "protocol/v1.h"
#include "tunnel_turn.h"
#include "uplink.h"

struct lane;

/* None comes from within a call to the lane. Only `ended` and `silent` may free it. */
struct lane_events {
    void (*opened)(void *ctx, struct lane *lane);
    /* Of the gateway, requests and pings excepted; borrowed until return. */
    void (*message)(void *ctx, struct lane *lane, const struct v1_message *message);
    void (*ended)(void *ctx, struct lane *lane, const struct uplink_end *end);
    /* A ping and its answer have taken so long. */
    void (*measured)(void *ctx, struct lane *lane, uint64_t took_ms);
    /* Nothing was heard for so long: it is dead, and to be aborted. */
    void (*silent)(void *ctx, struct lane *lane, uint64_t for_ms);
    /* Retired, and all that it carried has been answered and has left. */
    void (*finished)(void *ctx, struct lane *lane);
};

/* All borrowed for the lane's life. */
struct lane_settings {
    struct loop *loop;
    struct uplinks *uplinks;
    const struct call_settings *calls;
    const struct tunnel_turn *turn;
    uint64_t heartbeat_ms;
};

/* `settings` and `events` are copied. NULL without memory. */
struct lane *lane_new(const struct lane_settings *settings, const struct lane_events *events, void *ctx);
/* Cuts what runs. NULL is fine. */
void lane_free(struct lane *lane);

/* `opened` or `ended` follows. */
void lane_connect(struct lane *lane, const struct uplink_credentials *credentials, uint64_t timeout_ms);
/* Once open: says `ready`. False without memory. */
bool lane_greet(struct lane *lane);
/* Begins to watch that the gateway lives, with a ping so often. */
void lane_watch(struct lane *lane, uint64_t heartbeat_ms);
/* There is reason to doubt that the link lives: asks at once, or knows that it is dead; `silent` follows. */
void lane_doubt(struct lane *lane);
bool lane_is_v2(const struct lane *lane);

/* Takes no new requests (v2: GOAWAY; on v1 the gateway must have said that none come); `finished` follows. */
void lane_retire(struct lane *lane);
/* Drops its requests, and watches no more. */
void lane_stop(struct lane *lane);
/* lane_stop(), and goodbye to the gateway; `ended` comes within `grace_ms`. */
void lane_close(struct lane *lane, uint64_t grace_ms);
/* lane_stop(), and ends at once; no event follows. */
void lane_abort(struct lane *lane);

#endif
