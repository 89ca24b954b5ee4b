/* What the gateway says to the tunnel (tunnel_state.h). */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "heartbeat.h"
#include "open_url.h"
#include "tunnel_state.h"

#define LAST_WORDS_MS 30000 /* for requests under way when the tunnel was taken over */

void tunnel_on_open(void *ctx, struct lane *lane) {
    struct tunnel *tunnel = ctx;
    tunnel->state = TUNNEL_GREETING;
    tunnel->greeted_ms = loop_now(tunnel->loop);
    tunnel_say(tunnel, "\xe2\x9c\x85 WebSocket connection established");
    log_info("tunnel", "connected, protocol %s", lane_is_v2(lane) ? "v2" : "v1");
    if (lane_greet(lane))
        timer_start(&tunnel->loop->timers, &tunnel->timer, tunnel->settings.connect_timeout_ms);
    else
        tunnel_fail(tunnel, "out of memory");
}

static void keep_resume(struct tunnel *tunnel, struct view token) {
    if (!token.len) return;
    char error[512];
    free(tunnel->resume);
    tunnel->resume = view_to_cstr(token);
    if (resume_store_save(tunnel->settings.resume, token, error, sizeof(error)) || tunnel->warned) return;
    tunnel->warned = true;
    tunnel_complain(tunnel, "the tunnel's URL will not survive a restart of ttf: %s", error);
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
    if (fault) tunnel_complain(tunnel, "the URL is not opened: %s", fault);
}

/* A gateway of before rules for visitors would let everybody in. */
static bool holds_policy(struct tunnel *tunnel, const struct v1_message *message) {
    bool is_held = !tunnel->settings.rules->policy || (message->capabilities & V1_CAP_POLICY);
    if (is_held) return true;
    tunnel_fail(tunnel,
                "this gateway does not hold visitors to rules (--basic-auth, --allow-ip and the like): it "
                "is too old");
    return false;
}

/* One of before domains would take the name, and answer for the domain to nobody. */
static bool has_domains(struct tunnel *tunnel, const struct v1_message *message) {
    bool is_had = !tunnel->settings.domain || (message->capabilities & V1_CAP_DOMAINS);
    if (!is_had) tunnel_fail(tunnel, "this gateway has no domains but its own (--domain): it is too old");
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
    tunnel_say(tunnel, "Tunnel established: %.*s", VIEW_ARG(url));
    if (tunnel->url && !view_eq(url, view_from_cstr(tunnel->url)))
        tunnel_say(tunnel, "The tunnel's URL has changed, it was: %s", tunnel->url);
    tunnel->is_new_url = !tunnel->url || !view_eq(url, view_from_cstr(tunnel->url));
    keep_urls(tunnel, url, message->path_based_url);
    share_link_make(&tunnel->share, tunnel->settings.rules, url, message->tunnel_id);
    buf_done(&of_domain);
    tunnel->latency_ms = (int64_t)(loop_now(tunnel->loop) - tunnel->greeted_ms);
    tunnel_show_state(tunnel, BOARD_UP, NULL);
    tunnel->is_new_url = false;
    if (tunnel->settings.opens_url && !tunnel->was_up) open_browser(tunnel);
    tunnel->was_up = true;
    lane_watch(tunnel->lane, heartbeat_ms(tunnel, message));
    renewal_start(&tunnel->renewal, message->token_s);
    tunnel_retire_older(tunnel);
}

/* For good: what runs is finished. */
static void leave(struct tunnel *tunnel, const char *why) {
    tunnel_complain(tunnel, "%s", why);
    tunnel->state = TUNNEL_LEAVING;
    timer_start(&tunnel->loop->timers, &tunnel->timer, LAST_WORDS_MS);
    lane_retire(tunnel->lane);
}

/* A certificate is read anew for each connection; whether it was renewed, the gateway will say. */
static bool shows_certificate(const struct tunnel *tunnel) {
    return !token_text(tunnel->settings.token) && uplinks_show_certificate(tunnel->settings.uplinks);
}

/* Perhaps there is another one now. */
void tunnel_on_token_expired(struct tunnel *tunnel) {
    struct lane *lane = tunnel->lane;
    if (tunnel->state != TUNNEL_UP) return;
    if (!token_is_renewed(tunnel->settings.token) && !shows_certificate(tunnel)) {
        leave(tunnel, "This tunnel has ended: its token has expired, and ttf was given no other (ttf login, "
                      "--token-file and --token-command can be renewed)");
        return;
    }
    tunnel_move(tunnel, shows_certificate(tunnel) ? "The certificate has expired" : "The token has expired");
    if (tunnel_is_older(tunnel, lane)) lane_retire(lane);
}

static void on_error(struct tunnel *tunnel, struct lane *lane, const struct v1_message *message) {
    if (message->request_id.ptr) return;
    bool is_taken = view_eq(message->code, VIEW(V1_CODE_TAKEN_OVER));
    bool has_expired = view_eq(message->code, VIEW(V1_CODE_TOKEN_EXPIRED));
    if (view_eq(message->code, VIEW(V1_CODE_QUOTA)))
        tunnel_complain(tunnel, "Visitors are told to come again later: %.*s",
                        VIEW_ARG(view_slice(message->message, 0, 160)));
    else if (!is_taken && !has_expired)
        log_warn("gateway", "%.*s: %.*s", VIEW_ARG(view_slice(message->code, 0, 40)),
                 VIEW_ARG(view_slice(message->message, 0, 200)));
    else if (tunnel_is_older(tunnel, lane))
        lane_retire(lane); /* by ourselves, or it is being replaced already */
    else if (has_expired)
        tunnel_on_token_expired(tunnel);
    else
        leave(tunnel, "This tunnel was taken over by another ttf");
}

void tunnel_on_message(void *ctx, struct lane *lane, const struct v1_message *message) {
    struct tunnel *tunnel = ctx;
    switch (message->type) {
    case V1_CONNECTION_ESTABLISHED:
        if (!tunnel_is_older(tunnel, lane)) on_established(tunnel, message);
        break;
    case V1_DRAINING:
        if (!tunnel_is_older(tunnel, lane)) tunnel_move(tunnel, "The gateway asks for a fresh connection");
        break;
    case V1_ERROR: on_error(tunnel, lane, message); break;
    default: break;
    }
}
