/* The tunnel's life (tunnel.h, tunnel_state.h). */
#include "tunnel.h"

#include <stdlib.h>

#include "tunnel_state.h"

#define LOCAL_CONNECT_MAX_MS 5000

void tunnel_stop_timers(struct tunnel *tunnel) {
    timer_stop(&tunnel->loop->timers, &tunnel->timer);
    token_wait_cancel(&tunnel->token_wait);
    renewal_stop(&tunnel->renewal);
}

void tunnel_finish(struct tunnel *tunnel, int code) {
    if (tunnel->state == TUNNEL_OVER) return;
    tunnel->state = TUNNEL_OVER;
    tunnel_stop_timers(tunnel);
    tunnel->on_exit(tunnel->ctx, code);
}

void tunnel_fail(struct tunnel *tunnel, const char *reason) {
    tunnel_complain(tunnel, "%s", reason);
    tunnel_finish(tunnel, 1);
}

static uint64_t local_connect_ms(const struct tunnel_settings *settings) {
    return settings->request_timeout_ms < LOCAL_CONNECT_MAX_MS ? settings->request_timeout_ms
                                                               : LOCAL_CONNECT_MAX_MS;
}

static bool make_parts(struct tunnel *tunnel) {
    const struct tunnel_settings *settings = &tunnel->settings;
    tunnel_init_waits(tunnel);
    tunnel->resume = resume_store_load(settings->resume);
    tunnel->service = (struct service_state){.console = settings->console,
                                             .tunnel = tunnel,
                                             .label = settings->label,
                                             .service = settings->service};
    tunnel->client = local_client_new(tunnel->loop, settings->target, local_connect_ms(settings));
    if (!tunnel->client) return false;
    local_client_take_turns(tunnel->client, &settings->turn->taker);
    if (settings->health_check)
        tunnel->health = health_new(tunnel->loop, tunnel->client, &tunnel->service, settings->health_check,
                                    settings->host_field->authority);
    if (settings->health_check && !tunnel->health) return false;
    if (!settings->health_check)
        tunnel->first_look = first_look_new(tunnel->loop, settings->target, &tunnel->service);
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
    tunnel->lane = tunnel_make_lane(tunnel);
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
    first_look_start(tunnel->first_look);
    tunnel_connect(tunnel);
}

void tunnel_doubt(struct tunnel *tunnel) {
    if (tunnel->state == TUNNEL_OVER || tunnel->state == TUNNEL_STOPPING) return;
    for (size_t i = 0; i < tunnel->older_count; i++) lane_doubt(tunnel->older[i]);
    lane_doubt(tunnel->lane);
    if (tunnel->state != TUNNEL_WAITING) return;
    backoff_reset(&tunnel->backoff);
    tunnel_wait(tunnel);
}

bool tunnel_is_up(const struct tunnel *tunnel) {
    return tunnel->state == TUNNEL_UP || tunnel->older_count > 0;
}

const char *tunnel_url(const struct tunnel *tunnel) {
    return tunnel->url;
}

void tunnel_stop(struct tunnel *tunnel) {
    if (tunnel->state == TUNNEL_OVER || tunnel->state == TUNNEL_STOPPING) return;
    tunnel_stop_timers(tunnel);
    tunnel->state = TUNNEL_STOPPING;
    for (size_t i = 0; i < tunnel->older_count; i++) lane_close(tunnel->older[i], GOODBYE_MS);
    lane_close(tunnel->lane, GOODBYE_MS);
}

void tunnel_shut(struct tunnel *tunnel) {
    tunnel->state = TUNNEL_OVER;
    tunnel_stop_timers(tunnel);
    while (tunnel->older_count) tunnel_drop_older(tunnel, tunnel->older[0]);
    lane_abort(tunnel->lane);
    health_free(tunnel->health);
    first_look_free(tunnel->first_look);
    tunnel->health = NULL;
    tunnel->first_look = NULL;
    local_client_shut(tunnel->client);
}

void tunnel_free(struct tunnel *tunnel) {
    if (!tunnel) return;
    console_forget(tunnel->settings.console, tunnel);
    lane_free(tunnel->lane);
    health_free(tunnel->health);
    first_look_free(tunnel->first_look);
    local_client_free(tunnel->client);
    free(tunnel->resume);
    free(tunnel->url);
    free(tunnel->path_url);
    share_link_done(&tunnel->share);
    renewal_done(&tunnel->renewal);
    free(tunnel);
}
