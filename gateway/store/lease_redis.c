/* What makes several gateways one: the lease that each renews, the end of those that do not, the secret, and
 * noticing that Redis has lost what it held; see store_redis.h. */
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/ids.h"
#include "base/log.h"
#include "store/claim_record.h"
#include "store/store_redis_state.h"

#define REAP_COUNT "256" /* connections at a time */

/* ---- claims of a gateway that has died go offline ---- */

struct reaping {
    struct store_redis *store;
    char gateway[GATEWAY_MAX + 1];
    size_t owed; /* replies of this batch, and one while it is being made */
    size_t found;
    char cursor[24];
};

static void reap_batch(struct reaping *reaping);

static void reaping_end(struct reaping *reaping) {
    struct store_redis *store = reaping->store;
    store->reaping = NULL;
    free(reaping);
}

static void on_forgotten(void *ctx, enum status status, const redisReply *reply) {
    (void)status, (void)reply;
    reaping_end(ctx);
}

static void say_gone(const struct reaping *reaping) {
    bool is_ours = strcmp(reaping->gateway, reaping->store->gateway) == 0;
    if (reaping->found)
        log_warn("store", "%s: %zu of its connections were still there, their tunnels are offline now",
                 is_ours ? "an earlier life of this gateway" : reaping->gateway, reaping->found);
    else if (!is_ours)
        log_info("store", "gateway %s has ended", reaping->gateway);
}

static void forget_gateway(struct reaping *reaping) {
    say_gone(reaping);
    struct key gateways, links;
    const struct view words[] = {key_of(&gateways, "gateways", VIEW("")),
                                 key_of(&links, "links", view_from_cstr(reaping->gateway)),
                                 view_from_cstr(reaping->gateway)};
    store_script(reaping->store, SCRIPT_FORGET, words, 2, 3, true, on_forgotten, reaping);
}

static void batch_reply(struct reaping *reaping) {
    if (--reaping->owed > 0) return;
    bool complete = strcmp(reaping->cursor, "0") == 0;
    if (reaping->store->stopped || !reaping->store->leased)
        reaping_end(reaping);
    else if (!complete)
        reap_batch(reaping);
    else
        forget_gateway(reaping);
}

static void on_reaped(void *ctx, enum status status, const redisReply *reply) {
    (void)status, (void)reply; /* a conflict: the claim has moved on, which is fine */
    batch_reply(ctx);
}

static void reap_connection(struct reaping *reaping, struct view connection_id, struct view record) {
    struct store_redis *store = reaping->store;
    struct claim claim;
    struct view options; /* as accepted; those that stand in the claim stay */
    if (claim_record_decode(record, &claim, &options)) {
        claim.member.state = CLAIM_OFFLINE;
        claim.member.changed_ms = store_wall_ms(store);
        claim.expires_ms =
            claim.member.changed_ms +
            (claim_is_anonymous(&claim) ? store->settings.keep_anonymous_ms : store->settings.keep_owned_ms);
        reaping->owed++;
        struct claim_write write = {.claim = &claim,
                                    .expected_epoch = claim.epoch,
                                    .expected_states = CLAIM_CONNECTING | CLAIM_READY};
        if (!store_write(store, &write, on_reaped, reaping)) reaping->owed--;
    }
    reaping->owed++;
    reaping->found++;
    store_remove_connection(store, reaping->gateway, connection_id, on_reaped, reaping);
}

static void on_scanned(void *ctx, enum status status, const redisReply *reply) {
    struct reaping *reaping = ctx;
    bool well = status == STATUS_OK && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
                reply->element[1]->type == REDIS_REPLY_ARRAY;
    if (!well || !view_copy_to(reply_text(reply->element[0]), reaping->cursor, sizeof(reaping->cursor)))
        strcpy(reaping->cursor, "0");
    const redisReply *pairs = well ? reply->element[1] : NULL;
    for (size_t i = 0; pairs && i + 1 < pairs->elements; i += 2)
        reap_connection(reaping, reply_text(pairs->element[i]), reply_text(pairs->element[i + 1]));
    batch_reply(reaping);
}

static void reap_batch(struct reaping *reaping) {
    struct key key;
    char cursor[24];
    memcpy(cursor, reaping->cursor, sizeof(cursor));
    const struct view words[] = {VIEW("HSCAN"), key_of(&key, "links", view_from_cstr(reaping->gateway)),
                                 view_from_cstr(cursor), VIEW("COUNT"), VIEW(REAP_COUNT)};
    reaping->owed = 1;
    store_call(reaping->store, words, 5, true, on_scanned, reaping);
}

static void reap(struct store_redis *store, struct view gateway) {
    if (store->reaping) return; /* at the next renewal */
    struct reaping *reaping = calloc(1, sizeof(*reaping));
    if (!reaping || !view_copy_to(gateway, reaping->gateway, sizeof(reaping->gateway))) {
        free(reaping);
        return;
    }
    reaping->store = store;
    strcpy(reaping->cursor, "0");
    store->reaping = reaping;
    reap_batch(reaping);
}

/* ---- the secret ---- */

static void make_secret(struct store_redis *store) {
    unsigned char random[32];
    if (store->secret[0]) return;
    ids_random(random, sizeof(random));
    *hex_print(store->secret, random, sizeof(random)) = '\0';
    store->secret_created = store_wall_ms(store);
}

static void on_secret(void *ctx, enum status status, const redisReply *reply) {
    struct store_redis *store = ctx;
    uint64_t created;
    store->secret_asked = false;
    if (store->stopped || status != STATUS_OK) return;
    bool well = reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
                view_parse_u64(reply_text(reply->element[0]), &created);
    struct view value = well ? reply_text(reply->element[1]) : (struct view){0};
    if (value.len < 16 || value.len > STORE_SECRET_MAX) {
        store_foreign(store, "secret", VIEW(""));
        return;
    }
    bool known = store->secret_agreed, changed = !view_eq(value, view_from_cstr(store->secret));
    view_copy_to(value, store->secret, sizeof(store->secret));
    store->secret_created = created;
    store->secret_agreed = true;
    if (known && changed) {
        log_warn("store", "%s holds an older secret than the one made here: it counts from now on",
                 store->url.shown);
        if (store->events.secret_changed) store->events.secret_changed(store->events.ctx);
    }
    store_tell_state(store);
}

/* Writes ours where there is none, or a younger one. */
static void agree_on_secret(struct store_redis *store) {
    struct key key;
    char created[24];
    if (!store->settings.keeps_secret || store->secret_asked) return;
    make_secret(store);
    snprintf(created, sizeof(created), "%llu", (unsigned long long)store->secret_created);
    const struct view words[] = {key_of(&key, "secret", VIEW("")), view_from_cstr(created),
                                 view_from_cstr(store->secret)};
    store->secret_asked = true;
    store_script(store, SCRIPT_SECRET, words, 1, 3, true, on_secret, store);
}

/* ---- the lease ---- */

static void check_rival(struct store_redis *store, struct view before) {
    if (!store->was_reaped || before.len == 0 || view_eq(before, view_from_cstr(store->instance))) return;
    if (!store->rival_logged)
        log_error("store", "another gateway says that it is %s too: give each its own --peer-url",
                  store->gateway);
    store->rival_logged = true;
}

static void check_store_id(struct store_redis *store, struct view id) {
    bool lost = store->store_id[0] && !view_eq(id, view_from_cstr(store->store_id));
    view_copy_to(id, store->store_id, sizeof(store->store_id));
    if (!lost) return;
    log_warn("store", "%s has lost what it held: this gateway's tunnels are registered again",
             store->url.shown);
    const struct store_events *events = &store->events.store;
    if (store->events.emptied) store->events.emptied(store->events.ctx);
    if (store->was_reached && events->missed)
        events->missed(events->ctx); /* otherwise it is told soon anyway */
}

static void check_secret(struct store_redis *store, struct view created) {
    char ours[24];
    snprintf(ours, sizeof(ours), "%llu", (unsigned long long)store->secret_created);
    if (!store->secret[0] || !view_eq(created, view_from_cstr(ours))) agree_on_secret(store);
}

/* Nobody could renew a lease while Redis was away. */
static void check_dead(struct store_redis *store, const redisReply *reply) {
    if (store_is_just_back(store)) return;
    for (size_t i = 4; i < reply->elements; i++) {
        struct view gateway = reply_text(reply->element[i]);
        if (gateway.len == 0 || view_eq(gateway, view_from_cstr(store->gateway))) continue;
        reap(store, gateway);
        return;
    }
}

static void renewed(struct store_redis *store, const redisReply *reply) {
    const redisReply *reserved = reply->element[2];
    redis_link_content(store->commands);
    check_rival(store, reply_text(reply->element[0]));
    check_store_id(store, reply_text(reply->element[1]));
    if (reserved->type == REDIS_REPLY_INTEGER && reserved->integer > 0)
        store->reserved_until_ms = loop_now(store->settings.loop) + (uint64_t)reserved->integer;
    check_secret(store, reply_text(reply->element[3]));
    store->leased = true;
    if (!store->was_reaped)
        reap(store, view_from_cstr(store->gateway)); /* what an earlier life of ours left */
    store->was_reaped = true;
    check_dead(store, reply);
}

static void on_renewed(void *ctx, enum status status, const redisReply *reply) {
    struct store_redis *store = ctx;
    if (store->stopped) return;
    bool well = status == STATUS_OK && reply->type == REDIS_REPLY_ARRAY && reply->elements >= 4;
    if (well)
        renewed(store, reply);
    else
        store->leased = false;
    store_tell_state(store);
}

static void renew(struct store_redis *store) {
    struct key lease, gateways, id, secret, reserved;
    char lease_ms[24], fresh[UUID_LEN + 1];
    ids_uuid4(fresh);
    snprintf(lease_ms, sizeof(lease_ms), "%llu", (unsigned long long)store->settings.lease_ms);
    const struct view words[] = {key_of(&lease, "lease", view_from_cstr(store->gateway)),
                                 key_of(&gateways, "gateways", VIEW("")),
                                 key_of(&id, "store", VIEW("")),
                                 key_of(&secret, "secret", VIEW("")),
                                 key_of(&reserved, "reserved", VIEW("")),
                                 view_from_cstr(store->gateway),
                                 view_from_cstr(store->instance),
                                 view_from_cstr(lease_ms),
                                 view_from_cstr(store->own_channel),
                                 view_from_cstr(fresh),
                                 view_from_cstr(store->store_id)};
    store_script(store, SCRIPT_RENEW, words, 5, 11, true, on_renewed, store);
}

static void on_renewal(struct timer *timer) {
    struct store_redis *store = LIST_ENTRY(timer, struct store_redis, renewal);
    timer_start(&store->settings.loop->timers, &store->renewal, store->settings.lease_ms / 3);
    mailbox_tick(store, false);
    if (redis_link_is_up(store->commands)) renew(store);
    store_tell_state(store);
}

/* Also until the first renewal on a new connection has told whether Redis is what it was. */
bool lease_names_reserved(void *ctx) {
    struct store_redis *store = ctx;
    return !store->leased || store->reserved_until_ms > loop_now(store->settings.loop);
}

void lease_init(struct store_redis *store) {
    timer_init(&store->renewal, on_renewal);
    ids_uuid4(store->instance);
    timer_start(&store->settings.loop->timers, &store->renewal, store->settings.lease_ms / 3);
}

void lease_up(struct store_redis *store) {
    renew(store);
}

void lease_down(struct store_redis *store) {
    store->leased = false;
    store_tell_state(store);
}

void lease_stop(struct store_redis *store) {
    timer_stop(&store->settings.loop->timers, &store->renewal);
}
