/* See store.h. */
#include "inspect/store.h"

#include <stdlib.h>

#define RING_LEAST 64u
#define ROUND 256u /* so that one record's memory suits another */
#define SPARE_TEXT_MAX ((size_t)8 * 1024)
#define SPARE_BODY_MAX ((size_t)1024)

void store_init(struct store *store, size_t max_bytes) {
    *store = (struct store){.max_bytes = max_bytes, .first = 1, .next = 1};
}

/* ---- the ring ---- */

struct store_record *store_find(const struct store *store, uint64_t id) {
    return id >= store->first && id < store->next ? store->ring[id & (store->cap - 1)] : NULL;
}

static void record_free(struct store_record *record) {
    buf_done(&record->request.body);
    buf_done(&record->answer.body);
    free(record->answer_block);
    free(record->detail);
    free(record);
}

/* What is small of it is kept. */
static void forget_body(struct buf *body) {
    if (body->cap > SPARE_BODY_MAX)
        buf_done(body);
    else
        buf_clear(body);
}

static void set_aside(struct store *store, struct store_record *record) {
    if (store->spare || record->room > SPARE_TEXT_MAX || record->answer_room > SPARE_TEXT_MAX) {
        record_free(record);
        return;
    }
    forget_body(&record->request.body);
    forget_body(&record->answer.body);
    free(record->detail);
    record->detail = NULL;
    store->spare = record;
}

static void drop_oldest(struct store *store) {
    struct store_record *record = store_find(store, store->first);
    store->first++;
    if (!record) return;
    store->bytes -= record->bytes;
    if (record != store->held) set_aside(store, record);
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

static bool is_full(const struct store *store) {
    return store->bytes > store->max_bytes || store->next - store->first > STORE_RECORDS_MAX;
}

/* The newest stays, whatever it takes: a record is bounded by itself. */
static void keep_within(struct store *store) {
    while (is_full(store) && store->first + 1 < store->next) drop_oldest(store);
}

void store_clear(struct store *store) {
    while (store->first < store->next) drop_oldest(store);
    store->changes++;
}

void store_done(struct store *store) {
    store_clear(store);
    if (store->spare) record_free(store->spare);
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

/* Into `room` of message_bytes(); returns its end. */
static char *copy_fields(struct store_message *message, const struct headers *headers, void *room) {
    char *at = (char *)room + headers->count * sizeof(struct header);
    message->fields = room;
    message->count = headers->count;
    message->is_there = true;
    for (size_t i = 0; i < headers->count; i++) {
        message->fields[i].name = put(&at, headers->fields[i].name);
        message->fields[i].value = put(&at, headers->fields[i].value);
    }
    return at;
}

/* `announced`: negative where nobody knows. */
static void init_body(struct store_message *message, int64_t announced) {
    bool is_known = announced > 0 && announced < (int64_t)STORE_BODY_MAX;
    message->body.max = is_known ? (size_t)announced : STORE_BODY_MAX;
}

static size_t rounded(size_t bytes) {
    return (bytes + ROUND - 1) / ROUND * ROUND;
}

/* With room for so much text; what else it holds is memory to use again. */
static struct store_record *record_alloc(struct store *store, size_t text_bytes) {
    struct store_record *record = store->spare;
    store->spare = NULL;
    if (record && record->room >= text_bytes) return record;
    if (record) record_free(record);
    size_t room = rounded(text_bytes);
    record = malloc(sizeof(*record) + room);
    if (record) *record = (struct store_record){.room = room};
    return record;
}

static size_t memory_of(const struct store_record *record) {
    return sizeof(*record) + record->room + record->answer_room + record->request.body.cap +
           record->answer.body.cap;
}

static struct store_record *record_new(struct store *store, const struct watch_request *request) {
    struct view tunnel = view_from_cstr(request->tunnel);
    size_t extra = tunnel.len + request->method.len + request->target.len + request->upgrade.len;
    struct store_record *record = record_alloc(store, message_bytes(request->headers) + extra);
    if (!record) return NULL;
    *record = (struct store_record){.announced = request->body_bytes,
                                    .request.body = record->request.body,
                                    .answer.body = record->answer.body,
                                    .answer_block = record->answer_block,
                                    .room = record->room,
                                    .answer_room = record->answer_room,
                                    .bytes = memory_of(record)};
    char *at = copy_fields(&record->request, request->headers, record + 1);
    record->method = put(&at, request->method);
    record->target = put(&at, request->target);
    record->tunnel = put(&at, tunnel);
    record->upgrade = put(&at, request->upgrade);
    init_body(&record->request, request->body_bytes);
    init_body(&record->answer, -1);
    return record;
}

uint64_t store_request(struct store *store, const struct watch_request *request, uint64_t wall_ms,
                       uint64_t now_ms) {
    if (store->next - store->first == store->cap && !grow(store)) return 0;
    if (store->next - store->first == STORE_RECORDS_MAX) drop_oldest(store);
    struct store_record *record = record_new(store, request);
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

/* What was announced is room at once, so that nothing is moved while it grows. */
static void keep_body(struct store *store, struct store_record *record, struct store_message *message,
                      struct view data) {
    struct buf *body = &message->body;
    size_t cap = body->cap;
    message->body_bytes += data.len;
    if (!body->len && body->max < STORE_BODY_MAX) buf_reserve(body, body->max);
    if (body->len < body->max) buf_append_view(body, view_slice(data, 0, body->max - body->len));
    charge(store, record, body->cap - cap);
}

void store_request_body(struct store *store, uint64_t id, struct view data) {
    struct store_record *record = store_find(store, id);
    if (record) keep_body(store, record, &record->request, data);
}

static bool make_answer_room(struct store *store, struct store_record *record, size_t bytes) {
    size_t before = record->answer_room;
    if (before >= bytes) return true;
    free(record->answer_block);
    record->answer_block = malloc(rounded(bytes));
    record->answer_room = record->answer_block ? rounded(bytes) : 0;
    record->bytes += record->answer_room - before;
    store->bytes += record->answer_room - before;
    return record->answer_block;
}

void store_answer(struct store *store, uint64_t id, int status, const struct headers *headers,
                  uint64_t now_ms) {
    struct store_record *record = store_find(store, id);
    uint64_t length;
    if (!record || record->answer.is_there) return;
    record->head_ms = now_ms;
    record->service_status = record->status = status;
    if (!make_answer_room(store, record, message_bytes(headers))) return;
    copy_fields(&record->answer, headers, record->answer_block);
    if (http_content_length(headers_get(headers, VIEW("content-length")), &length))
        init_body(&record->answer, (int64_t)length);
    charge(store, record, 0);
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
