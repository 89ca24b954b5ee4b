#include "tunnel.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "backoff.h"
#include "base/ids.h"
#include "base/log.h"
#include "health.h"
#include "heartbeat.h"
#include "lane.h"
#include "open_url.h"
#include "refusal.h"
#include "renewal.h"
#include "share_link.h"

#define STABLE_MS 10000 /* a link that lived as long makes the next wait short again */
#define GOODBYE_MS 100
#define HURRY_MS 3000 /* who is given up so soon has slept, or changed its network */
#define LOCAL_CONNECT_MAX_MS 5000
#define LAST_WORDS_MS 30000 /* for requests under way when the tunnel was taken over */
#define OLDER_MAX 4         /* lanes that finish what they carry, at once; beyond it the oldest is cut */

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
    struct health *health; /* NULL: nobody asks */
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

/* ---- for people ---- */

typedef void console_fn(struct console *console, const char *format, ...);

/* Where there are several tunnels, with the label in front. */
static void tell(const struct tunnel *tunnel, console_fn *say_to, const char *format, va_list arguments) {
    char text[4096];
    const char *label = tunnel->settings.label;
    vsnprintf(text, sizeof(text), format, arguments);
    say_to(tunnel->settings.console, "%s%s%s", label ? label : "", label ? ": " : "", text);
}

__attribute__((format(printf, 2, 3))) static void say(const struct tunnel *tunnel, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    tell(tunnel, console_line, format, arguments);
    va_end(arguments);
}

__attribute__((format(printf, 2, 3))) static void complain(const struct tunnel *tunnel, const char *format,
                                                           ...) {
    va_list arguments;
    va_start(arguments, format);
    tell(tunnel, console_error, format, arguments);
    va_end(arguments);
}

static void show_state(const struct tunnel *tunnel, enum board_state state, const char *why) {
    const struct console_tunnel shown = {.key = tunnel,
                                         .label = tunnel->settings.label,
                                         .state = state,
                                         .service = tunnel->settings.service,
                                         .gateway = tunnel->settings.endpoint->authority,
                                         .url = tunnel->url,
                                         .path_url = tunnel->path_url,
                                         .share_url = tunnel->share.url,
                                         .share_until_s = tunnel->share.expires_s,
                                         .why = why,
                                         .is_new_url = tunnel->is_new_url,
                                         .latency_ms = tunnel->latency_ms};
    console_tunnel(tunnel->settings.console, &shown);
}

static void stop_timers(struct tunnel *tunnel) {
    timer_stop(&tunnel->loop->timers, &tunnel->timer);
    token_wait_cancel(&tunnel->token_wait);
    renewal_stop(&tunnel->renewal);
}

static void finish(struct tunnel *tunnel, int code) {
    if (tunnel->state == TUNNEL_OVER) return;
    tunnel->state = TUNNEL_OVER;
    stop_timers(tunnel);
    tunnel->on_exit(tunnel->ctx, code);
}

static void fail(struct tunnel *tunnel, const char *reason) {
    complain(tunnel, "%s", reason);
    finish(tunnel, 1);
}

/* ---- connecting ---- */

static void connect_with(struct tunnel *tunnel, const char *error) {
    if (error && !token_text(tunnel->settings.token)) {
        fail(tunnel, error);
        return;
    }
    if (error) complain(tunnel, "%s; the one of before is used", error);
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

static void connect_now(struct tunnel *tunnel) {
    char error[512];
    tunnel->state = TUNNEL_CONNECTING;
    renewal_stop(&tunnel->renewal);
    if (tunnel->settings.token_command)
        token_command_ask(tunnel->settings.token_command, &tunnel->token_wait);
    else
        connect_with(tunnel, token_refresh(tunnel->settings.token, error, sizeof(error)) ? NULL : error);
}

static uint32_t wait_before_next(struct tunnel *tunnel) {
    uint32_t random;
    ids_random(&random, sizeof(random));
    if (tunnel->hurries) random = 0;
    tunnel->hurries = false;
    uint32_t wait_ms = backoff_next_ms(&tunnel->backoff, random, loop_now(tunnel->loop));
    tunnel->state = TUNNEL_WAITING;
    resume_store_tell(tunnel->settings.resume, tunnel->older_count > 0);
    if (!timer_start(&tunnel->loop->timers, &tunnel->timer, wait_ms)) fail(tunnel, "out of memory");
    return wait_ms;
}

static void connect_later(struct tunnel *tunnel, const char *what, const char *reason) {
    bool stable = tunnel->state == TUNNEL_UP && loop_now(tunnel->loop) - tunnel->up_ms >= STABLE_MS;
    if (stable) backoff_reset(&tunnel->backoff);
    lane_stop(tunnel->lane);
    uint32_t wait_ms = wait_before_next(tunnel);
    show_state(tunnel, BOARD_DOWN, reason);
    say(tunnel, "%s (%s); %s in %.1f s", what, reason, tunnel->was_up ? "reconnecting" : "trying again",
        wait_ms / 1000.0);
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
        connect_now(tunnel);
    } else if (refusal_is_final(end, tunnel->was_up) && !may_be_renewed(tunnel, end)) {
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

static void on_own_end(struct tunnel *tunnel, const struct uplink_end *end) {
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

/* ---- older lanes ---- */

static bool is_older(const struct tunnel *tunnel, const struct lane *lane) {
    return lane != tunnel->lane;
}

static void drop_older(struct tunnel *tunnel, struct lane *lane) {
    size_t kept = 0;
    for (size_t i = 0; i < tunnel->older_count; i++)
        if (tunnel->older[i] != lane) tunnel->older[kept++] = tunnel->older[i];
    tunnel->older_count = kept;
    lane_free(lane);
}

/* The gateway that went down has gone. Where there is no other, its successor may be there any moment. */
static void on_older_end(struct tunnel *tunnel, struct lane *lane) {
    drop_older(tunnel, lane);
    if (tunnel->older_count || tunnel->state != TUNNEL_WAITING) return;
    backoff_reset(&tunnel->backoff);
    wait_before_next(tunnel);
}

static void on_end(void *ctx, struct lane *lane, const struct uplink_end *end) {
    struct tunnel *tunnel = ctx;
    if (is_older(tunnel, lane))
        on_older_end(tunnel, lane);
    else
        on_own_end(tunnel, end);
}

static void on_finished(void *ctx, struct lane *lane) {
    (void)ctx;
    lane_close(lane, GOODBYE_MS);
}

static struct lane *make_lane(struct tunnel *tunnel);
static void on_token_expired(struct tunnel *tunnel);

/* Make before break: the lane goes on serving while another connects, and after that finishes what it
 * carries. */
static void move(struct tunnel *tunnel, const char *why) {
    if (tunnel->state != TUNNEL_UP) return;
    struct lane *next = make_lane(tunnel);
    if (!next) return; /* then when this one ends */
    if (tunnel->older_count == OLDER_MAX) drop_older(tunnel, tunnel->older[0]);
    tunnel->older[tunnel->older_count++] = tunnel->lane;
    tunnel->lane = next;
    backoff_reset(&tunnel->backoff);
    say(tunnel, "%s; connecting again", why);
    connect_now(tunnel);
}

static void on_renewed(struct renewal *renewal) {
    move(LIST_ENTRY(renewal, struct tunnel, renewal), "There is a new token");
}

static void on_token_ended(struct renewal *renewal) {
    on_token_expired(LIST_ENTRY(renewal, struct tunnel, renewal));
}

/* The claim is the new lane's: nothing more is meant for the older ones. On v1 the gateway has to say so. */
static void retire_older(struct tunnel *tunnel) {
    for (size_t i = 0; i < tunnel->older_count; i++)
        if (lane_is_v2(tunnel->older[i])) lane_retire(tunnel->older[i]);
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
        lane_abort(tunnel->lane);
        on_failed_attempt(tunnel, &end);
    }
}

static void on_silent(void *ctx, struct lane *lane, uint64_t for_ms) {
    struct tunnel *tunnel = ctx;
    if (is_older(tunnel, lane)) {
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
    if (is_older(tunnel, lane) || tunnel->state != TUNNEL_UP) return;
    tunnel->latency_ms = (int64_t)took_ms;
    console_latency(tunnel->settings.console, tunnel, took_ms);
}

/* ---- messages ---- */

static void on_open(void *ctx, struct lane *lane) {
    struct tunnel *tunnel = ctx;
    tunnel->state = TUNNEL_GREETING;
    tunnel->greeted_ms = loop_now(tunnel->loop);
    say(tunnel, "\xe2\x9c\x85 WebSocket connection established");
    log_info("tunnel", "connected, protocol %s", lane_is_v2(lane) ? "v2" : "v1");
    if (lane_greet(lane))
        timer_start(&tunnel->loop->timers, &tunnel->timer, tunnel->settings.connect_timeout_ms);
    else
        fail(tunnel, "out of memory");
}

static void keep_resume(struct tunnel *tunnel, struct view token) {
    if (!token.len) return;
    char error[512];
    free(tunnel->resume);
    tunnel->resume = view_to_cstr(token);
    if (resume_store_save(tunnel->settings.resume, token, error, sizeof(error)) || tunnel->warned) return;
    tunnel->warned = true;
    complain(tunnel, "the tunnel's URL will not survive a restart of ttf: %s", error);
}

/* URLs come from the gateway and go to a terminal. */
static bool url_is_sane(struct view url) {
    for (size_t i = 0; i < url.len; i++)
        if ((unsigned char)url.ptr[i] <= 0x20 || (unsigned char)url.ptr[i] >= 0x7f) return false;
    return url.len > 0 && url.len < 2048;
}

/* Names under localhost are known to browsers and curl, and to few others. */
static bool needs_path_url(struct view url) {
    struct view host = view_skip(url, view_find(url, ':') + 3);
    host = view_slice(host, 0, view_find(host, '/'));
    return view_ends_with(view_slice(host, 0, view_find(host, ':')), VIEW(".localhost"));
}

static void keep_urls(struct tunnel *tunnel, struct view url, struct view path_url) {
    bool is_needed = needs_path_url(url) && url_is_sane(path_url) && !view_eq(url, path_url);
    free(tunnel->url);
    free(tunnel->path_url);
    tunnel->url = view_to_cstr(url);
    tunnel->path_url = is_needed ? view_to_cstr(path_url) : NULL;
}

/* The other side knows what a ping costs it and when it takes us for gone; unsaid by those of before. */
static uint64_t heartbeat_ms(const struct tunnel *tunnel, const struct v1_message *message) {
    uint64_t said_s = message->heartbeat_s;
    if (!said_s) return tunnel->settings.heartbeat_ms;
    return (said_s < HEARTBEAT_MIN_S   ? HEARTBEAT_MIN_S
            : said_s > HEARTBEAT_MAX_S ? HEARTBEAT_MAX_S
                                       : said_s) *
           1000;
}

static void open_browser(struct tunnel *tunnel) {
    const char *url = tunnel->share.url ? tunnel->share.url : tunnel->url;
    const char *fault = url ? open_url(tunnel->loop, url) : "out of memory";
    if (fault) complain(tunnel, "the URL is not opened: %s", fault);
}

/* A gateway of before rules for visitors would let everybody in. */
static bool holds_policy(struct tunnel *tunnel, const struct v1_message *message) {
    bool is_held = !tunnel->settings.rules->policy || (message->capabilities & V1_CAP_POLICY);
    if (is_held) return true;
    fail(tunnel, "this gateway does not hold visitors to rules (--basic-auth, --allow-ip and the like): it "
                 "is too old");
    return false;
}

/* One of before domains would take the name, and answer for the domain to nobody. */
static bool has_domains(struct tunnel *tunnel, const struct v1_message *message) {
    bool is_had = !tunnel->settings.domain || (message->capabilities & V1_CAP_DOMAINS);
    if (!is_had) fail(tunnel, "this gateway has no domains but its own (--domain): it is too old");
    return is_had;
}

/* The gateway's URL with the domain for its host. */
static struct view url_of_domain(const struct tunnel *tunnel, struct view url, struct buf *out) {
    size_t scheme = view_find(url, ':');
    struct view authority = view_skip(url, scheme + 3);
    authority = view_slice(authority, 0, view_find(authority, '/'));
    struct view port = view_skip(authority, view_find_last(authority, ':'));
    if (view_ends_with(authority, VIEW("]"))) port = VIEW("");
    buf_printf(out, "%.*s://%s%.*s/", VIEW_ARG(view_slice(url, 0, scheme)), tunnel->settings.domain,
               VIEW_ARG(port));
    return buf_view(out);
}

static void on_established(struct tunnel *tunnel, const struct v1_message *message) {
    if (tunnel->state != TUNNEL_GREETING || !holds_policy(tunnel, message) || !has_domains(tunnel, message))
        return;
    tunnel->calls.is_shut = false;
    struct view url = message->subdomain_url.len ? message->subdomain_url : message->public_url;
    struct buf of_domain;
    buf_init(&of_domain, 1024);
    if (!url_is_sane(url)) {
        log_warn("tunnel", "the gateway sent no usable URL");
        url = VIEW("(the gateway sent no URL)");
    } else if (tunnel->settings.domain) {
        url = url_of_domain(tunnel, url, &of_domain);
    }
    timer_stop(&tunnel->loop->timers, &tunnel->timer);
    tunnel->state = TUNNEL_UP;
    tunnel->resume_refused = false;
    tunnel->up_ms = loop_now(tunnel->loop);
    keep_resume(tunnel, message->resume);
    resume_store_tell(tunnel->settings.resume, true);
    say(tunnel, "Tunnel established: %.*s", VIEW_ARG(url));
    if (tunnel->url && !view_eq(url, view_from_cstr(tunnel->url)))
        say(tunnel, "The tunnel's URL has changed, it was: %s", tunnel->url);
    tunnel->is_new_url = !tunnel->url || !view_eq(url, view_from_cstr(tunnel->url));
    keep_urls(tunnel, url, message->path_based_url);
    share_link_make(&tunnel->share, tunnel->settings.rules, url, message->tunnel_id);
    buf_done(&of_domain);
    tunnel->latency_ms = (int64_t)(loop_now(tunnel->loop) - tunnel->greeted_ms);
    show_state(tunnel, BOARD_UP, NULL);
    tunnel->is_new_url = false;
    if (tunnel->settings.opens_url && !tunnel->was_up) open_browser(tunnel);
    tunnel->was_up = true;
    lane_watch(tunnel->lane, heartbeat_ms(tunnel, message));
    renewal_start(&tunnel->renewal, message->token_s);
    retire_older(tunnel);
}

/* For good: what runs is finished. */
static void leave(struct tunnel *tunnel, const char *why) {
    complain(tunnel, "%s", why);
    tunnel->state = TUNNEL_LEAVING;
    timer_start(&tunnel->loop->timers, &tunnel->timer, LAST_WORDS_MS);
    lane_retire(tunnel->lane);
}

/* A certificate is read anew for each connection; whether it was renewed, the gateway will say. */
static bool shows_certificate(const struct tunnel *tunnel) {
    return !token_text(tunnel->settings.token) && uplinks_show_certificate(tunnel->settings.uplinks);
}

/* Perhaps there is another one now. */
static void on_token_expired(struct tunnel *tunnel) {
    struct lane *lane = tunnel->lane;
    if (tunnel->state != TUNNEL_UP) return;
    if (!token_is_renewed(tunnel->settings.token) && !shows_certificate(tunnel)) {
        leave(tunnel, "This tunnel has ended: its token has expired, and ttf was given no other (ttf login, "
                      "--token-file and --token-command can be renewed)");
        return;
    }
    move(tunnel, "The token has expired");
    if (is_older(tunnel, lane)) lane_retire(lane);
}

static void on_error(struct tunnel *tunnel, struct lane *lane, const struct v1_message *message) {
    if (message->request_id.ptr) return;
    bool is_taken = view_eq(message->code, VIEW(V1_CODE_TAKEN_OVER));
    bool has_expired = view_eq(message->code, VIEW(V1_CODE_TOKEN_EXPIRED));
    if (view_eq(message->code, VIEW(V1_CODE_QUOTA)))
        complain(tunnel, "Visitors are told to come again later: %.*s",
                 VIEW_ARG(view_slice(message->message, 0, 160)));
    else if (!is_taken && !has_expired)
        log_warn("gateway", "%.*s: %.*s", VIEW_ARG(view_slice(message->code, 0, 40)),
                 VIEW_ARG(view_slice(message->message, 0, 200)));
    else if (is_older(tunnel, lane))
        lane_retire(lane); /* by ourselves, or it is being replaced already */
    else if (has_expired)
        on_token_expired(tunnel);
    else
        leave(tunnel, "This tunnel was taken over by another ttf");
}

static void on_message(void *ctx, struct lane *lane, const struct v1_message *message) {
    struct tunnel *tunnel = ctx;
    switch (message->type) {
    case V1_CONNECTION_ESTABLISHED:
        if (!is_older(tunnel, lane)) on_established(tunnel, message);
        break;
    case V1_DRAINING:
        if (!is_older(tunnel, lane)) move(tunnel, "The gateway asks for a fresh connection");
        break;
    case V1_ERROR: on_error(tunnel, lane, message); break;
    default: break;
    }
}

void tunnel_doubt(struct tunnel *tunnel) {
    if (tunnel->state == TUNNEL_OVER || tunnel->state == TUNNEL_STOPPING) return;
    for (size_t i = 0; i < tunnel->older_count; i++) lane_doubt(tunnel->older[i]);
    lane_doubt(tunnel->lane);
    if (tunnel->state != TUNNEL_WAITING) return;
    backoff_reset(&tunnel->backoff);
    wait_before_next(tunnel);
}

/* ---- life ---- */

static struct lane *make_lane(struct tunnel *tunnel) {
    static const struct lane_events events = {.opened = on_open,
                                              .message = on_message,
                                              .ended = on_end,
                                              .measured = on_measured,
                                              .silent = on_silent,
                                              .finished = on_finished};
    const struct lane_settings settings = {
        .loop = tunnel->loop,
        .uplinks = tunnel->settings.uplinks,
        .calls = &tunnel->calls,
        .heartbeat_ms = tunnel->settings.heartbeat_ms,
    };
    return lane_new(&settings, &events, tunnel);
}

static uint64_t local_connect_ms(const struct tunnel_settings *settings) {
    return settings->request_timeout_ms < LOCAL_CONNECT_MAX_MS ? settings->request_timeout_ms
                                                               : LOCAL_CONNECT_MAX_MS;
}

static bool make_parts(struct tunnel *tunnel) {
    const struct tunnel_settings *settings = &tunnel->settings;
    timer_init(&tunnel->timer, on_timer);
    token_wait_init(&tunnel->token_wait, on_token);
    renewal_init(&tunnel->renewal, tunnel->loop, settings->token, settings->token_command, on_renewed,
                 on_token_ended);
    tunnel->resume = resume_store_load(settings->resume);
    tunnel->service = (struct service_state){.console = settings->console,
                                             .tunnel = tunnel,
                                             .label = settings->label,
                                             .service = settings->service};
    tunnel->client = local_client_new(tunnel->loop, settings->target, local_connect_ms(settings));
    if (!tunnel->client) return false;
    if (settings->health_check)
        tunnel->health = health_new(tunnel->loop, tunnel->client, &tunnel->service, settings->health_check,
                                    settings->host_field->authority);
    if (settings->health_check && !tunnel->health) return false;
    tunnel->calls = (struct call_settings){.loop = tunnel->loop,
                                           .label = settings->label,
                                           .service = &tunnel->service,
                                           .client = tunnel->client,
                                           .host_field = settings->host_field,
                                           .rewrite = settings->rewrite,
                                           .may_index = settings->may_index,
                                           .is_shut = settings->rules->policy != NULL,
                                           .hints = settings->hints,
                                           .console = settings->console,
                                           .watch = settings->watch,
                                           .request_timeout_ms = settings->request_timeout_ms};
    tunnel->lane = make_lane(tunnel);
    return tunnel->lane != NULL;
}

struct tunnel *tunnel_new(struct loop *loop, const struct tunnel_settings *settings,
                          void (*on_exit)(void *ctx, int code), void *ctx) {
    struct tunnel *tunnel = calloc(1, sizeof(*tunnel));
    if (!tunnel) return NULL;
    tunnel->loop = loop;
    tunnel->settings = *settings;
    tunnel->latency_ms = -1;
    tunnel->on_exit = on_exit;
    tunnel->ctx = ctx;
    if (make_parts(tunnel)) return tunnel;
    tunnel_free(tunnel);
    return NULL;
}

void tunnel_start(struct tunnel *tunnel) {
    if (tunnel->health) health_start(tunnel->health);
    connect_now(tunnel);
}

bool tunnel_is_up(const struct tunnel *tunnel) {
    return tunnel->state == TUNNEL_UP || tunnel->older_count > 0;
}

const char *tunnel_url(const struct tunnel *tunnel) {
    return tunnel->url;
}

void tunnel_stop(struct tunnel *tunnel) {
    if (tunnel->state == TUNNEL_OVER || tunnel->state == TUNNEL_STOPPING) return;
    stop_timers(tunnel);
    tunnel->state = TUNNEL_STOPPING;
    for (size_t i = 0; i < tunnel->older_count; i++) lane_close(tunnel->older[i], GOODBYE_MS);
    lane_close(tunnel->lane, GOODBYE_MS);
}

void tunnel_shut(struct tunnel *tunnel) {
    tunnel->state = TUNNEL_OVER;
    stop_timers(tunnel);
    while (tunnel->older_count) drop_older(tunnel, tunnel->older[0]);
    lane_abort(tunnel->lane);
    health_free(tunnel->health);
    tunnel->health = NULL;
    local_client_shut(tunnel->client);
}

void tunnel_free(struct tunnel *tunnel) {
    if (!tunnel) return;
    console_forget(tunnel->settings.console, tunnel);
    lane_free(tunnel->lane);
    health_free(tunnel->health);
    local_client_free(tunnel->client);
    free(tunnel->resume);
    free(tunnel->url);
    free(tunnel->path_url);
    share_link_done(&tunnel->share);
    renewal_done(&tunnel->renewal);
    free(tunnel);
}
