/* Requests a second of a tunnel, counted by all environments together. The claim's record holds a bucket:
 *   rateSince    when the period began in which it was never empty (ms)
 *   rateCount    requests since then
 * of which `per_second` a second have leaked away. Reading it costs nothing, because each request reads the
 * claim. An environment adds what it has counted at most once a second, and not before that is a share of the
 * limit that matters: a thousand environments, which is what Lambda gives, with a request a second each are
 * no more than the limit that deployments have. So the limit is met on average, and passed for about a
 * second. */
#include <inttypes.h>

#include "base/log.h"
#include "store/store_dynamodb_state.h"

enum {
    BODY_MAX = 4096,
    ADD_MS = 1000,
    LEAK_MS = 1000, /* in which what fits into the bucket leaks away */
    SKEW_MS = 2000, /* between clocks of environments; a period that begins later makes no sense */
    SHARE = 200,    /* of the limit, that is added at once */
    SHARE_MIN = 2,  /* one request never costs a write of its own */
};

/* ---- what is known of a tunnel ---- */

static struct rate_entry *find(struct store_dynamodb *store, struct view tunnel_id) {
    for (size_t i = 0; i < RATE_ENTRIES; i++)
        if (view_eq(view_from_cstr(store->rates[i].tunnel_id), tunnel_id)) return &store->rates[i];
    return NULL;
}

/* In the place of the one that was used last the longest ago. */
static struct rate_entry *find_or_make(struct store_dynamodb *store, struct view tunnel_id) {
    struct rate_entry *entry = find(store, tunnel_id), *oldest = &store->rates[0];
    if (entry) return entry;
    for (size_t i = 1; i < RATE_ENTRIES; i++)
        if (store->rates[i].seen_ms < oldest->seen_ms) oldest = &store->rates[i];
    *oldest = (struct rate_entry){.has_record = false};
    view_copy_to(tunnel_id, oldest->tunnel_id, sizeof(oldest->tunnel_id));
    return oldest;
}

static void take_record(struct rate_entry *entry, const json_t *item) {
    entry->has_record = item != NULL;
    entry->since_ms = entry->count = 0;
    if (item_number(item, "rateSince", &entry->since_ms)) item_number(item, "rateCount", &entry->count);
}

void rate_seen(struct store_dynamodb *store, struct view tunnel_id, const json_t *item) {
    if (store->settings.core->tunnel_requests_per_second == 0) return;
    /* who asks for tunnels that do not exist takes nobody's place */
    struct rate_entry *entry = item ? find_or_make(store, tunnel_id) : find(store, tunnel_id);
    if (!entry) return;
    entry->seen_ms = store_wall_ms(store);
    take_record(entry, item);
}

/* What has not leaked away of the requests that all environments have told of. */
static uint64_t level(const struct rate_entry *entry, size_t per_second, uint64_t now_ms) {
    if (entry->since_ms == 0 || entry->since_ms > now_ms + SKEW_MS) return 0;
    uint64_t passed_ms = now_ms > entry->since_ms ? now_ms - entry->since_ms : 0;
    if (passed_ms / 1000 > entry->count / per_second + 1) return 0;
    uint64_t leaked = passed_ms * per_second / 1000;
    return entry->count > leaked ? entry->count - leaked : 0;
}

/* ---- adding ---- */

static void on_added(void *ctx, enum status status, const struct dynamodb_answer *answer);

/* To the period that goes on, or as the begin of one; whoever else has begun one meanwhile makes it fail. */
static void add(struct store_op *op, const struct rate_entry *entry) {
    struct store_dynamodb *store = op->store;
    uint64_t now = store_wall_ms(store);
    bool goes_on = level(entry, store->settings.core->tunnel_requests_per_second, now) > 0;
    char key[CLAIM_KEY_MAX];
    struct buf body;
    buf_init(&body, BODY_MAX);
    body_begin(&body, store->settings.connections_table);
    body_key(&body, "connectionId", claim_key(view_from_cstr(entry->tunnel_id), key));
    buf_printf(
        &body,
        ",\"UpdateExpression\":\"SET %s\",\"ConditionExpression\":\"attribute_exists(claimTunnel) AND %s\"",
        goes_on ? "rateCount = rateCount + :count" : "rateSince = :now, rateCount = :count",
        entry->since_ms ? "rateSince = :since" : "attribute_not_exists(rateSince)");
    buf_printf(&body, ",\"ReturnValues\":\"ALL_NEW\",\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\","
                      "\"ExpressionAttributeValues\":{");
    item_put_number(&body, ":count", op->total);
    if (!goes_on) item_put_number(&body, ":now", now);
    if (entry->since_ms) item_put_number(&body, ":since", entry->since_ms);
    buf_printf(&body, "}}");
    store_op_try(op, ACTION_CONNECTIONS_UPDATE, &body, on_added);
}

static void on_added(void *ctx, enum status status, const struct dynamodb_answer *answer) {
    struct store_op *op = ctx;
    struct store_dynamodb *store = op->store;
    struct rate_entry *entry = find(store, view_from_cstr(op->claim.tunnel_id));
    if (entry && status == STATUS_OK) {
        take_record(entry, json_object_get(answer->json, "Attributes"));
        entry->untold -= op->total < entry->untold ? op->total : entry->untold;
    } else if (entry && status == STATUS_CONFLICT) {
        take_record(entry, json_object_get(answer->json, "Item"));
        if (entry->has_record && op->next++ == 0) {
            add(op, entry);
            return;
        }
    } else if (status == STATUS_DENIED) {
        store_update_denied(store);
    }
    store->rate_adding = false;
    store_op_free(op);
}

static void tell(struct store_dynamodb *store, struct rate_entry *entry, size_t per_second, uint64_t now_ms) {
    size_t share = per_second / SHARE > SHARE_MIN ? per_second / SHARE : SHARE_MIN;
    bool may = entry->has_record && !store->update_denied && !store->rate_adding;
    if (!may || entry->untold < share || now_ms < entry->told_ms + ADD_MS) return;
    struct store_op *op = store_op_new(store, NULL, 0);
    memcpy(op->claim.tunnel_id, entry->tunnel_id, sizeof(op->claim.tunnel_id));
    op->total = entry->untold;
    entry->told_ms = now_ms;
    store->rate_adding = true;
    add(op, entry);
}

bool rate_admit(void *ctx, struct view tunnel_id, size_t per_second) {
    struct store_dynamodb *store = ctx;
    struct rate_entry *entry = find_or_make(store, tunnel_id);
    uint64_t now = store_wall_ms(store);
    if (now >= entry->counted_ms + LEAK_MS) entry->untold = 0;
    bool fits = level(entry, per_second, now) + entry->untold < per_second;
    if (fits) {
        entry->untold++;
        entry->counted_ms = now;
    }
    tell(store, entry, per_second, now);
    return fits;
}
