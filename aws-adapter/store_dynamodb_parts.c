/* Parts of an answer, as items "<requestId>#<seq>" beside its record: data, connectionId, createdAt, ttl, and
 * never a status, which would fire the stream. Each piece that an agent sends is put by an invocation of its
 * own, which then adds its number to the record's set `parts`; whoever completes the set completes the
 * record. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "protocol/chunks.h"
#include "protocol/json_text.h"
#include "store_dynamodb_requests.h"

enum { BATCH_WRITE_MAX = 25, PART_KEY_MAX = V1_REQUEST_ID_MAX + 24, PART_TTL_S = 120, ROUNDS_MAX = 20 };

static struct view part_key(const struct store_op *op, size_t seq, char out[PART_KEY_MAX]) {
    int len = snprintf(out, PART_KEY_MAX, "%s#%zu", op->request_id, seq);
    return view_of(out, len > 0 && len < PART_KEY_MAX ? (size_t)len : 0);
}

static bool put_part_key(struct buf *out, const struct store_op *op, size_t seq) {
    char key[PART_KEY_MAX];
    return item_put_string(out, "requestId", part_key(op, seq, key));
}

/* ---- writing one ---- */

static void send_part(struct store_op *op, size_t seq, struct view data, dynamodb_fn *then) {
    struct buf body;
    uint64_t now_s = store_wall_ms(op->store) / 1000;
    buf_init(&body, 2 * data.len + REQUEST_BODY_MAX);
    body_begin(&body, op->store->settings.requests_table);
    buf_printf(&body, ",\"Item\":{");
    put_part_key(&body, op, seq);
    item_put_string(&body, "connectionId", view_from_cstr(op->connection_id));
    item_put_number(&body, "createdAt", now_s);
    item_put_number(&body, "ttl", now_s + PART_TTL_S);
    item_put_string(&body, "data", data);
    buf_printf(&body, "},\"ConditionExpression\":\"attribute_not_exists(requestId)\"}");
    store_op_send(op, "PutItem", &body, then);
}

static void delete_part(struct store_op *op, size_t seq, dynamodb_fn *then) {
    struct buf body;
    buf_init(&body, REQUEST_BODY_MAX);
    body_begin(&body, op->store->settings.requests_table);
    buf_printf(&body, ",\"Key\":{");
    put_part_key(&body, op, seq);
    buf_printf(&body, "}}");
    store_op_send(op, "DeleteItem", &body, then);
}

/* ---- one piece of an answer ---- */

static void on_record_completed(void *ctx, enum status status, const struct dynamodb_answer *answer) {
    (void)answer;
    struct store_op *op = ctx;
    if (status == STATUS_OK)
        request_completed(op);
    else /* completed by who brought the same number once more */
        store_op_done(op, status == STATUS_CONFLICT ? STATUS_OK : port_status(status));
}

static void complete_record(struct store_op *op) {
    struct buf body;
    buf_init(&body, REQUEST_BODY_MAX);
    body_begin(&body, op->store->settings.requests_table);
    body_key(&body, "requestId", view_from_cstr(op->request_id));
    buf_printf(&body, ",\"UpdateExpression\":\"SET #status = :completed, partsTotal = :total\"");
    put_owner_condition(&body, op, "");
    item_put_string(&body, ":completed", VIEW("completed"));
    item_put_number(&body, ":total", op->total);
    buf_printf(&body, "}}");
    store_op_send(op, "UpdateItem", &body, on_record_completed);
}

static void on_foreign_deleted(void *ctx, enum status status, const struct dynamodb_answer *answer) {
    (void)status; /* it expires */
    (void)answer;
    store_op_done(ctx, STATUS_NOT_FOUND);
}

static void on_number_added(void *ctx, enum status status, const struct dynamodb_answer *answer) {
    struct store_op *op = ctx;
    const json_t *parts = json_object_get(json_object_get(answer->json, "Attributes"), "parts");
    if (status == STATUS_CONFLICT && op->put_here)
        delete_part(op, op->next, on_foreign_deleted);
    else if (status != STATUS_OK)
        store_op_done(op, status == STATUS_CONFLICT ? STATUS_NOT_FOUND : port_status(status));
    else if (json_array_size(json_object_get(parts, "NS")) >= op->total)
        complete_record(op);
    else
        store_op_done(op, STATUS_OK);
}

static void put_number(struct buf *body, const struct store_op *op) {
    buf_printf(body, ",\"UpdateExpression\":\"SET partsTotal = :total ADD parts :number\"");
    put_owner_condition(body, op, " AND (attribute_not_exists(partsTotal) OR partsTotal = :total)");
}

/* The request has no record yet, or one that another piece of it made. */
static void put_deposit(struct buf *body, const struct store_op *op) {
    buf_printf(
        body,
        ",\"UpdateExpression\":\"SET partsTotal = :total, connectionId = :connection, #status = :pending, "
        "expiresMs = :expires, #ttl = :ttl ADD parts :number\","
        "\"ConditionExpression\":\"attribute_not_exists(requestId) OR (connectionId = :connection AND "
        "#status = :pending AND partsTotal = :total)\","
        "\"ExpressionAttributeNames\":{\"#status\":\"status\",\"#ttl\":\"ttl\"},"
        "\"ExpressionAttributeValues\":{");
    item_put_string(body, ":connection", view_from_cstr(op->connection_id));
    item_put_string(body, ":pending", VIEW("pending"));
    item_put_number(body, ":expires", op->expires_ms);
    item_put_number(body, ":ttl", op->expires_ms / 1000 + 1);
}

static void on_piece_put(void *ctx, enum status status, const struct dynamodb_answer *answer) {
    (void)answer;
    struct store_op *op = ctx;
    if (status != STATUS_OK && status != STATUS_CONFLICT) {
        store_op_done(op, port_status(status));
        return;
    }
    op->put_here = status == STATUS_OK;
    struct buf body;
    buf_init(&body, REQUEST_BODY_MAX);
    body_begin(&body, op->store->settings.requests_table);
    body_key(&body, "requestId", view_from_cstr(op->request_id));
    if (op->deposit)
        put_deposit(&body, op);
    else
        put_number(&body, op);
    item_put_number(&body, ":total", op->total);
    buf_printf(&body, ",\":number\":{\"NS\":[\"%zu\"]}},\"ReturnValues\":\"UPDATED_NEW\"}", op->next);
    store_op_send(op, "UpdateItem", &body, on_number_added);
}

static void take_piece(struct store_op *op, struct view request_id, struct view connection_id,
                       const struct v1_chunk *chunk) {
    bool sane = chunk->total > 0 && chunk->total <= PARTS_MAX && chunk->seq < chunk->total &&
                chunk->data.len > 0 && chunk->data.len <= ITEM_TEXT_MAX;
    if (!sane || !view_copy_to(request_id, op->request_id, sizeof op->request_id) || !op->request_id[0] ||
        !view_copy_to(connection_id, op->connection_id, sizeof op->connection_id)) {
        request_refuse(op, STATUS_NOT_FOUND);
        return;
    }
    op->total = (size_t)chunk->total;
    op->next = (size_t)chunk->seq;
    send_part(op, op->next, chunk->data, on_piece_put);
}

void complete_part(void *ctx, struct view request_id, struct view connection_id, const struct v1_chunk *chunk,
                   mailbox_done_fn *done, void *target, uint64_t ticket) {
    struct store_op *op = store_op_new(ctx, target, ticket);
    op->fn.done = done;
    take_piece(op, request_id, connection_id, chunk);
}

void store_dynamodb_deposit_part(struct store_dynamodb *store, struct view request_id,
                                 struct view connection_id, uint64_t expires_ms, const struct v1_chunk *chunk,
                                 mailbox_done_fn *done, void *target, uint64_t ticket) {
    struct store_op *op = store_op_new(store, target, ticket);
    op->fn.done = done;
    op->deposit = true;
    op->expires_ms = expires_ms;
    take_piece(op, request_id, connection_id, chunk);
}

/* ---- a whole answer that is too large for one item ---- */

static void write_next(struct store_op *op);

static void on_part_written(void *ctx, enum status status, const struct dynamodb_answer *answer) {
    (void)answer;
    struct store_op *op = ctx;
    if (status != STATUS_OK && status != STATUS_CONFLICT) {
        store_op_done(op, port_status(status));
        return;
    }
    op->next++;
    write_next(op);
}

static void write_next(struct store_op *op) {
    size_t at = op->next * ITEM_TEXT_MAX;
    if (op->next == op->total)
        complete_record(op);
    else
        send_part(op, op->next, view_slice(buf_view(&op->text), at, at + ITEM_TEXT_MAX), on_part_written);
}

void parts_write(struct store_op *op) {
    op->total = (op->text.len + ITEM_TEXT_MAX - 1) / ITEM_TEXT_MAX;
    op->next = 0;
    if (op->total <= PARTS_MAX)
        write_next(op);
    else
        request_refuse(op, STATUS_TOO_LARGE);
}

/* ---- reading ---- */

struct reading {
    struct store_op *op;
    parts_fn *then;
    struct chunk_joiner joiner;
    unsigned rounds;
};

static void read_missing(struct reading *reading);

static void reading_end(struct reading *reading, struct v1_message *answer) {
    struct store_op *op = reading->op;
    parts_fn *then = reading->then;
    chunk_joiner_done(&reading->joiner);
    free(reading);
    op->reading = NULL;
    then(op, answer);
}

static struct v1_message *join(struct reading *reading) {
    struct store_op *op = reading->op;
    buf_clear(&op->text);
    if (!chunk_joiner_text(&reading->joiner, &op->text)) return NULL;
    return parse_answer(op->store, buf_view(&op->text));
}

/* The number behind the '#' of its key. */
static bool read_part(const json_t *item, struct v1_chunk *chunk) {
    struct view key = item_string(item, "requestId");
    chunk->data = item_string(item, "data");
    return chunk->data.ptr && view_parse_u64(view_skip(key, view_find_last(key, '#') + 1), &chunk->seq);
}

static void on_batch(void *ctx, enum status status, const struct dynamodb_answer *answer) {
    struct store_op *op = ctx;
    struct reading *reading = op->reading;
    const json_t *items =
        json_object_get(json_object_get(answer->json, "Responses"), op->store->settings.requests_table);
    size_t index;
    json_t *item;
    enum chunk_result result = CHUNK_MORE;
    json_array_foreach(items, index, item) {
        struct v1_chunk chunk = {.total = op->total};
        if (!read_part(item, &chunk)) continue;
        result = chunk_joiner_add(&reading->joiner, &chunk);
        if (result == CHUNK_REFUSED || result == CHUNK_COMPLETE) break;
    }
    if (result == CHUNK_COMPLETE)
        reading_end(reading, join(reading));
    else if (result == CHUNK_REFUSED)
        reading_end(reading, parse_answer(op->store, VIEW("")));
    else if (status != STATUS_OK || ++reading->rounds == ROUNDS_MAX)
        reading_end(reading, NULL);
    else /* an answer holds 16 MB, and DynamoDB may leave some out when it is busy */
        read_missing(reading);
}

static void read_missing(struct reading *reading) {
    struct store_op *op = reading->op;
    const char *brace = "";
    struct buf body;
    buf_init(&body, PARTS_MAX * (PART_KEY_MAX + 64) + REQUEST_BODY_MAX);
    buf_printf(&body, "{\"RequestItems\":{");
    json_text_string(&body, view_from_cstr(op->store->settings.requests_table));
    buf_printf(&body, ":{\"ConsistentRead\":true,\"Keys\":[");
    for (size_t seq = 0; seq < op->total; seq++) {
        if (reading->joiner.pieces && reading->joiner.pieces[seq].ptr) continue;
        buf_printf(&body, "%s{", brace);
        put_part_key(&body, op, seq);
        buf_append_byte(&body, '}');
        brace = ",";
    }
    buf_printf(&body, "]}}}");
    store_op_send(op, "BatchGetItem", &body, on_batch);
}

void parts_read(struct store_op *op, parts_fn *then) {
    struct reading *reading = op->total <= PARTS_MAX ? calloc(1, sizeof *reading) : NULL;
    if (!reading) {
        then(op, NULL);
        return;
    }
    reading->op = op;
    reading->then = then;
    op->reading = reading;
    chunk_joiner_init(&reading->joiner, op->text.max);
    read_missing(reading);
}

void reading_free(struct reading *reading) {
    if (!reading) return;
    chunk_joiner_done(&reading->joiner);
    free(reading);
}

/* ---- deleting ---- */

static void on_batch_deleted(void *ctx, enum status status, const struct dynamodb_answer *answer) {
    (void)answer; /* what was left out expires */
    struct store_op *op = ctx;
    if (status == STATUS_OK && op->next < op->total)
        parts_delete(op);
    else
        store_op_free(op);
}

void parts_delete(struct store_op *op) {
    size_t end = op->next + BATCH_WRITE_MAX < op->total ? op->next + BATCH_WRITE_MAX : op->total;
    const char *comma = "";
    struct buf body;
    buf_init(&body, BATCH_WRITE_MAX * (PART_KEY_MAX + 64) + REQUEST_BODY_MAX);
    buf_printf(&body, "{\"RequestItems\":{");
    json_text_string(&body, view_from_cstr(op->store->settings.requests_table));
    buf_printf(&body, ":[");
    for (; op->next < end; op->next++) {
        buf_printf(&body, "%s{\"DeleteRequest\":{\"Key\":{", comma);
        put_part_key(&body, op, op->next);
        buf_printf(&body, "}}}");
        comma = ",";
    }
    buf_printf(&body, "]}}");
    store_op_send(op, "BatchWriteItem", &body, on_batch_deleted);
}
