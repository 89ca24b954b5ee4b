/* A request that is sent again: straight to the local service, by a client of its own, and recorded like any
 * other. The fields go as they went the first time, so a signature over them or the body still verifies. */
#include <stdlib.h>

#include "inspect/inspect_state.h"
#include "metrics/metrics.h"

#define CONNECT_MS 10000u
#define WHOLE_MS 60000u

struct replay {
    struct list node;
    struct inspect *inspect;
    struct local_client *client;
    struct local_request *local; /* NULL: it has ended */
    uint64_t id;
    int status;
    struct timer deadline;
    struct task bury; /* a client may not be freed from within its events */
};

static void replay_free(struct replay *replay) {
    timer_stop(&replay->inspect->loop->timers, &replay->deadline);
    task_cancel(&replay->bury);
    list_remove(&replay->node);
    replay->inspect->replay_count--;
    if (replay->client) local_client_shut(replay->client);
    local_client_free(replay->client);
    free(replay);
}

static void on_bury(struct task *task) {
    replay_free(LIST_ENTRY(task, struct replay, bury));
}

static void finish(struct replay *replay, const char *code, const char *detail) {
    struct inspect *inspect = replay->inspect;
    struct watch_end end = {.status = replay->status, .code = code, .detail = detail};
    replay->local = NULL;
    record_end(inspect, replay->id, &end);
    tasks_post(&inspect->loop->tasks, &replay->bury);
}

static void on_head(void *ctx, int status, const struct headers *headers) {
    struct replay *replay = ctx;
    replay->status = status;
    record_answer(replay->inspect, replay->id, status, headers);
}

static void on_data(void *ctx, struct view data) {
    struct replay *replay = ctx;
    record_answer_body(replay->inspect, replay->id, data);
}

static const char *code_of(enum local_error error) {
    if (error == LOCAL_OK) return NULL;
    if (error == LOCAL_INVALID) return "invalid_request";
    return error == LOCAL_UNAVAILABLE ? "local_service_unavailable" : "bad_response";
}

static void on_end(void *ctx, enum local_error error, const char *detail) {
    finish(ctx, code_of(error), error == LOCAL_OK ? NULL : detail);
}

static void on_deadline(struct timer *timer) {
    struct replay *replay = LIST_ENTRY(timer, struct replay, deadline);
    if (!replay->local) return;
    local_request_cancel(replay->local);
    finish(replay, "timeout", NULL);
}

static const struct local_events events = {.on_head = on_head, .on_data = on_data, .on_end = on_end};

static bool send_it(struct replay *replay, const struct local_head *head, struct view body) {
    replay->local = local_request_start(replay->client, head, &events, replay);
    if (!replay->local) return false;
    if (head->body_bytes == LOCAL_BODY_NONE) return true;
    record_request_body(replay->inspect, replay->id, body);
    if (!local_request_body(replay->local, body)) return false;
    local_request_body_end(replay->local);
    return true;
}

static struct replay *replay_new(struct inspect *inspect, const struct local_target *target) {
    struct replay *replay = inspect->replay_count < REPLAYS_MAX ? calloc(1, sizeof(*replay)) : NULL;
    if (!replay) return NULL;
    replay->inspect = inspect;
    list_append(&inspect->replays, &replay->node);
    inspect->replay_count++;
    timer_init(&replay->deadline, on_deadline);
    task_init(&replay->bury, on_bury);
    replay->client = local_client_new(inspect->loop, target, CONNECT_MS);
    if (replay->client && timer_start(&inspect->loop->timers, &replay->deadline, WHOLE_MS)) return replay;
    replay_free(replay);
    return NULL;
}

/* As the first time, unless another body takes the place of the one that was framed so. */
static int64_t body_bytes(const struct replay_order *order) {
    if (!order->body.ptr) return order->record->announced;
    if (order->record->announced == LOCAL_BODY_UNKNOWN) return LOCAL_BODY_UNKNOWN;
    bool has_none = order->record->announced == LOCAL_BODY_NONE && !order->body.len;
    return has_none ? LOCAL_BODY_NONE : (int64_t)order->body.len;
}

uint64_t replay_start(struct inspect *inspect, const struct replay_order *order) {
    const struct store_record *record = order->record;
    struct headers same = {.fields = record->request.fields, .count = record->request.count};
    for (size_t i = 0; i < same.count; i++)
        same.bytes += same.fields[i].name.len + same.fields[i].value.len + 4;
    struct view body = order->body.ptr ? order->body : buf_view(&record->request.body);
    struct local_head head = {.method = order->method.ptr ? order->method : record->method,
                              .target = order->target_path.ptr ? order->target_path : record->target,
                              .headers = order->headers ? order->headers : &same,
                              .body_bytes = body_bytes(order)};
    struct watch_request request = {.tunnel = record->tunnel.len ? "" : NULL,
                                    .method = head.method,
                                    .target = head.target,
                                    .headers = head.headers,
                                    .body_bytes = head.body_bytes};
    struct replay *replay = replay_new(inspect, order->target);
    char label[64];
    if (!replay) return 0;
    if (record->tunnel.len && view_copy_to(record->tunnel, label, sizeof(label))) request.tunnel = label;
    replay->id = record_request(inspect, &request);
    metrics_add(METRIC_AGENT_REPLAYS, 0, 1);
    struct store_record *again = store_find(&inspect->store, replay->id);
    if (again) again->replay_of = record->id;
    bool is_sent = again && send_it(replay, &head, body);
    if (is_sent) return replay->id;
    if (replay->local) local_request_cancel(replay->local);
    finish(replay, "invalid_request", NULL);
    return 0;
}

void replays_stop(struct inspect *inspect) {
    while (!list_empty(&inspect->replays)) {
        struct replay *replay = LIST_ENTRY(inspect->replays.next, struct replay, node);
        if (replay->local) local_request_cancel(replay->local);
        replay_free(replay);
    }
}
