/* See backend.h. Memory is used as it is. Redis gets a cache of claims before it, and beside it the mailbox
 * in memory for the agents that are here. */
#include "backend.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "cluster/claims_cache.h"
#include "cluster/reach.h"
#include "store/claims_file.h"
#include "store/store_memory.h"
#include "store/store_redis.h"

#define REMEMBERED_MAX 10000
#define REMEMBER_MS 30000
#define MESSAGE_REST_MAX (1024 * 1024) /* of a v1 message: all but its body */

struct backend {
    struct backend_settings settings;
    char gateway[GATEWAY_MAX + 1];
    struct store_memory *memory; /* with Redis: of the mailbox only */
    struct store_redis *redis;   /* NULL: memory */
    struct claims_cache *claims;
    struct reach *reach;
    struct task ready; /* memory is ready at once, but not within backend_new */
    bool was_ready;
    struct backend_control control; /* all NULL: nobody listens yet */
    struct backend_acme acme;       /* likewise */
};

/* ---- what Redis says ---- */

static void on_reached(void *ctx) {
    struct backend *backend = ctx;
    log_info("store", "%s is reached; this gateway is %s", store_redis_where(backend->redis),
             backend->gateway);
    if (backend->control.reached) backend->control.reached(backend->control.ctx);
    if (backend->acme.reached) backend->acme.reached(backend->acme.ctx);
    if (backend->was_ready) {
        backend->settings.degraded(backend->settings.ctx, NULL);
    } else {
        backend->was_ready = true;
        backend->settings.ready(backend->settings.ctx);
    }
}

static void on_lost(void *ctx) {
    struct backend *backend = ctx;
    log_warn("store", "%s is away; tunnels whose agents are here go on", store_redis_where(backend->redis));
    claims_cache_deaf(backend->claims);
    backend->settings.degraded(backend->settings.ctx, "redis");
}

static void on_secret_changed(void *ctx) {
    struct backend *backend = ctx;
    backend->settings.secret_changed(backend->settings.ctx);
}

static void on_deliver(void *ctx, struct view connection_id, struct view message, agent_sent_fn *done,
                       void *target, uint64_t ticket) {
    struct backend *backend = ctx;
    if (backend->reach)
        reach_deliver(backend->reach, connection_id, message, done, target, ticket);
    else
        done(target, ticket, STATUS_GONE);
}

static bool on_asked(void *ctx, struct view question, struct buf *answer) {
    const struct backend_control *control = &((struct backend *)ctx)->control;
    return control->asked && control->asked(control->ctx, question, answer);
}

static void on_denial_changed(void *ctx, struct view key, bool was_removed) {
    const struct backend_control *control = &((struct backend *)ctx)->control;
    if (control->denial_changed) control->denial_changed(control->ctx, key, was_removed);
}

static void on_acme_changed(void *ctx, struct view key, bool was_removed) {
    const struct backend_acme *acme = &((struct backend *)ctx)->acme;
    if (acme->changed) acme->changed(acme->ctx, key, was_removed);
}

static void on_emptied(void *ctx) {
    const struct backend_control *control = &((struct backend *)ctx)->control;
    if (control->emptied) control->emptied(control->ctx);
}

/* ---- making it ---- */

static bool make_redis(struct backend *backend, const char **ret_why) {
    const struct backend_settings *from = &backend->settings;
    struct store_redis_settings settings = {.loop = from->loop,
                                            .url = from->store_url,
                                            .gateway = backend->gateway,
                                            .wall_ms = loop_wall_ms,
                                            .lease_ms = from->lease_ms,
                                            .keep_anonymous_ms = from->keep_anonymous_ms,
                                            .keep_owned_ms = from->keep_owned_ms,
                                            .message_max_bytes =
                                                from->body_max_bytes / 3 * 4 + MESSAGE_REST_MAX,
                                            .body_max_bytes = from->body_max_bytes,
                                            .keeps_secret = from->keeps_secret};
    backend->redis = store_redis_new(&settings, ret_why);
    if (!backend->redis) return false;
    struct claims_cache_settings cache = {.inner = store_redis_registry(backend->redis),
                                          .gateway = backend->gateway,
                                          .tasks = &from->loop->tasks,
                                          .wall_ms = loop_wall_ms,
                                          .remembered_max = REMEMBERED_MAX,
                                          .remember_ms = REMEMBER_MS};
    backend->claims = claims_cache_new(&cache);
    if (!backend->claims) return false;
    store_redis_listen(backend->redis,
                       &(struct store_redis_events){.store = claims_cache_store_events(backend->claims),
                                                    .ctx = backend,
                                                    .reached = on_reached,
                                                    .lost = on_lost,
                                                    .secret_changed = on_secret_changed,
                                                    .deliver = on_deliver,
                                                    .asked = on_asked,
                                                    .denial_changed = on_denial_changed,
                                                    .acme_changed = on_acme_changed,
                                                    .emptied = on_emptied});
    return true;
}

static void on_memory_ready(struct task *task) {
    struct backend *backend = LIST_ENTRY(task, struct backend, ready);
    backend->settings.ready(backend->settings.ctx);
}

struct backend *backend_new(const struct backend_settings *settings, const char **ret_why) {
    struct backend *backend = calloc(1, sizeof(*backend));
    *ret_why = "out of memory";
    if (!backend) return NULL;
    backend->settings = *settings;
    task_init(&backend->ready, on_memory_ready);
    backend->memory = store_memory_new(&settings->loop->tasks, loop_wall_ms, NULL);
    bool made = backend->memory &&
                view_copy_to(view_from_cstr(settings->gateway), backend->gateway, sizeof(backend->gateway));
    if (made && strcmp(settings->store_url, "memory") == 0)
        tasks_post(&settings->loop->tasks, &backend->ready);
    else if (made)
        made = make_redis(backend, ret_why);
    if (made) return backend;
    backend_free(backend);
    return NULL;
}

bool backend_ports(struct backend *backend, const struct agents *agents, struct peer_links *peers,
                   struct ports *ports) {
    ports->registry = store_memory_registry(backend->memory);
    ports->mailbox = store_memory_mailbox(backend->memory);
    ports->agents = *agents;
    if (!backend->redis) return true;
    struct reach_settings settings = {.gateway = backend->gateway,
                                      .claims = backend->claims,
                                      .here = store_memory_mailbox(backend->memory),
                                      .away = store_redis_mailbox(backend->redis),
                                      .is_away = store_redis_minted,
                                      .agents = *agents,
                                      .timers = &backend->settings.loop->timers,
                                      .retire_ms = backend->settings.retire_ms,
                                      .away_ctx = backend->redis,
                                      .send_away = store_redis_send,
                                      .peers = peers};
    backend->reach = reach_new(&settings);
    if (!backend->reach) return false;
    ports->registry = claims_cache_registry(backend->claims);
    ports->mailbox = reach_mailbox(backend->reach);
    ports->agents = reach_agents(backend->reach);
    return true;
}

void backend_set_control(struct backend *backend, const struct backend_control *control) {
    backend->control = *control;
}

void backend_set_acme(struct backend *backend, const struct backend_acme *acme) {
    backend->acme = *acme;
}

struct store_memory *backend_memory(struct backend *backend) {
    return backend->memory;
}

struct store_redis *backend_redis(struct backend *backend) {
    return backend->redis;
}

void backend_listen(struct backend *backend, struct store_events events) {
    store_memory_listen(backend->memory, events);
    if (backend->claims) claims_cache_listen(backend->claims, events);
}

bool backend_is_shared(const struct backend *backend) {
    return backend->redis != NULL;
}

struct view backend_secret(const struct backend *backend) {
    return backend->redis ? store_redis_secret(backend->redis) : (struct view){0};
}

size_t backend_busy(struct backend *backend) {
    return backend->reach ? reach_busy(backend->reach) : 0;
}

bool backend_is_idle(const struct backend *backend) {
    return !backend->redis || store_redis_owed(backend->redis) == 0;
}

void backend_export(const struct backend *backend, struct buf *out) {
    if (backend->redis || claims_file_write(out, backend->memory)) return;
    log_warn("store", "there are more tunnels than can be handed over: some begin anew");
}

void backend_import(struct backend *backend, struct view claims) {
    const struct claims_keep keep = {.now_ms = loop_wall_ms(NULL),
                                     .anonymous_ms = backend->settings.keep_anonymous_ms,
                                     .owned_ms = backend->settings.keep_owned_ms};
    if (backend->redis) return;
    size_t count = claims_file_read(claims, backend->memory, &keep);
    log_info("store", "%zu tunnels taken over", count);
}

void backend_stop(struct backend *backend) {
    if (!backend) return;
    task_cancel(&backend->ready);
    reach_stop(backend->reach);
    store_redis_stop(backend->redis);
}

void backend_free(struct backend *backend) {
    if (!backend) return;
    reach_free(backend->reach);
    store_redis_free(backend->redis);
    claims_cache_free(backend->claims);
    store_memory_free(backend->memory);
    free(backend);
}
