/* See store.h. */
#include "inspect/store.h"

#include <stdlib.h>

#define RING_LEAST 64u

void store_init(struct store *store, size_t max_bytes) {
    *store = (struct store){.max_bytes = max_bytes, .first = 1, .next = 1};
}

/* ---- the ring ---- */

struct store_record *store_find(const struct store *store, uint64_t id) {
    return id >= store->first && id < store->next ? store->ring[id & (store->cap - 1)] : NULL;
}

static void record_free(struct store_record *record) {
    struct store_message *messages[] = {&record->request, &record->answer};
    for (size_t i = 0; i < 2; i++) {
        free(messages[i]->block);
        buf_done(&messages[i]->body);
    }
    free(record->detail);
    free(record);
}

static void drop_oldest(struct store *store) {
    struct store_record *record = store_find(store, store->first);
    store->first++;
    if (!record) return;
    store->bytes -= record->bytes;
    if (record != store->held) record_free(record);
}

static bool grow(struct store *store) {
    size_t cap = store->cap ? store->cap * 2 : RING_LEAST;
    struct store_record **ring = calloc(cap, sizeof(struct store_record *));
    if (!ring) return false;
    for (uint64_t id = store->first; id < store->next; id++) ring[id & (cap - 1)] = store_find(store, id);
    free(store->ring);
    store->bytes += (cap - store->cap) * sizeof(struct store_record *);
    store->ring = ring;
    store->cap = cap;
    return true;
}

/* The newest stays, whatever it takes: a record is bounded by itself. */
static void keep_within(struct store *store) {
    while (store->bytes > store->max_bytes && store->first + 1 < store->next) drop_oldest(store);
}

void store_clear(struct store *store) {
    while (store->first < store->next) drop_oldest(store);
    store->changes++;
}

void store_done(struct store *store) {
    store_clear(store);
    free(store->ring);
    store_init(store, store->max_bytes);
}

/* ---- what a record holds ---- */

static void charge(struct store *store, struct store_record *record, size_t bytes) {
    record->bytes += bytes;
    store->bytes += bytes;
    store->changes++;
    keep_within(store);
}

static struct view put(char **at, struct view v) {
    struct view copy = view_of(*at, v.len);
    if (v.len) memcpy(*at, v.ptr, v.len);
    *at += v.len;
    return copy;
}

static size_t message_bytes(const struct headers *headers) {
    return headers->count * sizeof(struct header) + headers->bytes;
}

/* `extra` bytes are left behind the fields' text; *ret_room is where. False without memory. */
static bool copy_fields(struct store_message *message, const struct headers *headers, size_t extra,
                        char **ret_room) {
    message->block = malloc(message_bytes(headers) + extra + 1);
    if (!message->block) return false;
    message->fields = message->block;
    message->count = headers->count;
    *ret_room = (char *)message->block + headers->count * sizeof(struct header);
    for (size_t i = 0; i < headers->count; i++) {
        message->fields[i].name = put(ret_room, headers->fields[i].name);
        message->fields[i].value = put(ret_room, headers->fields[i].value);
    }
    return true;
}

static struct store_record *record_new(const struct watch_request *request) {
    struct view tunnel = view_from_cstr(request->tunnel);
    size_t extra = tunnel.len + request->method.len + request->target.len + request->upgrade.len;
    struct store_record *record = calloc(1, sizeof(*record));
    char *room;
    if (record && copy_fields(&record->request, request->headers, extra, &room)) {
        record->method = put(&room, request->method);
        record->target = put(&room, request->target);
        record->tunnel = put(&room, tunnel);
        record->upgrade = put(&room, request->upgrade);
        record->announced = request->body_bytes;
        record->bytes = sizeof(*record) + message_bytes(request->headers) + extra;
        buf_init(&record->request.body, STORE_BODY_MAX);
        buf_init(&record->answer.body, STORE_BODY_MAX);
        return record;
    }
    free(record);
    return NULL;
}

uint64_t store_request(struct store *store, const struct watch_request *request, uint64_t wall_ms,
                       uint64_t now_ms) {
    if (store->next - store->first == store->cap && !grow(store)) return 0;
    struct store_record *record = record_new(request);
    if (!record) return 0;
    record->id = store->next++;
    record->wall_ms = wall_ms;
    record->began_ms = now_ms;
    store->ring[record->id & (store->cap - 1)] = record;
    store->total++;
    store->bytes += record->bytes;
    charge(store, record, 0);
    return record->id;
}

static void keep_body(struct store *store, struct store_record *record, struct store_message *message,
                      struct view data) {
    size_t cap = message->body.cap;
    message->body_bytes += data.len;
    if (message->body.len < STORE_BODY_MAX)
        buf_append_view(&message->body, view_slice(data, 0, STORE_BODY_MAX - message->body.len));
    charge(store, record, message->body.cap - cap);
}

void store_request_body(struct store *store, uint64_t id, struct view data) {
    struct store_record *record = store_find(store, id);
    if (record) keep_body(store, record, &record->request, data);
}

void store_answer(struct store *store, uint64_t id, int status, const struct headers *headers,
                  uint64_t now_ms) {
    struct store_record *record = store_find(store, id);
    char *room;
    if (!record || record->answer.block) return;
    record->head_ms = now_ms;
    record->service_status = record->status = status;
    if (copy_fields(&record->answer, headers, 0, &room)) charge(store, record, message_bytes(headers));
}

void store_answer_body(struct store *store, uint64_t id, struct view data) {
    struct store_record *record = store_find(store, id);
    if (record) keep_body(store, record, &record->answer, data);
}

void store_end(struct store *store, uint64_t id, const struct watch_end *end, uint64_t now_ms) {
    struct store_record *record = store_find(store, id);
    if (!record) return;
    struct view detail = view_from_cstr(end->detail);
    record->ended_ms = now_ms;
    record->status = end->status;
    record->code = end->code;
    if (detail.ptr) record->detail = view_to_cstr(detail);
    charge(store, record, record->detail ? detail.len + 1 : 0);
}

struct store_record *store_hold(struct store *store, uint64_t id) {
    store->held = store_find(store, id);
    return store->held;
}

void store_let_go(struct store *store) {
    struct store_record *record = store->held;
    store->held = NULL;
    if (record && store_find(store, record->id) != record) record_free(record);
}

bool store_can_be_repeated(const struct store_record *record) {
    return record->ended_ms && !record->upgrade.len &&
           record->request.body_bytes == record->request.body.len &&
           (record->announced < 0 || (uint64_t)record->announced == record->request.body_bytes);
}
