/* The mailbox on DynamoDB. A pending request is a record (requestId, connectionId, apiGatewayRequestId,
 * createdAt, ttl, status, responseData: what existing deployments have; expiresMs beside it). An answer that
 * one item cannot hold, or that comes in pieces, stands in part items (store_dynamodb_parts.c), whose number
 * is the record's partsTotal. */
#include "store/store_dynamodb_requests.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "protocol/json_text.h"

/* ---- requests of ours that are open ---- */

struct waiting *waiting_find(struct store_dynamodb *store, struct view request_id) {
    struct table_node *node = table_get(&store->waiting, request_id);
    return node ? TABLE_ENTRY(node, struct waiting, node) : NULL;
}

static void waiting_free(struct waiting *waiting) {
    struct store_dynamodb *store = waiting->store;
    timer_stop(store->dynamodb->aws->timers, &waiting->poll);
    table_remove(&store->waiting, &waiting->node);
    v1_message_free(waiting->answer);
    free(waiting);
}

static void free_entry(void *ctx, struct table_node *node) {
    (void)ctx;
    waiting_free(TABLE_ENTRY(node, struct waiting, node));
}

void waiting_free_all(struct store_dynamodb *store) {
    table_each(&store->waiting, free_entry, NULL);
}

static void read_request(struct store_op *op, dynamodb_fn *then) {
    struct buf body;
    buf_init(&body, REQUEST_BODY_MAX);
    body_begin(&body, op->store->settings.requests_table);
    body_key(&body, "requestId", view_from_cstr(op->request_id));
    buf_printf(&body, ",\"ConsistentRead\":true}");
    store_op_send(op, ACTION_REQUESTS_GET, &body, then);
}

static void poll_later(struct waiting *waiting) {
    timer_start(waiting->store->dynamodb->aws->timers, &waiting->poll, waiting->interval_ms);
    waiting->interval_ms = waiting->interval_ms * 2 < POLL_MAX_MS ? waiting->interval_ms * 2 : POLL_MAX_MS;
}

static void tell_completed(struct store_dynamodb *store, struct waiting *waiting) {
    if (waiting->told) return;
    waiting->told = true;
    timer_stop(store->dynamodb->aws->timers, &waiting->poll);
    if (store->events.request_completed)
        store->events.request_completed(store->events.ctx, view_from_cstr(waiting->request_id));
}

/* The answer is there, or never will be: a completed record that cannot be read is an error of the agent. */
static struct v1_message *unreadable(void) {
    static const struct view text =
        VIEW("{\"type\":\"error\",\"request_id\":null,\"code\":\"internal_error\","
             "\"message\":\"the stored answer makes no sense\"}");
    enum status status;
    return v1_message_parse(text, 0, &status);
}

/* Never NULL but without memory: what makes no sense becomes an error of the agent. */
static struct v1_message *parse_answer(const struct store_dynamodb *store, struct view text) {
    enum status status;
    struct v1_message *message = v1_message_parse(text, store->settings.core->v1_body_bytes, &status);
    if (message && (message->type == V1_HTTP_RESPONSE || message->type == V1_ERROR)) return message;
    v1_message_free(message);
    log_warn("store", "a stored answer makes no sense");
    return unreadable();
}

/* What earlier versions of the handler store may lack the type. */
static struct v1_message *parse_stored(const struct store_dynamodb *store, struct view text) {
    json_t *root = json_loadb(text.len ? text.ptr : "", text.len, JSON_REJECT_DUPLICATES, NULL);
    bool untyped = json_is_object(root) && !json_object_get(root, "type");
    json_decref(root);
    if (!untyped) return parse_answer(store, text);
    struct buf typed;
    buf_init(&typed, text.len + 64);
    size_t brace = view_find(text, '{');
    buf_printf(&typed, "{\"type\":\"http_response\",");
    buf_append_view(&typed, view_skip(text, brace + 1));
    struct v1_message *message = parse_answer(store, buf_view(&typed));
    buf_done(&typed);
    return message;
}

/* What was polled for is not there, or not to be had. */
static void polled_in_vain(struct store_op *op) {
    struct waiting *waiting = waiting_find(op->store, view_from_cstr(op->request_id));
    if (waiting && !waiting->told) poll_later(waiting);
    store_op_free(op);
}

static void on_polled_reopened(void *ctx, enum status status, const struct dynamodb_answer *answer) {
    (void)status; /* it stands at another answer already, or is looked at again */
    (void)answer;
    polled_in_vain(ctx);
}

/* There may be one already, that an earlier look has found. */
static void keep_answer(struct waiting *waiting, struct v1_message *answer) {
    v1_message_free(waiting->answer);
    waiting->answer = answer;
    tell_completed(waiting->store, waiting);
}

static void on_parts(struct store_op *op, enum status status, struct v1_message *answer) {
    struct waiting *waiting = waiting_find(op->store, view_from_cstr(op->request_id));
    if (waiting && answer) {
        keep_answer(waiting, answer);
        store_op_free(op);
        return;
    }
    v1_message_free(answer);
    if (status == STATUS_INVALID)
        parts_reopen(op, on_polled_reopened);
    else
        polled_in_vain(op);
}

static void on_polled(void *ctx, enum status status, const struct dynamodb_answer *answer) {
    struct store_op *op = ctx;
    struct waiting *waiting = waiting_find(op->store, view_from_cstr(op->request_id));
    const json_t *item = json_object_get(answer->json, "Item");
    if (waiting && item) {
        waiting->recordless = false;
        waiting->parts = parts_of_record(op, item);
    }
    if (!waiting || waiting->told) {
        store_op_free(op);
    } else if (status == STATUS_OK && parts_completed(op, item)) {
        parts_read(op, on_parts);
    } else if (status == STATUS_OK && view_eq(item_string(item, "status"), VIEW("completed"))) {
        keep_answer(waiting, parse_stored(op->store, item_string(item, "responseData")));
        store_op_free(op);
    } else {
        polled_in_vain(op);
    }
}

static void poll_now(struct waiting *waiting) {
    struct store_op *op = store_op_new(waiting->store, NULL, 0);
    memcpy(op->request_id, waiting->request_id, sizeof(waiting->request_id));
    read_request(op, on_polled);
}

static void on_poll(struct timer *timer) {
    poll_now(LIST_ENTRY(timer, struct waiting, poll));
}

static struct waiting *waiting_new(struct store_dynamodb *store, const char *request_id) {
    struct waiting *waiting = calloc(1, sizeof(*waiting));
    if (!waiting) return NULL;
    waiting->store = store;
    waiting->interval_ms = store->waiter[0] ? POLL_WOKEN_MS : POLL_FIRST_MS;
    strncat(waiting->request_id, request_id, sizeof(waiting->request_id) - 1);
    timer_init(&waiting->poll, on_poll);
    if (!table_put(&store->waiting, &waiting->node, view_from_cstr(waiting->request_id))) {
        free(waiting);
        return NULL;
    }
    return waiting;
}

/* ---- put ---- */

static void on_put(void *ctx, enum status status, const struct dynamodb_answer *answer) {
    (void)answer;
    struct store_op *op = ctx;
    struct waiting *waiting = status == STATUS_OK ? waiting_new(op->store, op->request_id) : NULL;
    if (status == STATUS_OK && !waiting) status = STATUS_NO_MEMORY;
    if (waiting) poll_later(waiting);
    op->fn.put(op->target, op->ticket, port_status(status), view_from_cstr(op->request_id));
    store_op_free(op);
}

static void put(void *ctx, const struct pending *pending, mailbox_put_fn *done, void *target,
                uint64_t ticket) {
    struct store_op *op = store_op_new(ctx, target, ticket);
    struct store_dynamodb *store = op->store;
    struct buf body;
    op->fn.put = done;
    ids_uuid4(op->request_id);
    buf_init(&body, REQUEST_BODY_MAX);
    body_begin(&body, store->settings.requests_table);
    buf_printf(&body, ",\"Item\":{");
    item_put_string(&body, "requestId", view_from_cstr(op->request_id));
    item_put_string(&body, "connectionId", pending->connection_id);
    item_put_string(&body, "apiGatewayRequestId", view_from_cstr(store->api_gateway_request_id));
    item_put_number(&body, "createdAt", store_wall_ms(store) / 1000);
    item_put_number(&body, "ttl", pending->expires_ms / 1000 + 1);
    item_put_number(&body, "expiresMs", pending->expires_ms);
    item_put_string(&body, "status", VIEW("pending"));
    if (store->waiter[0]) item_put_string(&body, "waiterConnection", view_from_cstr(store->waiter));
    buf_printf(&body, "}}");
    store_op_send(op, ACTION_REQUESTS_PUT, &body, on_put);
}

/* ---- complete ---- */

bool put_owner_condition(struct buf *out, const struct store_op *op, const char *further) {
    return buf_printf(out,
                      ",\"ConditionExpression\":\"%s(connectionId = :connection AND #status = :pending AND "
                      "(attribute_not_exists(expiresMs) OR expiresMs > :now)%s)\","
                      "\"ExpressionAttributeNames\":{\"#status\":\"status\"%s},"
                      "\"ExpressionAttributeValues\":{",
                      op->deposit ? "attribute_not_exists(requestId) OR " : "", further,
                      op->deposit ? ",\"#ttl\":\"ttl\"" : "") &&
           item_put_string(out, ":connection", view_from_cstr(op->connection_id)) &&
           item_put_string(out, ":pending", VIEW("pending")) &&
           item_put_number(out, ":now", store_wall_ms(op->store)) &&
           (!op->deposit || (item_put_number(out, ":created", store_wall_ms(op->store) / 1000) &&
                             item_put_number(out, ":expires", op->expires_ms) &&
                             item_put_number(out, ":ttl", op->expires_ms / 1000 + 1)));
}

void request_completed(struct store_op *op) {
    struct waiting *waiting = waiting_find(op->store, view_from_cstr(op->request_id));
    if (waiting) {
        waiting->parts = true; /* there may be some */
        tell_completed(op->store, waiting);
    }
    store_op_done(op, STATUS_OK);
}

static void complete_whole(struct store_op *op);

static void on_reopened(void *ctx, enum status status, const struct dynamodb_answer *answer) {
    (void)status; /* who waits may have done it */
    (void)answer;
    complete_whole(ctx);
}

static void on_parts_checked(struct store_op *op, enum status status, struct v1_message *answer) {
    v1_message_free(answer);
    if (status == STATUS_INVALID)
        parts_reopen(op, on_reopened);
    else
        store_op_done(op, status == STATUS_OK ? STATUS_NOT_FOUND : port_status(status));
}

/* Completed already: by this very call, or by parts of the same agent, which nobody may have joined yet and
 * which perhaps join to nothing. */
static void on_completed(void *ctx, enum status status, const struct dynamodb_answer *answer) {
    struct store_op *op = ctx;
    const json_t *old = json_object_get(answer->json, "Item");
    bool same_agent = status == STATUS_CONFLICT &&
                      view_eq(item_string(old, "connectionId"), view_from_cstr(op->connection_id));
    bool ours = same_agent && answer->repeated && view_eq(item_string(old, "status"), VIEW("completed")) &&
                view_eq(item_string(old, "responseData"), buf_view(&op->text));
    if (status == STATUS_OK || ours)
        request_completed(op);
    else if (same_agent && parts_completed(op, old) && op->rounds++ < CHUNK_SETS_MAX)
        parts_read(op, on_parts_checked);
    else
        store_op_done(op, status == STATUS_CONFLICT ? STATUS_NOT_FOUND : port_status(status));
}

static void complete_whole(struct store_op *op) {
    struct buf body;
    buf_init(&body, 2 * ITEM_TEXT_MAX + REQUEST_BODY_MAX);
    body_begin(&body, op->store->settings.requests_table);
    body_key(&body, "requestId", view_from_cstr(op->request_id));
    buf_printf(&body, ",\"UpdateExpression\":\"SET #status = :completed, responseData = :data%s\"",
               op->deposit ? REQUEST_DEPOSIT : "");
    put_owner_condition(&body, op, "");
    item_put_string(&body, ":completed", VIEW("completed"));
    item_put_string(&body, ":data", buf_view(&op->text));
    buf_printf(&body, "},\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\"}");
    store_op_send(op, ACTION_REQUESTS_UPDATE, &body, on_completed);
}

bool store_dynamodb_encode_answer(const struct v1_message *answer, struct buf *out) {
    struct v1_response response = {.request_id = answer->request_id,
                                   .status = answer->status,
                                   .headers = &answer->headers,
                                   .body = answer->body,
                                   .processing_time_ms = answer->processing_time_ms};
    if (answer->body_too_large)
        return v1_encode_error(out, answer->request_id, VIEW(V1_CODE_INTERNAL_ERROR),
                               VIEW("the answer is too large"), VIEW(V1_REASON_RESPONSE_TOO_LARGE));
    if (answer->type == V1_ERROR)
        return v1_encode_error(out, answer->request_id, answer->code, answer->message, answer->reason);
    return v1_encode_response(out, &response);
}

static void on_refused(struct task *task) {
    struct store_op *op = LIST_ENTRY(task, struct store_op, task);
    store_op_done(op, op->status);
}

/* What cannot be one of ours needs no call. */
void request_refuse(struct store_op *op, enum status status) {
    op->status = status;
    task_init(&op->task, on_refused);
    tasks_post(op->store->dynamodb->aws->tasks, &op->task);
}

static void take_answer(struct store_op *op, struct view request_id, struct view connection_id,
                        struct v1_message *answer) {
    bool fits = view_copy_to(request_id, op->request_id, sizeof(op->request_id)) && op->request_id[0] &&
                view_copy_to(connection_id, op->connection_id, sizeof(op->connection_id));
    bool encoded = store_dynamodb_encode_answer(answer, &op->text);
    v1_message_free(answer);
    if (!fits || !encoded)
        request_refuse(op, fits ? STATUS_NO_MEMORY : STATUS_NOT_FOUND);
    else if (op->text.len <= ITEM_TEXT_MAX)
        complete_whole(op);
    else if (op->deposit) /* it came as one message of 128 KB */
        request_refuse(op, STATUS_TOO_LARGE);
    else
        parts_write(op);
}

static void complete(void *ctx, struct view request_id, struct view connection_id, struct v1_message *answer,
                     mailbox_done_fn *done, void *target, uint64_t ticket) {
    struct store_op *op = store_op_new(ctx, target, ticket);
    op->fn.done = done;
    take_answer(op, request_id, connection_id, answer);
}

void store_dynamodb_deposit(struct store_dynamodb *store, struct view request_id, struct view connection_id,
                            uint64_t expires_ms, struct v1_message *answer, mailbox_done_fn *done,
                            void *target, uint64_t ticket) {
    struct store_op *op = store_op_new(store, target, ticket);
    op->fn.done = done;
    op->deposit = true;
    op->expires_ms = expires_ms;
    take_answer(op, request_id, connection_id, answer);
}

/* ---- take and remove ---- */

static void on_deleted(void *ctx, enum status status, const struct dynamodb_answer *answer) {
    struct store_op *op = ctx;
    if (status == STATUS_OK && parts_of_record(op, json_object_get(answer->json, "Attributes")))
        parts_delete(op);
    else
        store_op_free(op); /* what could not be deleted expires */
}

/* The record, and the parts that it speaks of. One that was not completed is small: it may tell of parts that
 * came meanwhile. */
static void delete_record(struct store_dynamodb *store, struct view request_id, bool has_parts) {
    struct store_op *op = store_op_new(store, NULL, 0);
    struct buf body;
    view_copy_to(request_id, op->request_id, sizeof(op->request_id));
    buf_init(&body, REQUEST_BODY_MAX);
    body_begin(&body, store->settings.requests_table);
    body_key(&body, "requestId", view_from_cstr(op->request_id));
    buf_printf(&body, "%s}", has_parts ? ",\"ReturnValues\":\"ALL_OLD\"" : "");
    store_op_send(op, ACTION_REQUESTS_DELETE, &body, on_deleted);
}

static void delete_request(struct store_dynamodb *store, const struct waiting *waiting) {
    delete_record(store, view_from_cstr(waiting->request_id), !waiting->told || waiting->parts);
}

static void take_end(struct store_op *op, enum status status) {
    struct v1_message *answer = op->answer;
    struct waiting *waiting = waiting_find(op->store, view_from_cstr(op->request_id));
    op->answer = NULL;
    if (status == STATUS_OK && waiting) {
        delete_request(op->store, waiting);
        waiting_free(waiting);
    } else if (waiting && waiting->told) { /* to be asked for again */
        waiting->told = false;
        poll_later(waiting);
    }
    op->fn.take(op->target, op->ticket, status, status == STATUS_OK ? answer : NULL);
    if (status != STATUS_OK) v1_message_free(answer);
    store_op_free(op);
}

static void on_held(struct task *task) {
    take_end(LIST_ENTRY(task, struct store_op, task), STATUS_OK);
}

static void on_taken_reopened(void *ctx, enum status status, const struct dynamodb_answer *answer) {
    (void)status; /* it stands at another answer already, or is looked at again */
    (void)answer;
    take_end(ctx, STATUS_NOT_FOUND);
}

static void on_parts_taken(struct store_op *op, enum status status, struct v1_message *answer) {
    op->answer = answer;
    if (status == STATUS_INVALID)
        parts_reopen(op, on_taken_reopened);
    else
        take_end(op, status);
}

static void on_taken(void *ctx, enum status status, const struct dynamodb_answer *answer) {
    struct store_op *op = ctx;
    struct waiting *waiting = waiting_find(op->store, view_from_cstr(op->request_id));
    const json_t *item = json_object_get(answer->json, "Item");
    if (waiting) waiting->parts = waiting->parts || parts_of_record(op, item);
    if (status != STATUS_OK) {
        take_end(op, port_status(status));
    } else if (parts_completed(op, item)) {
        parts_read(op, on_parts_taken);
    } else if (view_eq(item_string(item, "status"), VIEW("completed"))) {
        op->answer = parse_stored(op->store, item_string(item, "responseData"));
        take_end(op, STATUS_OK);
    } else {
        take_end(op, STATUS_NOT_FOUND);
    }
}

static void take(void *ctx, struct view request_id, mailbox_take_fn *done, void *target, uint64_t ticket) {
    struct store_op *op = store_op_new(ctx, target, ticket);
    struct waiting *waiting = waiting_find(op->store, request_id);
    op->fn.take = done;
    view_copy_to(request_id, op->request_id, sizeof(op->request_id));
    if (waiting && waiting->answer) {
        op->answer = waiting->answer;
        waiting->answer = NULL;
        task_init(&op->task, on_held);
        tasks_post(op->store->dynamodb->aws->tasks, &op->task);
    } else {
        read_request(op, on_taken);
    }
}

static void forget(void *ctx, struct view request_id) {
    struct store_dynamodb *store = ctx;
    struct waiting *waiting = waiting_find(store, request_id);
    if (!waiting) return; /* taken, and deleted with it */
    if (!waiting->recordless) delete_request(store, waiting);
    waiting_free(waiting);
}

void store_dynamodb_discard(struct store_dynamodb *store, struct view request_id) {
    struct waiting *waiting = waiting_find(store, request_id);
    if (waiting) waiting_free(waiting);
    delete_record(store, request_id, true);
}

/* ---- woken ---- */

void store_dynamodb_watch(struct store_dynamodb *store, struct view request_id) {
    char id[V1_REQUEST_ID_MAX + 1];
    if (!view_copy_to(request_id, id, sizeof(id)) || waiting_find(store, request_id)) return;
    struct waiting *waiting = waiting_new(store, id);
    if (!waiting) return;
    waiting->recordless = true;
    poll_now(waiting);
}

void store_dynamodb_wake(struct store_dynamodb *store, struct view request_id) {
    struct waiting *waiting = waiting_find(store, request_id);
    if (!waiting || !timer_armed(&waiting->poll)) return; /* unknown, or asked for just now */
    timer_stop(store->dynamodb->aws->timers, &waiting->poll);
    poll_now(waiting);
}

void requests_port(struct store_dynamodb *store, struct mailbox *ret_mailbox) {
    *ret_mailbox = (struct mailbox){.ctx = store,
                                    .put = put,
                                    .complete = complete,
                                    .complete_part = complete_part,
                                    .take = take,
                                    .remove = forget};
}
