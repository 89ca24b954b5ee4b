/* Parts of an answer, as items "<requestId>#<connectionId>#<total>.<seq>" beside its record: data,
 * connectionId, createdAt, ttl, and never a status, which would fire the stream. Each piece that an agent
 * sends is put by an invocation of its own, which then adds its number to the record's set `parts<total>`;
 * whoever completes the set completes the record.
 *
 * Pieces that contradict each other by their total are sets beside each other (`partsTotals` names them), so
 * that the order in which they come decides nothing. Whether a set joins to an answer shows only when it is
 * read: one that does not is named in `partsBad`, takes nothing any more, and the request is pending again.
 * All of them are deleted with the request. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "protocol/chunks.h"
#include "protocol/json_text.h"
#include "store/store_dynamodb_requests.h"

enum {
    BATCH_WRITE_MAX = 25,
    PART_KEY_MAX = V1_REQUEST_ID_MAX + CONNECTION_ID_MAX + 48,
    PART_TTL_S = 120,
    ROUNDS_MAX = 20,
};

/* No other connection can stand in the way: its parts have other keys. */
static bool put_part_key(struct buf *out, const struct store_op *op, size_t seq) {
    char key[PART_KEY_MAX];
    int len = snprintf(key, sizeof(key), "%s#%s#%zu.%zu", op->request_id, op->connection_id, op->total, seq);
    return len > 0 && (size_t)len < sizeof(key) &&
           item_put_string(out, "requestId", view_of(key, (size_t)len));
}

/* ---- writing one ---- */

static void send_part(struct store_op *op, struct view data, const char *condition, dynamodb_fn *then) {
    struct buf body;
    uint64_t now_s = store_wall_ms(op->store) / 1000;
    buf_init(&body, 2 * data.len + REQUEST_BODY_MAX);
    body_begin(&body, op->store->settings.requests_table);
    buf_printf(&body, ",\"Item\":{");
    put_part_key(&body, op, op->next);
    item_put_string(&body, "connectionId", view_from_cstr(op->connection_id));
    item_put_number(&body, "createdAt", now_s);
    item_put_number(&body, "ttl", now_s + PART_TTL_S);
    item_put_string(&body, "data", data);
    buf_printf(&body, "}%s}", condition);
    store_op_send(op, ACTION_REQUESTS_PUT, &body, then);
}

static void delete_part(struct store_op *op, dynamodb_fn *then) {
    struct buf body;
    buf_init(&body, REQUEST_BODY_MAX);
    body_begin(&body, op->store->settings.requests_table);
    buf_printf(&body, ",\"Key\":{");
    put_part_key(&body, op, op->next);
    buf_printf(&body, "}}");
    store_op_send(op, ACTION_REQUESTS_DELETE, &body, then);
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
    op->deposit = false; /* there is a record now, or it has been deleted */
    body_begin(&body, op->store->settings.requests_table);
    body_key(&body, "requestId", view_from_cstr(op->request_id));
    buf_printf(&body, ",\"UpdateExpression\":\"SET #status = :completed, partsTotal = :total\"");
    put_owner_condition(&body, op, "");
    item_put_string(&body, ":completed", VIEW("completed"));
    item_put_number(&body, ":total", op->total);
    buf_printf(&body, "}}");
    store_op_send(op, ACTION_REQUESTS_UPDATE, &body, on_record_completed);
}

static void on_refused_deleted(void *ctx, enum status status, const struct dynamodb_answer *answer) {
    (void)status; /* it expires */
    (void)answer;
    store_op_done(ctx, STATUS_NOT_FOUND);
}

static void refuse_piece(struct store_op *op) {
    if (op->put_here)
        delete_part(op, on_refused_deleted);
    else
        store_op_done(op, STATUS_NOT_FOUND);
}

static void add_number(struct store_op *op);

static void on_other_reopened(void *ctx, enum status status, const struct dynamodb_answer *answer) {
    (void)status; /* who waits may have done it */
    (void)answer;
    struct store_op *op = ctx;
    op->total = op->own_total;
    add_number(op);
}

static void on_other_checked(struct store_op *op, enum status status, struct v1_message *answer) {
    v1_message_free(answer);
    if (status == STATUS_INVALID) {
        parts_reopen(op, on_other_reopened);
        return;
    }
    op->total = op->own_total;
    refuse_piece(op);
}

/* The numbers in the record's set of this total. */
static const json_t *numbers_of(const struct store_op *op, const json_t *record) {
    char name[32];
    snprintf(name, sizeof(name), "parts%zu", op->total);
    return json_object_get(json_object_get(record, name), "NS");
}

static bool has_number(const json_t *numbers, size_t number) {
    uint64_t value;
    size_t index;
    json_t *text;
    json_array_foreach(numbers, index, text) {
        if (view_parse_u64(view_from_cstr(json_string_value(text)), &value) && value == number) return true;
    }
    return false;
}

/* Added all the same, by an attempt that nobody heard of. */
static void on_added_before(struct store_op *op, const json_t *old) {
    bool is_full = json_array_size(numbers_of(op, old)) >= op->total;
    if (is_full && view_eq(item_string(old, "status"), VIEW("pending")))
        complete_record(op);
    else
        store_op_done(op, STATUS_OK);
}

/* Not taken. Was the request completed by another set of the same agent, that perhaps joins to nothing? */
static void on_not_added(struct store_op *op, const json_t *old) {
    bool same_agent = view_eq(item_string(old, "connectionId"), view_from_cstr(op->connection_id));
    if (same_agent && op->put_here && has_number(numbers_of(op, old), op->next)) {
        on_added_before(op, old);
        return;
    }
    op->own_total = op->total;
    if (same_agent && parts_completed(op, old) && op->total != op->own_total &&
        op->rounds++ < CHUNK_SETS_MAX) {
        parts_read(op, on_other_checked);
        return;
    }
    op->total = op->own_total;
    refuse_piece(op);
}

static void on_number_added(void *ctx, enum status status, const struct dynamodb_answer *answer) {
    struct store_op *op = ctx;
    const json_t *attributes = json_object_get(answer->json, "Attributes");
    if (status == STATUS_CONFLICT)
        on_not_added(op, json_object_get(answer->json, "Item"));
    else if (status != STATUS_OK)
        store_op_done(op, port_status(status));
    else if (json_array_size(numbers_of(op, attributes)) >= op->total)
        complete_record(op);
    else
        store_op_done(op, STATUS_OK);
}

/* Bounded: the sets of a request, and the bytes of each. A call that is tried again counts its bytes twice,
 * so there is room for that; what is read is bounded exactly. */
static void put_number(struct buf *body, const struct store_op *op) {
    char further[320];
    size_t bytes_max = 2 * core_settings_message_max(op->store->settings.core);
    snprintf(further, sizeof(further),
             " AND NOT contains(partsBad, :total) AND (attribute_not_exists(bytes%zu) OR bytes%zu <= :room) "
             "AND (attribute_not_exists(partsTotals) OR contains(partsTotals, :total) OR "
             "size(partsTotals) < :sets)",
             op->total, op->total);
    buf_printf(body,
               ",\"UpdateExpression\":\"%s ADD partsTotals :totals, parts%zu :number, bytes%zu :bytes\"",
               op->deposit ? "SET #status = :pending" REQUEST_DEPOSIT : "", op->total, op->total);
    put_owner_condition(body, op, further);
    item_put_number(body, ":total", op->total);
    item_put_number(body, ":sets", CHUNK_SETS_MAX);
    item_put_number(body, ":room", bytes_max - op->bytes);
    item_put_number(body, ":bytes", op->put_here ? op->bytes : 0);
    buf_printf(body, ",\":totals\":{\"NS\":[\"%zu\"]},\":number\":{\"NS\":[\"%zu\"]}}", op->total, op->next);
}

static void add_number(struct store_op *op) {
    struct buf body;
    buf_init(&body, REQUEST_BODY_MAX);
    body_begin(&body, op->store->settings.requests_table);
    body_key(&body, "requestId", view_from_cstr(op->request_id));
    put_number(&body, op);
    buf_printf(&body,
               ",\"ReturnValues\":\"UPDATED_NEW\",\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\"}");
    store_op_send(op, ACTION_REQUESTS_UPDATE, &body, on_number_added);
}

static void on_piece_put(void *ctx, enum status status, const struct dynamodb_answer *answer) {
    (void)answer;
    struct store_op *op = ctx;
    op->put_here = status == STATUS_OK;
    if (status == STATUS_OK || status == STATUS_CONFLICT)
        add_number(op);
    else
        store_op_done(op, port_status(status));
}

static void take_piece(struct store_op *op, struct view request_id, struct view connection_id,
                       const struct v1_chunk *chunk) {
    bool sane = chunk->total > 0 && chunk->total <= PARTS_MAX && chunk->seq < chunk->total &&
                chunk->data.len > 0 && chunk->data.len <= ITEM_TEXT_MAX;
    if (!sane || !view_copy_to(request_id, op->request_id, sizeof(op->request_id)) || !op->request_id[0] ||
        !view_copy_to(connection_id, op->connection_id, sizeof(op->connection_id))) {
        request_refuse(op, STATUS_NOT_FOUND);
        return;
    }
    op->total = (size_t)chunk->total;
    op->next = (size_t)chunk->seq;
    op->bytes = chunk->data.len;
    send_part(op, chunk->data, ",\"ConditionExpression\":\"attribute_not_exists(requestId)\"", on_piece_put);
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
    struct waiting *waiting = waiting_find(store, request_id);
    if (waiting) waiting->recordless = false; /* our own */
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
    if (status != STATUS_OK) {
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
        send_part(op, view_slice(buf_view(&op->text), at, at + ITEM_TEXT_MAX), "", on_part_written);
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

bool parts_completed(struct store_op *op, const json_t *record) {
    uint64_t total = 0;
    if (!view_eq(item_string(record, "status"), VIEW("completed")) ||
        !item_number(record, "partsTotal", &total) || total == 0 ||
        !view_copy_to(item_string(record, "connectionId"), op->connection_id, sizeof(op->connection_id)))
        return false;
    op->total = (size_t)total;
    return true;
}

struct reading {
    struct store_op *op;
    parts_fn *then;
    struct chunk_joiner joiner;
    unsigned rounds;
};

static void read_missing(struct reading *reading);

static void reading_end(struct reading *reading, enum status status, struct v1_message *answer) {
    struct store_op *op = reading->op;
    parts_fn *then = reading->then;
    op->reading = NULL;
    reading_free(reading);
    then(op, status, answer);
}

/* Ends the reading. */
static void join(struct reading *reading) {
    struct store_op *op = reading->op;
    struct v1_message *answer = NULL;
    struct buf text;
    enum status status = STATUS_NO_MEMORY;
    buf_init(&text, reading->joiner.bytes);
    if (chunk_joiner_text(&reading->joiner, &text))
        answer = v1_answer_parse(buf_view(&text), view_from_cstr(op->request_id),
                                 op->store->settings.core->v1_body_bytes, &status);
    buf_done(&text);
    reading_end(reading, status, answer);
}

/* The number behind the last dot of its key. */
static bool read_part(const json_t *item, struct v1_chunk *chunk) {
    struct view key = item_string(item, "requestId");
    chunk->data = item_string(item, "data");
    return chunk->data.ptr && view_parse_u64(view_skip(key, view_find_last(key, '.') + 1), &chunk->seq);
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
        join(reading);
    else if (result == CHUNK_REFUSED) /* longer than an answer can be */
        reading_end(reading, STATUS_INVALID, NULL);
    else if (status != STATUS_OK || ++reading->rounds == ROUNDS_MAX)
        reading_end(reading, STATUS_UNAVAILABLE, NULL);
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
    store_op_send(op, ACTION_REQUESTS_GET_MANY, &body, on_batch);
}

void parts_read(struct store_op *op, parts_fn *then) {
    struct reading *reading = op->total <= PARTS_MAX ? calloc(1, sizeof(*reading)) : NULL;
    if (!reading) {
        then(op, STATUS_NO_MEMORY, NULL);
        return;
    }
    reading->op = op;
    reading->then = then;
    op->reading = reading;
    chunk_joiner_init(&reading->joiner, core_settings_message_max(op->store->settings.core));
    read_missing(reading);
}

void reading_free(struct reading *reading) {
    if (!reading) return;
    chunk_joiner_done(&reading->joiner);
    free(reading);
}

void parts_reopen(struct store_op *op, dynamodb_fn *then) {
    struct buf body;
    log_warn("store", "pieces of an answer joined to none: the request waits on");
    buf_init(&body, REQUEST_BODY_MAX);
    body_begin(&body, op->store->settings.requests_table);
    body_key(&body, "requestId", view_from_cstr(op->request_id));
    buf_printf(&body,
               ",\"UpdateExpression\":\"SET #status = :pending REMOVE partsTotal ADD partsBad :totals\","
               "\"ConditionExpression\":\"#status = :completed AND partsTotal = :total\","
               "\"ExpressionAttributeNames\":{\"#status\":\"status\"},\"ExpressionAttributeValues\":{");
    item_put_string(&body, ":pending", VIEW("pending"));
    item_put_string(&body, ":completed", VIEW("completed"));
    item_put_number(&body, ":total", op->total);
    buf_printf(&body, ",\":totals\":{\"NS\":[\"%zu\"]}}}", op->total);
    store_op_send(op, ACTION_REQUESTS_UPDATE, &body, then);
}

/* ---- deleting ---- */

bool parts_of_record(struct store_op *op, const json_t *record) {
    uint64_t total;
    size_t index;
    json_t *text;
    op->set_count = 0;
    json_array_foreach(json_object_get(json_object_get(record, "partsTotals"), "NS"), index, text) {
        bool ok = view_parse_u64(view_from_cstr(json_string_value(text)), &total) && total <= PARTS_MAX;
        if (ok && op->set_count < CHUNK_SETS_MAX) op->sets[op->set_count++] = (size_t)total;
    }
    bool completed = item_number(record, "partsTotal", &total) && total > 0 && total <= PARTS_MAX;
    for (index = 0; index < op->set_count; index++) completed = completed && op->sets[index] != total;
    if (completed) op->sets[op->set_count++] = (size_t)total; /* a whole answer, cut here */
    return op->set_count > 0 &&
           view_copy_to(item_string(record, "connectionId"), op->connection_id, sizeof(op->connection_id));
}

static void on_batch_deleted(void *ctx, enum status status, const struct dynamodb_answer *answer) {
    (void)answer; /* what was left out expires */
    struct store_op *op = ctx;
    if (status == STATUS_OK && op->set_count > 0)
        parts_delete(op);
    else
        store_op_free(op);
}

void parts_delete(struct store_op *op) {
    const char *comma = "";
    struct buf body;
    buf_init(&body, BATCH_WRITE_MAX * (PART_KEY_MAX + 64) + REQUEST_BODY_MAX);
    buf_printf(&body, "{\"RequestItems\":{");
    json_text_string(&body, view_from_cstr(op->store->settings.requests_table));
    buf_printf(&body, ":[");
    for (size_t count = 0; count < BATCH_WRITE_MAX && op->set_count > 0; count++) {
        op->total = op->sets[op->set_count - 1];
        buf_printf(&body, "%s{\"DeleteRequest\":{\"Key\":{", comma);
        put_part_key(&body, op, op->next);
        buf_printf(&body, "}}}");
        comma = ",";
        if (++op->next < op->total) continue;
        op->next = 0;
        op->set_count--;
    }
    buf_printf(&body, "]}}");
    store_op_send(op, ACTION_REQUESTS_WRITE_MANY, &body, on_batch_deleted);
}
