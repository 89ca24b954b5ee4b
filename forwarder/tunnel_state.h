/* What the files of the tunnel share: tunnel.c (its life), tunnel_connect.c (its lanes, one after the other),
 * tunnel_gateway.c (what the gateway says) and tunnel_words.c (what people are told); nothing else includes
 * this. */
#ifndef FORWARDER_TUNNEL_STATE_H
#define FORWARDER_TUNNEL_STATE_H

#include "backoff.h"
#include "first_look.h"
#include "health.h"
#include "lane.h"
#include "renewal.h"
#include "share_link.h"
#include "tunnel.h"

#define GOODBYE_MS 100
#define OLDER_MAX 4 /* lanes that finish what they carry, at once; beyond it the oldest is cut */

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
    struct loop *loop;
    struct tunnel_settings settings;
    void (*on_exit)(void *ctx, int code);
    void *ctx;
    enum tunnel_state state; /* of `lane` */

    struct local_client *client;
    struct call_settings calls;
    struct lane *lane;             /* where the tunnel is, or will be */
    struct lane *older[OLDER_MAX]; /* that a gateway wanted replaced, oldest first */
    size_t older_count;
    struct backoff backoff;
    struct token_wait token_wait;
    struct renewal renewal;
    struct timer timer; /* greeting, wait or last words, by state */

    struct service_state service;
    struct health *health;         /* NULL: nobody asks */
    struct first_look *first_look; /* NULL: nobody looks */
    char *resume, *url;
    struct share_link share;
    bool is_new_url;     /* `url` is to be told */
    char *path_url;      /* where only some programs know the host of `url`; otherwise NULL */
    int64_t latency_ms;  /* negative: not known */
    uint64_t greeted_ms; /* when the gateway was last asked where the tunnel is */
    bool resume_refused; /* tried without it already */
    bool was_up;         /* once at least */
    bool hurries;        /* the next wait is short: this machine alone connects again */
    bool warned;         /* that the resume token cannot be kept */
    uint64_t up_ms;
};

/* ---- its life (tunnel.c) ---- */

void tunnel_stop_timers(struct tunnel *tunnel);
/* `on_exit`, once. */
void tunnel_finish(struct tunnel *tunnel, int code);
/* The same with 1, and why. */
void tunnel_fail(struct tunnel *tunnel, const char *reason);

/* ---- its lanes (tunnel_connect.c) ---- */

/* Timers and what tokens are waited for with. */
void tunnel_init_waits(struct tunnel *tunnel);
/* NULL without memory. */
struct lane *tunnel_make_lane(struct tunnel *tunnel);
/* Begins the next attempt, now; or in a while, and returns in how many ms. */
void tunnel_connect(struct tunnel *tunnel);
uint32_t tunnel_wait(struct tunnel *tunnel);
/* One that only finishes what it carries? */
static inline bool tunnel_is_older(const struct tunnel *tunnel, const struct lane *lane) {
    return lane != tunnel->lane;
}
void tunnel_drop_older(struct tunnel *tunnel, struct lane *lane);
void tunnel_retire_older(struct tunnel *tunnel);
/* To a fresh lane, without a gap. */
void tunnel_move(struct tunnel *tunnel, const char *why);

/* ---- what the gateway says (tunnel_gateway.c): struct lane_events ---- */

void tunnel_on_open(void *ctx, struct lane *lane);
void tunnel_on_message(void *ctx, struct lane *lane, const struct v1_message *message);
/* It has said so, or the time has come. */
void tunnel_on_token_expired(struct tunnel *tunnel);

/* ---- for people (tunnel_words.c): with the label in front, where there are several tunnels ---- */

void tunnel_say(const struct tunnel *tunnel, const char *format, ...) __attribute__((format(printf, 2, 3)));
void tunnel_complain(const struct tunnel *tunnel, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void tunnel_show_state(const struct tunnel *tunnel, enum board_state state, const char *why);

#endif
