/* Removes what has expired, and tells of connections that were taken over and have had their time. DynamoDB
 * does that itself, but only "within days". Page after page of each table, until the invocation's time is
 * nearly up: the next sweep goes on where this one stopped, whichever environment it comes to, because that
 * place stands in the connections table. Each record is deleted only if it has still expired, because a claim
 * may be taken anew meanwhile. */
#include <inttypes.h>

#include "base/log.h"
#include "protocol/json_text.h"
#include "store/store_dynamodb_state.h"

enum {
    PAGE = 500, /* items that are looked at */
    BODY_MAX = 4096,
    TIME_FOR_A_PAGE_MS = 3000,
    PLACE_KEPT_S = 7 * 24 * 3600,
};

#define PLACE_KEY "sweep#place" /* no id of a connection, and no claim's key, has this form */
static const char *const place_names[] = {"sweepConnections", "sweepRequests"};

struct sweep_table {
    const char *name, *key;
    enum aws_action scan, delete;
    size_t *swept;
    char *from; /* the key behind which the next page begins; "": at the table's begin */
};

static struct sweep_table table_of(struct store_op *op) {
    struct store_dynamodb *store = op->store;
    return op->next == 0 ? (struct sweep_table){store->settings.connections_table, "connectionId",
                                                ACTION_CONNECTIONS_SCAN,           ACTION_CONNECTIONS_DELETE,
                                                &store->swept_connections,         store->sweep_from[0]}
                         : (struct sweep_table){store->settings.requests_table, "requestId",
                                                ACTION_REQUESTS_SCAN,           ACTION_REQUESTS_DELETE,
                                                &store->swept_requests,         store->sweep_from[1]};
}

static void next_table(struct store_op *op);
static void next_page(struct store_op *op);

/* Is there time for one more page, with its deletions? */
static bool has_time(const struct store_op *sweep) {
    const struct aws_client *aws = sweep->store->dynamodb->aws;
    uint64_t now = aws->timers->now_ms(aws->timers->ctx);
    return !aws->deadline_ms || now + TIME_FOR_A_PAGE_MS < aws->deadline_ms;
}

static void release(struct store_op *sweep) {
    if (--sweep->total > 0) return;
    if (sweep->status == STATUS_OK && table_of(sweep).from[0] && has_time(sweep)) {
        next_page(sweep);
        return;
    }
    sweep->next++;
    next_table(sweep);
}

/* `target` is the sweep's own operation: it waits for all its deletions. */
static void on_deleted(void *ctx, enum status status, const struct dynamodb_answer *answer) {
    struct store_op *op = ctx, *sweep = op->target;
    bool ours = status == STATUS_CONFLICT && answer->repeated; /* done, and nobody heard of it */
    if (status == STATUS_OK || ours) ++*table_of(sweep).swept;
    store_op_free(op);
    release(sweep);
}

static void delete_expired(struct store_op *sweep, struct view key) {
    struct store_op *op = store_op_new(sweep->store, sweep, 0);
    struct sweep_table table = table_of(sweep);
    struct buf body;
    buf_init(&body, BODY_MAX);
    body_begin(&body, table.name);
    body_key(&body, table.key, key);
    buf_printf(&body, ",\"ConditionExpression\":\"#t < :now\",\"ExpressionAttributeNames\":{\"#t\":\"ttl\"},"
                      "\"ExpressionAttributeValues\":{");
    item_put_number(&body, ":now", store_wall_ms(sweep->store) / 1000);
    buf_printf(&body, "}}");
    sweep->total++;
    store_op_send(op, table.delete, &body, on_deleted);
}

static void tell_overdue(const struct store_events *events, struct view connection_id) {
    struct link link = {.protocol = LINK_V1};
    if (events->connection_overdue && view_copy_to(connection_id, link.connection, sizeof(link.connection)))
        events->connection_overdue(events->ctx, &link); /* its end removes the record */
}

static void take_item(struct store_op *sweep, const json_t *item) {
    struct view key = item_string(item, table_of(sweep).key);
    uint64_t expires, now = store_wall_ms(sweep->store) / 1000;
    if (key.len == 0) return;
    if (item_number(item, "ttl", &expires) && expires < now)
        delete_expired(sweep, key);
    else
        tell_overdue(&sweep->store->events, key);
}

/* A key that is none, or too long, is the end: the next sweep begins anew. */
static void note_place(struct store_op *sweep, const json_t *last) {
    struct sweep_table table = table_of(sweep);
    if (!view_copy_to(item_string(last, table.key), table.from, SWEEP_KEY_MAX)) table.from[0] = '\0';
}

static void on_page(void *ctx, enum status status, const struct dynamodb_answer *answer) {
    struct store_op *sweep = ctx;
    size_t index;
    json_t *item;
    sweep->total = 1; /* this page itself */
    if (status != STATUS_OK) sweep->status = port_status(status);
    if (status == STATUS_OK || status == STATUS_INVALID) /* a place that is no good is forgotten, too */
        note_place(sweep, json_object_get(answer->json, "LastEvaluatedKey"));
    json_array_foreach(json_object_get(answer->json, "Items"), index, item) take_item(sweep, item);
    release(sweep);
}

static void next_page(struct store_op *op) {
    struct sweep_table table = table_of(op);
    struct buf body;
    buf_init(&body, BODY_MAX);
    body_begin(&body, table.name);
    buf_printf(&body, ",\"Limit\":%d", PAGE);
    if (table.from[0]) {
        buf_printf(&body, ",\"ExclusiveStartKey\":{");
        item_put_string(&body, table.key, view_from_cstr(table.from));
        buf_printf(&body, "}");
    }
    buf_printf(&body,
               ",\"ProjectionExpression\":\"%s, #t\",\"FilterExpression\":\"#t < :now OR retireAt < :now\","
               "\"ExpressionAttributeNames\":{\"#t\":\"ttl\"},\"ExpressionAttributeValues\":{",
               table.key);
    item_put_number(&body, ":now", store_wall_ms(op->store) / 1000);
    buf_printf(&body, "}}");
    store_op_send(op, table.scan, &body, on_page);
}

/* ---- the place where it stopped ---- */

static void finish(struct store_op *op) {
    size_t removed = op->store->swept_connections + op->store->swept_requests;
    op->fn.swept(op->target, op->ticket, op->status, removed);
    store_op_free(op);
}

static void on_place_kept(void *ctx, enum status status, const struct dynamodb_answer *answer) {
    (void)answer;
    if (status != STATUS_OK)
        log_warn("store", "where the sweep stopped is not kept: %s", status_text(status));
    finish(ctx);
}

static void put_place(struct store_op *op) {
    struct buf body;
    buf_init(&body, BODY_MAX);
    body_begin(&body, op->store->settings.connections_table);
    buf_printf(&body, ",\"Item\":{");
    item_put_string(&body, "connectionId", VIEW(PLACE_KEY));
    for (size_t i = 0; i < 2; i++)
        if (op->store->sweep_from[i][0])
            item_put_string(&body, place_names[i], view_from_cstr(op->store->sweep_from[i]));
    item_put_number(&body, "ttl", store_wall_ms(op->store) / 1000 + PLACE_KEPT_S);
    buf_printf(&body, "}}");
    store_op_send(op, ACTION_CONNECTIONS_PUT, &body, on_place_kept);
}

static void send_key(struct store_op *op, enum aws_action action, const char *more, dynamodb_fn *then) {
    struct buf body;
    buf_init(&body, BODY_MAX);
    body_begin(&body, op->store->settings.connections_table);
    body_key(&body, "connectionId", VIEW(PLACE_KEY));
    buf_printf(&body, "%s}", more);
    store_op_send(op, action, &body, then);
}

/* Mostly there is none, and was none. */
static void keep_place(struct store_op *op) {
    struct store_dynamodb *store = op->store;
    if (store->sweep_from[0][0] || store->sweep_from[1][0])
        put_place(op);
    else if (store->sweep_place_kept)
        send_key(op, ACTION_CONNECTIONS_DELETE, "", on_place_kept);
    else
        finish(op);
}

static void on_place(void *ctx, enum status status, const struct dynamodb_answer *answer) {
    struct store_op *op = ctx;
    const json_t *item = json_object_get(answer->json, "Item");
    if (status != STATUS_OK)
        log_warn("store", "where the last sweep stopped cannot be read: %s", status_text(status));
    op->store->sweep_place_kept = item != NULL;
    for (size_t i = 0; i < 2; i++) {
        char *from = op->store->sweep_from[i];
        if (!view_copy_to(item_string(item, place_names[i]), from, SWEEP_KEY_MAX)) from[0] = '\0';
    }
    next_table(op);
}

static void next_table(struct store_op *op) {
    if (op->next == 2) {
        keep_place(op);
        return;
    }
    *table_of(op).swept = 0;
    next_page(op);
}

void dynamodb_sweep(void *ctx, registry_swept_fn *done, void *target, uint64_t ticket) {
    struct store_op *op = store_op_new(ctx, target, ticket);
    op->fn.swept = done;
    op->status = STATUS_OK;
    send_key(op, ACTION_CONNECTIONS_GET, ",\"ConsistentRead\":true", on_place);
}
