/* See store_redis.h. The registry, and what is heard on the channels. */
#include <stdio.h>
#include <stdlib.h>

#include "base/heap.h"
#include "base/log.h"
#include "store/claim_record.h"
#include "store/redis_tls.h"
#include "store/spent.h"
#include "store/store_redis_state.h"

#define RETURN_MS 5000 /* all gateways have found Redis again by then */

/* ---- jobs ---- */

struct job *job_new(struct store_redis *store, void *target, uint64_t ticket) {
    struct job *job = heap_alloc_owed(sizeof(*job));
    job->store = store;
    job->target = target;
    job->ticket = ticket;
    return job;
}

void job_done(struct job *job, enum status status) {
    if (job->fn.done && !job->store->stopped) job->fn.done(job->target, job->ticket, status);
    free(job);
}

struct later {
    struct task task;
    struct list node; /* of store->later */
    struct job *job;
    enum status status;
};

static void later_end(struct later *later) {
    list_remove(&later->node);
    task_cancel(&later->task);
    job_done(later->job, later->status);
    free(later);
}

static void on_later(struct task *task) {
    later_end(LIST_ENTRY(task, struct later, task));
}

void job_done_later(struct job *job, enum status status) {
    struct later *later = heap_alloc_owed(sizeof(*later));
    *later = (struct later){.job = job, .status = status};
    task_init(&later->task, on_later);
    list_init(&later->node);
    list_append(&job->store->later, &later->node);
    tasks_post(&job->store->settings.loop->tasks, &later->task);
}

/* ---- keys, calls ---- */

struct view key_of(struct key *key, const char *kind, struct view id) {
    int len =
        snprintf(key->text, sizeof(key->text), KEY_PREFIX "%s%s%.*s", kind, id.len ? ":" : "", VIEW_ARG(id));
    return view_of(key->text, len < (int)sizeof(key->text) ? (size_t)len : sizeof(key->text) - 1);
}

struct view channel_of(const struct store_redis *store, char out[CHANNEL_MAX], const char *gateway) {
    snprintf(out, CHANNEL_MAX, KEY_PREFIX "%u:to:%s", store->url.database, gateway);
    return view_from_cstr(out);
}

void store_call(struct store_redis *store, const struct view *words, size_t count, bool again,
                redis_done_fn *done, void *ctx) {
    if (store->commands)
        redis_link_call(store->commands, words, count, again, done, ctx);
    else if (done)
        done(ctx, STATUS_UNAVAILABLE, NULL); /* stopped: nobody is called, what is owed is freed */
}

void store_script(struct store_redis *store, enum store_script script, const struct view *words, size_t keys,
                  size_t count, bool again, redis_done_fn *done, void *ctx) {
    struct redis_script_call call = {
        .script = &store->scripts[script], .key_count = keys, .word_count = count, .again = again};
    memcpy(call.words, words, count * sizeof(*words));
    if (store->commands)
        redis_script_run(store->commands, &call, done, ctx);
    else if (done)
        done(ctx, STATUS_UNAVAILABLE, NULL);
}

void store_foreign(struct store_redis *store, const char *where, struct view id) {
    if (store->foreign_logged) return;
    store->foreign_logged = true;
    log_warn("store",
             "%s: something that is not ours stands at " KEY_PREFIX "%s:%.*s and is ignored (said once)",
             store->url.shown, where, VIEW_ARG(id));
}

uint64_t store_wall_ms(const struct store_redis *store) {
    return store->settings.wall_ms(store->settings.wall_ctx);
}

struct view reply_text(const redisReply *reply) {
    bool is_text = reply && (reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS);
    return is_text ? view_of(reply->str, (size_t)reply->len) : (struct view){0};
}

/* ---- registry ---- */

static void on_claim(struct job *job, const char *where, enum status status, const redisReply *reply,
                     bool may_expire) {
    struct claim claim;
    struct view text = reply_text(reply), options = {0};
    if (status == STATUS_INVALID ||
        (status == STATUS_OK && text.ptr && !claim_record_decode(text, &claim, &options))) {
        store_foreign(job->store, where, view_from_cstr(job->id));
        status = STATUS_NOT_FOUND;
    } else if (status == STATUS_OK && !text.ptr) {
        status = STATUS_NOT_FOUND;
    } else if (status == STATUS_OK && may_expire && claim.expires_ms <= store_wall_ms(job->store)) {
        status = STATUS_NOT_FOUND;
    }
    bool found = status == STATUS_OK;
    if (!job->store->stopped)
        job->fn.claim(job->target, job->ticket, status, found ? &claim : NULL,
                      found ? options : (struct view){0});
    free(job);
}

static void on_lookup(void *ctx, enum status status, const redisReply *reply) {
    on_claim(ctx, "claim", status, reply, true);
}

static void on_lookup_connection(void *ctx, enum status status, const redisReply *reply) {
    on_claim(ctx, "links", status, reply, false);
}

static void redis_lookup(void *ctx, struct view tunnel_id, registry_claim_fn *done, void *target,
                         uint64_t ticket) {
    struct job *job = job_new(ctx, target, ticket);
    struct key key;
    job->fn.claim = done;
    view_copy_to(tunnel_id, job->id, sizeof(job->id));
    const struct view words[] = {VIEW("GET"), key_of(&key, "claim", tunnel_id)};
    store_call(ctx, words, 2, true, on_lookup, job);
}

static void redis_lookup_connection(void *ctx, struct view connection_id, registry_claim_fn *done,
                                    void *target, uint64_t ticket) {
    struct store_redis *store = ctx;
    struct job *job = job_new(store, target, ticket);
    struct key key;
    job->fn.claim = done;
    view_copy_to(connection_id, job->id, sizeof(job->id));
    const struct view words[] = {VIEW("HGET"), key_of(&key, "links", view_from_cstr(store->gateway)),
                                 connection_id};
    store_call(store, words, 3, true, on_lookup_connection, job);
}

static bool needs_tags(const struct claim_write *write) {
    return write->options.len || !allowance_is_none(&write->claim->member.allowance);
}

/* The words of SCRIPT_STORE behind the two records. */
static void write_encoded(struct store_redis *store, const struct claim_write *write, struct view plain,
                          struct view tagged, redis_done_fn *done, void *ctx) {
    const struct claim *claim = write->claim;
    struct key claim_key, links_key;
    char epoch[24], states[12], now[24], expires[24] = "", message[TUNNEL_NAME_MAX + 4];
    bool is_live = claim->member.state != CLAIM_OFFLINE;
    snprintf(epoch, sizeof(epoch), "%llu", (unsigned long long)write->expected_epoch);
    snprintf(states, sizeof(states), "%u", write->expected_states);
    snprintf(now, sizeof(now), "%llu", (unsigned long long)store_wall_ms(store));
    if (claim->expires_ms < INT64_MAX)
        snprintf(expires, sizeof(expires), "%llu", (unsigned long long)claim->expires_ms);
    snprintf(message, sizeof(message), "c\n%s", claim->tunnel_id);
    const struct view words[] = {key_of(&claim_key, "claim", view_from_cstr(claim->tunnel_id)),
                                 key_of(&links_key, "links", view_from_cstr(claim->member.link.gateway)),
                                 plain,
                                 view_from_cstr(epoch),
                                 view_from_cstr(states),
                                 view_from_cstr(now),
                                 view_from_cstr(expires),
                                 view_from_cstr(is_live ? claim->member.link.connection : ""),
                                 view_from_cstr(store->claims_channel),
                                 view_from_cstr(message),
                                 tagged,
                                 needs_tags(write) ? VIEW("1") : VIEW("")};
    store_script(store, SCRIPT_STORE, words, 2, 12, false, done, ctx);
}

bool store_write(struct store_redis *store, const struct claim_write *write, redis_done_fn *done, void *ctx) {
    struct buf plain, tagged;
    buf_init(&plain, CLAIM_RECORD_MAX);
    buf_init(&tagged, CLAIM_RECORD_MAX);
    bool encoded = claim_record_encode(&plain, write->claim) &&
                   claim_record_encode_tagged(&tagged, write->claim, write->options);
    if (encoded) write_encoded(store, write, buf_view(&plain), buf_view(&tagged), done, ctx);
    buf_done(&plain);
    buf_done(&tagged);
    return encoded;
}

static void on_store(void *ctx, enum status status, const redisReply *reply) {
    struct job *job = ctx;
    bool well = status == STATUS_OK && reply->type == REDIS_REPLY_INTEGER;
    if (status == STATUS_OK) status = well && reply->integer == 1 ? STATUS_OK : STATUS_CONFLICT;
    if (well && reply->integer < 0) {
        log_error("store", "tunnel %s: what a later version keeps in its claim leaves no room", job->id);
        status = STATUS_INVALID;
    }
    job_done(job, status);
}

static void redis_store(void *ctx, const struct claim_write *write, registry_done_fn *done, void *target,
                        uint64_t ticket) {
    struct job *job = job_new(ctx, target, ticket);
    job->fn.done = done;
    memcpy(job->id, write->claim->tunnel_id, sizeof(write->claim->tunnel_id));
    if (!store_write(ctx, write, on_store, job)) job_done_later(job, STATUS_INVALID);
}

void store_remove_connection(struct store_redis *store, const char *gateway, struct view connection_id,
                             redis_done_fn *done, void *ctx) {
    struct key key;
    char message[CONNECTION_ID_MAX + 4];
    snprintf(message, sizeof(message), "g\n%.*s", VIEW_ARG(connection_id));
    const struct view words[] = {key_of(&key, "links", view_from_cstr(gateway)), connection_id,
                                 view_from_cstr(store->claims_channel), view_from_cstr(message)};
    store_script(store, SCRIPT_REMOVE_CONNECTION, words, 1, 4, true, done, ctx);
}

static void on_done(void *ctx, enum status status, const redisReply *reply) {
    (void)reply;
    job_done(ctx, status);
}

static void redis_remove_connection(void *ctx, struct view connection_id, registry_done_fn *done,
                                    void *target, uint64_t ticket) {
    struct store_redis *store = ctx;
    struct job *job = job_new(store, target, ticket);
    job->fn.done = done;
    store_remove_connection(store, store->gateway, connection_id, on_done, job);
}

/* Redis itself removes what has expired. */
struct swept {
    registry_swept_fn *done;
    void *target;
};

static void on_swept(void *target, uint64_t ticket, enum status status) {
    struct swept *swept = target;
    if (swept->done) swept->done(swept->target, ticket, status, 0);
    free(swept);
}

static void redis_sweep(void *ctx, registry_swept_fn *done, void *target, uint64_t ticket) {
    struct swept *swept = heap_alloc_owed(sizeof(*swept));
    *swept = (struct swept){.done = done, .target = target};
    struct job *job = job_new(ctx, swept, ticket);
    job->fn.done = on_swept;
    job_done_later(job, STATUS_OK);
}

/* Lost where Redis is away: each gateway then counts for itself. */
static void redis_spend(void *ctx, struct view owner, const struct spending *spending) {
    struct store_redis *store = ctx;
    struct buf text;
    buf_init(&text, SPENT_MAX + 2);
    const struct spent spent = {
        .gateway = view_from_cstr(store->gateway), .owner = owner, .spending = *spending};
    bool made = buf_append_view(&text, VIEW("u\n")) && spent_encode(&text, &spent);
    const struct view words[] = {VIEW("PUBLISH"), view_from_cstr(store->claims_channel), buf_view(&text)};
    if (made) store_call(store, words, 3, false, NULL, NULL);
    buf_done(&text);
}

struct registry store_redis_registry(struct store_redis *store) {
    return (struct registry){.ctx = store,
                             .lookup = redis_lookup,
                             .lookup_connection = redis_lookup_connection,
                             .store = redis_store,
                             .remove_connection = redis_remove_connection,
                             .sweep = redis_sweep,
                             .spend = redis_spend,
                             .names_reserved = lease_names_reserved};
}

/* ---- what is heard ---- */

/* Our own word comes back to us as well. */
static void heard_spent(struct store_redis *store, struct view text) {
    const struct store_events *events = &store->events.store;
    struct spent spent;
    if (!spent_decode(text, &spent) || view_eq(spent.gateway, view_from_cstr(store->gateway))) return;
    if (events->spent) events->spent(events->ctx, spent.owner, &spent.spending);
}

static void on_heard(void *ctx, struct view channel, struct view message) {
    struct store_redis *store = ctx;
    const struct store_events *events = &store->events.store;
    (void)channel;
    if (message.len == 0) return;
    char kind = message.ptr[0];
    struct view rest = view_skip(message, 2);
    switch (kind) {
    case 'c':
        if (events->claim_changed) events->claim_changed(events->ctx, rest);
        break;
    case 'g':
        if (events->connection_gone) events->connection_gone(events->ctx, rest);
        break;
    case 'u': heard_spent(store, rest); break;
    case 'e': store->echoes++; break;
    case 'b':
        if (store->events.denial_changed && rest.len)
            store->events.denial_changed(store->events.ctx, view_skip(rest, 1), rest.ptr[0] == '-');
        break;
    case 'z':
        if (store->events.acme_changed && rest.len)
            store->events.acme_changed(store->events.ctx, view_skip(rest, 1), rest.ptr[0] == '-');
        break;
    case 'q': ask_heard(store, true, rest); break;
    case 'a': ask_heard(store, false, rest); break;
    default: mailbox_heard(store, kind, rest); break;
    }
}

static void on_channel_up(void *ctx) {
    struct store_redis *store = ctx;
    store->channel_up = true;
    store_tell_state(store);
}

static void on_channel_down(void *ctx) {
    struct store_redis *store = ctx;
    store->channel_up = false;
    store_tell_state(store);
}

static void listen_to_channels(struct store_redis *store) {
    if (store->channel) return;
    struct redis_link_settings settings = {
        .loop = store->settings.loop,
        .url = &store->url,
        .channels = {store->claims_channel, store->own_channel},
        .channel_count = 2,
        .silence_ms = store->settings.lease_ms * 2, /* it hears each renewal of the lease */
        .ctx = store,
        .up = on_channel_up,
        .down = on_channel_down,
        .heard = on_heard,
    };
    store->channel = redis_link_new(&settings);
    if (!store->channel) abort();
}

/* ---- the module ---- */

static void on_commands_up(void *ctx) {
    struct store_redis *store = ctx;
    for (size_t i = 0; i < SCRIPTS_COUNT; i++) redis_script_load(store->commands, &store->scripts[i]);
    listen_to_channels(store);
    lease_up(store);
}

static void on_commands_down(void *ctx) {
    lease_down(ctx);
}

bool store_redis_is_reached(const struct store_redis *store) {
    return store->channel_up && store->leased && (!store->settings.keeps_secret || store->secret_agreed);
}

bool store_is_just_back(const struct store_redis *store) {
    return store->was_lost ||
           (store->came_back_ms && loop_now(store->settings.loop) - store->came_back_ms < RETURN_MS);
}

void store_tell_state(struct store_redis *store) {
    bool reached = store_redis_is_reached(store);
    if (reached == store->was_reached || store->stopped) return;
    store->was_reached = reached;
    if (reached && store->was_lost) store->came_back_ms = loop_now(store->settings.loop);
    store->was_lost = !reached;
    if (reached) answers_again(store);
    if (reached && store->events.store.missed) store->events.store.missed(store->events.store.ctx);
    if (reached && store->events.reached) store->events.reached(store->events.ctx);
    if (!reached && store->events.lost) store->events.lost(store->events.ctx);
}

static const char *take_settings(struct store_redis *store, const struct store_redis_settings *settings) {
    const char *why = redis_url_parse(view_from_cstr(settings->url), &store->url);
    if (why) return why;
    if (store->url.tls && !redis_tls_available())
        return "TLS (rediss://) needs a newer hiredis (libhiredis 1.0 with hiredis_ssl) than this build has; "
               "use "
               "redis:// through stunnel, or an image based on Debian trixie";
    if (!view_copy_to(view_from_cstr(settings->gateway), store->gateway, sizeof(store->gateway)))
        return "the peer URL is too long";
    store->settings = *settings;
    store->settings.url = store->settings.gateway = NULL;
    return NULL;
}

struct store_redis *store_redis_new(const struct store_redis_settings *settings, const char **ret_why) {
    struct store_redis *store = calloc(1, sizeof(*store));
    *ret_why = store ? take_settings(store, settings) : "out of memory";
    if (*ret_why) {
        free(store);
        return NULL;
    }
    list_init(&store->later);
    list_init(&store->sends);
    answers_init(store);
    list_init(&store->asks);
    for (size_t i = 0; i < SCRIPTS_COUNT; i++) store->scripts[i].text = store_script_texts[i];
    snprintf(store->claims_channel, sizeof(store->claims_channel), KEY_PREFIX "%u:claims",
             store->url.database);
    channel_of(store, store->own_channel, store->gateway);
    lease_init(store);
    struct redis_link_settings link = {.loop = settings->loop,
                                       .url = &store->url,
                                       .ctx = store,
                                       .up = on_commands_up,
                                       .down = on_commands_down};
    store->commands = redis_link_new(&link);
    if (!store->commands) abort();
    return store;
}

void store_redis_listen(struct store_redis *store, const struct store_redis_events *events) {
    store->events = *events;
}

void store_redis_stop(struct store_redis *store) {
    if (!store || store->stopped) return;
    store->stopped = true;
    lease_stop(store);
    struct redis_link *commands = store->commands;
    store->commands = NULL;
    redis_link_free(store->channel);
    redis_link_free(commands);
    store->channel = NULL;
    mailbox_tick(store, true);
    ask_stop(store);
    while (!list_empty(&store->later)) later_end(LIST_ENTRY(store->later.next, struct later, node));
}

void store_redis_free(struct store_redis *store) {
    if (!store) return;
    store_redis_stop(store);
    kept_done(&store->kept);
    explicit_bzero(store->secret, sizeof(store->secret));
    explicit_bzero(store->url.password, sizeof(store->url.password));
    free(store);
}

struct view store_redis_secret(const struct store_redis *store) {
    return view_from_cstr(store->secret);
}

const char *store_redis_where(const struct store_redis *store) {
    return store->url.shown;
}

size_t store_redis_owed(const struct store_redis *store) {
    return (store->commands ? redis_link_owed(store->commands) : 0) + (list_empty(&store->later) ? 0 : 1);
}

void store_redis_echo(struct store_redis *store) {
    const struct view words[] = {VIEW("PUBLISH"), view_from_cstr(store->own_channel), VIEW("e")};
    store_call(store, words, 3, false, NULL, NULL);
}

unsigned store_redis_echoes(const struct store_redis *store) {
    return store->echoes;
}
