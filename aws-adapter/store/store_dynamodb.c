/* The store's life and what its operations share, see store_dynamodb.h and store_dynamodb_state.h. */
#include "store/store_dynamodb.h"

#include <stdlib.h>

#include "base/heap.h"
#include "base/log.h"
#include "protocol/json_text.h"
#include "store/store_dynamodb_state.h"

struct store_op *store_op_new(struct store_dynamodb *store, void *target, uint64_t ticket) {
    struct store_op *op = heap_alloc_owed(sizeof(*op));
    op->store = store;
    op->target = target;
    op->ticket = ticket;
    list_init(&op->node);
    task_init(&op->task, NULL);
    buf_init(&op->text, core_settings_message_max(store->settings.core));
    list_append(&store->operations, &op->node);
    store->operation_count++;
    return op;
}

void store_op_free(struct store_op *op) {
    op->store->operation_count--;
    list_remove(&op->node);
    task_cancel(&op->task);
    reading_free(op->reading);
    v1_message_free(op->answer);
    free(op->options);
    buf_done(&op->text);
    free(op);
}

static void on_answer(void *ctx, enum status status, const struct dynamodb_answer *answer) {
    struct store_op *op = ctx;
    op->call = NULL;
    op->then(op, status, answer);
}

static void on_unsendable(struct task *task) {
    struct store_op *op = LIST_ENTRY(task, struct store_op, task);
    const struct dynamodb_answer none = {0};
    op->then(op, STATUS_NO_MEMORY, &none);
}

static void begin(struct store_op *op, enum aws_action action, struct buf *body, dynamodb_fn *then,
                  dynamodb_start_fn *start) {
    op->then = then;
    if (body->failed) {
        task_init(&op->task, on_unsendable);
        tasks_post(op->store->dynamodb->aws->tasks, &op->task);
    } else {
        op->call = start(op->store->dynamodb, aws_action_operation(action), buf_view(body), on_answer, op);
    }
    buf_done(body);
}

void store_op_send(struct store_op *op, enum aws_action action, struct buf *body, dynamodb_fn *then) {
    begin(op, action, body, then, dynamodb_start);
}

void store_op_try(struct store_op *op, enum aws_action action, struct buf *body, dynamodb_fn *then) {
    begin(op, action, body, then, dynamodb_try);
}

void store_op_done(struct store_op *op, enum status status) {
    if (op->fn.done) op->fn.done(op->target, op->ticket, status);
    store_op_free(op);
}

void store_update_denied(struct store_dynamodb *store) {
    if (!store->update_denied)
        log_warn("store",
                 "the function's role may not update the table of connections (dynamodb:UpdateItem): "
                 "PER_TUNNEL_RATE_LIMIT counts each environment alone, and claims lose what a later "
                 "version has added");
    store->update_denied = true;
}

bool body_begin(struct buf *out, const char *table) {
    return buf_printf(out, "{\"TableName\":") && json_text_string(out, view_from_cstr(table));
}

bool body_key(struct buf *out, const char *name, struct view value) {
    return buf_printf(out, ",\"Key\":{") && item_put_string(out, name, value) && buf_append_byte(out, '}');
}

enum status port_status(enum status status) {
    bool senseless = status == STATUS_NOT_FOUND || status == STATUS_GONE || status == STATUS_INVALID;
    return senseless ? STATUS_UNAVAILABLE : status;
}

struct store_dynamodb *store_dynamodb_new(struct dynamodb *dynamodb,
                                          const struct store_dynamodb_settings *settings) {
    struct store_dynamodb *store = calloc(1, sizeof(*store));
    if (!store) return NULL;
    store->dynamodb = dynamodb;
    store->settings = *settings;
    list_init(&store->operations);
    table_init(&store->waiting);
    return store;
}

void store_dynamodb_free(struct store_dynamodb *store) {
    if (!store) return;
    for (struct list *node; (node = store->operations.next) != &store->operations;) {
        struct store_op *op = LIST_ENTRY(node, struct store_op, node);
        if (op->call) dynamodb_cancel(op->call);
        store_op_free(op);
    }
    waiting_free_all(store);
    table_done(&store->waiting);
    free(store);
}

struct registry store_dynamodb_registry(struct store_dynamodb *store) {
    struct registry registry;
    claims_port(store, &registry);
    return registry;
}

struct mailbox store_dynamodb_mailbox(struct store_dynamodb *store) {
    struct mailbox mailbox;
    requests_port(store, &mailbox);
    return mailbox;
}

void store_dynamodb_listen(struct store_dynamodb *store, struct store_events events) {
    store->events = events;
}

void store_dynamodb_set_request(struct store_dynamodb *store, struct view id) {
    view_copy_to(view_slice(id, 0, sizeof(store->api_gateway_request_id) - 1), store->api_gateway_request_id,
                 sizeof(store->api_gateway_request_id));
}

void store_dynamodb_set_waiter(struct store_dynamodb *store, struct view connection_id) {
    view_copy_to(connection_id, store->waiter, sizeof(store->waiter));
}

bool store_dynamodb_busy(const struct store_dynamodb *store) {
    return store->operation_count > 0;
}

void store_dynamodb_swept(const struct store_dynamodb *store, size_t *ret_connections, size_t *ret_requests) {
    *ret_connections = store->swept_connections;
    *ret_requests = store->swept_requests;
}
