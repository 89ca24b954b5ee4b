/* See mailbox_direct.h. Pieces of an answer are joined here, as long as they all come here; those that
 * contradict each other by their total, beside each other, because invocations bring them, in any order. When
 * there was silence, what has come of one goes to the store too, and what comes later: others may have put
 * pieces there. */
#include "direct/mailbox_direct.h"

#include <stdlib.h>

#include "base/heap.h"
#include "base/list.h"
#include "base/log.h"
#include "protocol/chunks.h"

enum { SILENCE_MS = 300 };

struct mailbox_direct {
    struct mailbox_direct_settings settings;
    struct mailbox store;
    struct store_events events;
    struct table waiting; /* struct expected by request id */
    struct list operations;
    bool has_put;
};

/* A request of ours that is answered here. */
struct expected {
    struct table_node node;
    struct mailbox_direct *direct;
    char request_id[V1_REQUEST_ID_MAX + 1], agent[CONNECTION_ID_MAX + 1];
    uint64_t expires_ms;
    struct timer silence;
    struct chunk_joiner joiners[CHUNK_SETS_MAX]; /* by total, which is 0 until one is used */
    struct v1_message *answer;
    bool watched; /* the store looks too, and gets the pieces */
    bool told;
};

/* One call of the port. */
struct operation_direct {
    struct list node;
    struct mailbox_direct *direct;
    struct task task;
    enum status status;
    union {
        mailbox_put_fn *put;
        mailbox_done_fn *done; /* may be NULL */
        mailbox_take_fn *take;
    } fn;
    void *target;
    uint64_t ticket;
    char request_id[V1_REQUEST_ID_MAX + 1], agent[CONNECTION_ID_MAX + 1];
    struct direct_id id;
    struct v1_message *answer;
    struct v1_chunk chunk; /* `data` is malloc'ed */
    bool spills;           /* puts a piece that came here into the store */
    bool discards;         /* what it has put is not wanted any more */
};

static struct aws_client *aws_of(const struct mailbox_direct *direct) {
    return direct->settings.connections->aws;
}

static uint64_t wall_ms(const struct mailbox_direct *direct) {
    const struct aws_client *aws = aws_of(direct);
    return aws->wall_ms(aws->wall_ctx);
}

/* ---- operations ---- */

static struct operation_direct *operation_new(struct mailbox_direct *direct, void *target, uint64_t ticket) {
    struct operation_direct *operation = heap_alloc_owed(sizeof(*operation));
    operation->direct = direct;
    operation->target = target;
    operation->ticket = ticket;
    list_init(&operation->node);
    list_append(&direct->operations, &operation->node);
    task_init(&operation->task, NULL);
    return operation;
}

static void operation_free(struct operation_direct *operation) {
    list_remove(&operation->node);
    task_cancel(&operation->task);
    v1_message_free(operation->answer);
    free((char *)(uintptr_t)operation->chunk.data.ptr);
    free(operation);
}

static void finish_later(struct operation_direct *operation, enum status status,
                         void (*fn)(struct task *task)) {
    operation->status = status;
    task_init(&operation->task, fn);
    tasks_post(aws_of(operation->direct)->tasks, &operation->task);
}

static void operation_done(struct operation_direct *operation, enum status status) {
    if (operation->fn.done) operation->fn.done(operation->target, operation->ticket, status);
    operation_free(operation);
}

static void on_done_task(struct task *task) {
    struct operation_direct *operation = LIST_ENTRY(task, struct operation_direct, task);
    operation_done(operation, operation->status);
}

static void on_stored(void *target, uint64_t ticket, enum status status) {
    (void)ticket;
    operation_done(target, status);
}

/* ---- requests of ours ---- */

static struct expected *expected_find(struct mailbox_direct *direct, struct view request_id) {
    struct table_node *node = table_get(&direct->waiting, request_id);
    return node ? TABLE_ENTRY(node, struct expected, node) : NULL;
}

static void expected_free(struct expected *expected) {
    timer_stop(aws_of(expected->direct)->timers, &expected->silence);
    table_remove(&expected->direct->waiting, &expected->node);
    for (size_t i = 0; i < CHUNK_SETS_MAX; i++) chunk_joiner_done(&expected->joiners[i]);
    v1_message_free(expected->answer);
    free(expected);
}

/* Pieces of it are on their way into the store: what they leave there is deleted behind the last of them. */
static bool discard_spilt(struct mailbox_direct *direct, struct view request_id) {
    bool found = false;
    for (struct list *node = direct->operations.next; node != &direct->operations; node = node->next) {
        struct operation_direct *operation = LIST_ENTRY(node, struct operation_direct, node);
        if (!operation->spills || !view_eq(view_from_cstr(operation->request_id), request_id)) continue;
        operation->discards = found = true;
    }
    return found;
}

static void on_spilt(void *target, uint64_t ticket, enum status status) {
    struct operation_direct *operation = target;
    struct mailbox_direct *direct = operation->direct;
    (void)ticket;
    (void)status; /* one that is refused may have been put all the same */
    list_remove(&operation->node);
    if (operation->discards && !discard_spilt(direct, view_from_cstr(operation->request_id)))
        store_dynamodb_discard(direct->settings.store, view_from_cstr(operation->request_id));
    operation_free(operation);
}

static void spill_one(struct expected *expected, const struct v1_chunk *chunk) {
    struct operation_direct *operation = operation_new(expected->direct, NULL, 0);
    operation->spills = true;
    memcpy(operation->request_id, expected->request_id, sizeof(operation->request_id));
    store_dynamodb_deposit_part(expected->direct->settings.store, view_from_cstr(expected->request_id),
                                view_from_cstr(expected->agent), expected->expires_ms, chunk, on_spilt,
                                operation, 0);
}

static void spill(struct expected *expected, const struct chunk_joiner *joiner) {
    for (size_t seq = 0; joiner->pieces && seq < joiner->total; seq++) {
        struct v1_chunk chunk = {seq, joiner->total, joiner->pieces[seq]};
        if (chunk.data.ptr) spill_one(expected, &chunk);
    }
}

/* Nothing came for a while. */
static void watch(struct expected *expected) {
    if (expected->watched || expected->told) return;
    expected->watched = true;
    timer_stop(aws_of(expected->direct)->timers, &expected->silence);
    store_dynamodb_watch(expected->direct->settings.store, view_from_cstr(expected->request_id));
    for (size_t i = 0; i < CHUNK_SETS_MAX; i++) spill(expected, &expected->joiners[i]);
}

static void on_silence(struct timer *timer) {
    watch(LIST_ENTRY(timer, struct expected, silence));
}

static void listen_on(struct expected *expected) {
    if (!expected->watched) timer_start(aws_of(expected->direct)->timers, &expected->silence, SILENCE_MS);
}

static void tell(struct expected *expected, struct v1_message *answer) {
    struct mailbox_direct *direct = expected->direct;
    timer_stop(aws_of(direct)->timers, &expected->silence);
    expected->told = true;
    expected->answer = answer;
    if (direct->events.request_completed)
        direct->events.request_completed(direct->events.ctx, view_from_cstr(expected->request_id));
}

static struct chunk_joiner *joiner_of(struct expected *expected, uint64_t total) {
    struct chunk_joiner *unused = NULL;
    for (size_t i = 0; i < CHUNK_SETS_MAX; i++) {
        struct chunk_joiner *joiner = &expected->joiners[i];
        if (joiner->total == total) return joiner;
        if (joiner->total == 0) unused = joiner;
    }
    return unused;
}

static void on_piece(struct expected *expected, const struct v1_chunk *chunk) {
    struct chunk_joiner *joiner = joiner_of(expected, chunk->total);
    if (expected->watched) spill_one(expected, chunk);
    listen_on(expected);
    if (!joiner || chunk_joiner_add(joiner, chunk) != CHUNK_COMPLETE) return;
    enum status status;
    struct v1_message *answer = NULL;
    struct buf text;
    buf_init(&text, joiner->bytes);
    if (chunk_joiner_text(joiner, &text))
        answer = v1_answer_parse(buf_view(&text), view_from_cstr(expected->request_id),
                                 expected->direct->settings.core->v1_body_bytes, &status);
    buf_done(&text);
    chunk_joiner_done(joiner);
    if (answer) tell(expected, answer);
}

static void on_waiter_message(void *ctx, struct view text) {
    struct mailbox_direct *direct = ctx;
    if (direct->settings.by_stream) {
        char request_id[V1_REQUEST_ID_MAX + 1];
        if (waiter_read_wake(text, request_id))
            store_dynamodb_wake(direct->settings.store, view_from_cstr(request_id));
        return;
    }
    enum status status;
    struct v1_message *message = v1_message_parse(text, direct->settings.core->v1_body_bytes, &status);
    struct expected *expected = message ? expected_find(direct, message->request_id) : NULL;
    bool is_answer = message && (message->type == V1_HTTP_RESPONSE || message->type == V1_ERROR);
    if (expected && !expected->told && is_answer) {
        tell(expected, message);
        return;
    }
    if (expected && !expected->told && message->type == V1_CHUNK) on_piece(expected, &message->chunk);
    v1_message_free(message); /* of an earlier request, or nonsense */
}

static void watch_entry(void *ctx, struct table_node *node) {
    (void)ctx;
    watch(TABLE_ENTRY(node, struct expected, node));
}

static void on_waiter_down(void *ctx) {
    struct mailbox_direct *direct = ctx;
    table_each(&direct->waiting, watch_entry, NULL);
}

static struct expected *expected_new(struct mailbox_direct *direct, const struct pending *pending,
                                     const struct view waiter) {
    struct expected *expected = calloc(1, sizeof(*expected));
    struct direct_id id = {.expires_ms = pending->expires_ms};
    struct buf text;
    if (!expected) return NULL;
    buf_init(&text, V1_REQUEST_ID_MAX);
    bool ok = view_copy_to(waiter, id.waiter, sizeof(id.waiter)) &&
              view_copy_to(pending->connection_id, expected->agent, sizeof(expected->agent)) &&
              direct_id_encode(&text, direct->settings.key, &id, pending->connection_id) &&
              view_copy_to(buf_view(&text), expected->request_id, sizeof(expected->request_id)) &&
              table_put(&direct->waiting, &expected->node, view_from_cstr(expected->request_id));
    buf_done(&text);
    if (!ok) {
        free(expected);
        return NULL;
    }
    expected->direct = direct;
    expected->expires_ms = pending->expires_ms;
    timer_init(&expected->silence, on_silence);
    for (size_t i = 0; i < CHUNK_SETS_MAX; i++)
        chunk_joiner_init(&expected->joiners[i], core_settings_message_max(direct->settings.core));
    listen_on(expected);
    return expected;
}

static void on_put_task(struct task *task) {
    struct operation_direct *operation = LIST_ENTRY(task, struct operation_direct, task);
    operation->fn.put(operation->target, operation->ticket, STATUS_OK, view_from_cstr(operation->request_id));
    operation_free(operation);
}

/* Opened beside the second request: where many find environments cold, each of them would start two more for
 * a connection that it may never need again. */
static struct view waiter_of(struct mailbox_direct *direct) {
    bool is_first = !direct->has_put;
    direct->has_put = true;
    return direct->settings.waiter && !is_first ? waiter_connection(direct->settings.waiter)
                                                : (struct view){0};
}

static void put(void *ctx, const struct pending *pending, mailbox_put_fn *done, void *target,
                uint64_t ticket) {
    struct mailbox_direct *direct = ctx;
    struct view waiter = waiter_of(direct);
    bool by_stream = direct->settings.by_stream;
    struct expected *expected = waiter.ptr && !by_stream ? expected_new(direct, pending, waiter) : NULL;
    store_dynamodb_set_waiter(direct->settings.store, by_stream ? waiter : (struct view){0});
    if (!expected) {
        direct->store.put(direct->store.ctx, pending, done, target, ticket);
        return;
    }
    struct operation_direct *operation = operation_new(direct, target, ticket);
    operation->fn.put = done;
    memcpy(operation->request_id, expected->request_id, sizeof(operation->request_id));
    finish_later(operation, STATUS_OK, on_put_task);
}

static void on_take_task(struct task *task) {
    struct operation_direct *operation = LIST_ENTRY(task, struct operation_direct, task);
    struct v1_message *answer = operation->answer;
    operation->answer = NULL;
    operation->fn.take(operation->target, operation->ticket, STATUS_OK, answer);
    operation_free(operation);
}

static void forget(void *ctx, struct view request_id) {
    struct mailbox_direct *direct = ctx;
    struct expected *expected = expected_find(direct, request_id);
    bool stored = !expected || expected->watched;
    if (expected) expected_free(expected);
    if (stored && !discard_spilt(direct, request_id)) direct->store.remove(direct->store.ctx, request_id);
}

/* Taken from the store. What was not there yet may still come, here or there. */
static void on_stored_taken(void *target, uint64_t ticket, enum status status, struct v1_message *answer) {
    struct operation_direct *operation = target;
    struct expected *expected = expected_find(operation->direct, view_from_cstr(operation->request_id));
    (void)ticket;
    if (expected && status == STATUS_OK) {
        expected_free(expected);
        discard_spilt(operation->direct, view_from_cstr(operation->request_id));
    }
    operation->fn.take(operation->target, operation->ticket, status, answer);
    operation_free(operation);
}

/* Nobody asks again for what was taken: it is forgotten with it. */
static void take(void *ctx, struct view request_id, mailbox_take_fn *done, void *target, uint64_t ticket) {
    struct mailbox_direct *direct = ctx;
    struct expected *expected = expected_find(direct, request_id);
    if (!expected) {
        direct->store.take(direct->store.ctx, request_id, done, target, ticket);
        return;
    }
    struct operation_direct *operation = operation_new(direct, target, ticket);
    operation->fn.take = done;
    memcpy(operation->request_id, expected->request_id, sizeof(operation->request_id));
    request_id = view_from_cstr(operation->request_id);
    if (!expected->answer) {
        direct->store.take(direct->store.ctx, request_id, on_stored_taken, operation, 0);
        return;
    }
    operation->answer = expected->answer;
    expected->answer = NULL;
    forget(direct, request_id);
    finish_later(operation, STATUS_OK, on_take_task);
}

/* ---- answers to requests of others ---- */

static void deposit(struct operation_direct *operation) {
    struct store_dynamodb *store = operation->direct->settings.store;
    struct view request_id = view_from_cstr(operation->request_id), agent = view_from_cstr(operation->agent);
    struct v1_message *answer = operation->answer;
    operation->answer = NULL;
    if (answer)
        store_dynamodb_deposit(store, request_id, agent, operation->id.expires_ms, answer, on_stored,
                               operation, 0);
    else
        store_dynamodb_deposit_part(store, request_id, agent, operation->id.expires_ms, &operation->chunk,
                                    on_stored, operation, 0);
}

static void on_posted(void *ctx, enum status status) {
    struct operation_direct *operation = ctx;
    if (status == STATUS_OK) {
        operation_done(operation, STATUS_OK);
        return;
    }
    log_info("mailbox", "a waiter could not be reached (%s): its answer is stored", status_text(status));
    deposit(operation);
}

static void send_on(struct operation_direct *operation, const struct buf *text) {
    if (text->failed || text->len > CONNECTIONS_MESSAGE_MAX)
        deposit(operation);
    else
        connections_post(operation->direct->settings.connections, view_from_cstr(operation->id.waiter),
                         buf_view(text), 1, on_posted, operation);
}

/* The operation for an id of direct mode; NULL: the id is the store's. One that is refused ends by itself. */
static struct operation_direct *begin_answer(struct mailbox_direct *direct, struct view request_id,
                                             struct view connection_id, mailbox_done_fn *done, void *target,
                                             uint64_t ticket, bool *ret_refused) {
    struct direct_id id;
    enum direct_id_kind kind =
        direct_id_decode(request_id, direct->settings.key, connection_id, wall_ms(direct), &id);
    *ret_refused = kind == DIRECT_ID_REFUSED;
    if (kind == DIRECT_ID_NONE) return NULL;
    struct operation_direct *operation = operation_new(direct, target, ticket);
    operation->fn.done = done;
    operation->id = id;
    view_copy_to(request_id, operation->request_id, sizeof(operation->request_id));
    view_copy_to(connection_id, operation->agent, sizeof(operation->agent));
    if (*ret_refused) finish_later(operation, STATUS_NOT_FOUND, on_done_task);
    return operation;
}

static void complete(void *ctx, struct view request_id, struct view connection_id, struct v1_message *answer,
                     mailbox_done_fn *done, void *target, uint64_t ticket) {
    struct mailbox_direct *direct = ctx;
    bool refused;
    struct operation_direct *operation =
        begin_answer(direct, request_id, connection_id, done, target, ticket, &refused);
    if (!operation) {
        direct->store.complete(direct->store.ctx, request_id, connection_id, answer, done, target, ticket);
        return;
    }
    operation->answer = answer;
    if (refused) return;
    struct buf text;
    buf_init(&text, core_settings_message_max(direct->settings.core));
    store_dynamodb_encode_answer(answer, &text);
    send_on(operation, &text);
    buf_done(&text);
}

static void complete_part(void *ctx, struct view request_id, struct view connection_id,
                          const struct v1_chunk *chunk, mailbox_done_fn *done, void *target,
                          uint64_t ticket) {
    struct mailbox_direct *direct = ctx;
    bool refused;
    struct operation_direct *operation =
        begin_answer(direct, request_id, connection_id, done, target, ticket, &refused);
    if (!operation) {
        direct->store.complete_part(direct->store.ctx, request_id, connection_id, chunk, done, target,
                                    ticket);
        return;
    }
    if (refused) return;
    operation->chunk = *chunk;
    operation->chunk.data = view_of(view_to_cstr(chunk->data), chunk->data.len);
    if (!operation->chunk.data.ptr) {
        finish_later(operation, STATUS_NO_MEMORY, on_done_task);
        return;
    }
    struct buf text;
    buf_init(&text, 2 * CONNECTIONS_MESSAGE_MAX);
    v1_encode_chunk(&text, request_id, chunk);
    send_on(operation, &text);
    buf_done(&text);
}

/* ---- life ---- */

struct mailbox_direct *mailbox_direct_new(const struct mailbox_direct_settings *settings) {
    struct mailbox_direct *direct = calloc(1, sizeof(*direct));
    if (!direct) return NULL;
    direct->settings = *settings;
    direct->store = store_dynamodb_mailbox(settings->store);
    table_init(&direct->waiting);
    list_init(&direct->operations);
    if (settings->waiter)
        waiter_listen(settings->waiter, &(struct waiter_events){direct, on_waiter_message, on_waiter_down});
    return direct;
}

static void free_entry(void *ctx, struct table_node *node) {
    (void)ctx;
    expected_free(TABLE_ENTRY(node, struct expected, node));
}

void mailbox_direct_free(struct mailbox_direct *direct) {
    if (!direct) return;
    table_each(&direct->waiting, free_entry, NULL);
    table_done(&direct->waiting);
    while (!list_empty(&direct->operations))
        operation_free(LIST_ENTRY(direct->operations.next, struct operation_direct, node));
    free(direct);
}

void mailbox_direct_listen(struct mailbox_direct *direct, struct store_events events) {
    direct->events = events;
}

bool mailbox_direct_busy(const struct mailbox_direct *direct) {
    return !list_empty(&direct->operations);
}

struct mailbox mailbox_direct_port(struct mailbox_direct *direct) {
    return (struct mailbox){.ctx = direct,
                            .put = put,
                            .complete = complete,
                            .complete_part = complete_part,
                            .take = take,
                            .remove = forget};
}
