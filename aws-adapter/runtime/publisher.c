/* See publisher.h. PutEvents takes ten entries at once; the batches go one after the other. */
#include "runtime/publisher.h"

#include <stdio.h>
#include <stdlib.h>

#include "aws/actions.h"
#include "aws/dynamodb.h"
#include "base/heap.h"
#include "base/log.h"
#include "protocol/json_text.h"

enum { ENTRIES_MAX = 10, BODY_MAX = 64 * 1024, ATTEMPTS_MAX = 4, ATTEMPT_MS = 3000 };

struct publishing {
    struct publisher *publisher;
    const json_t *records;
    size_t next;                      /* of records */
    const char *numbers[ENTRIES_MAX]; /* sequence numbers of the entries under way */
    size_t count;
    json_t *failures;
    struct task task;
    publisher_fn *done;
    void *ctx;
};

static void publish_next(struct publishing *publishing);

static void finish(struct publishing *publishing) {
    publishing->done(publishing->ctx, publishing->failures);
    json_decref(publishing->failures);
    free(publishing);
}

static void on_nothing(struct task *task) {
    finish(LIST_ENTRY(task, struct publishing, task));
}

static void again(struct publishing *publishing, size_t index) {
    json_array_append_new(publishing->failures,
                          json_pack("{s:s}", "itemIdentifier", publishing->numbers[index]));
}

static void on_answer(void *ctx, enum status status, const struct aws_answer *answer) {
    struct publishing *publishing = ctx;
    json_t *root = status == STATUS_OK ? json_loadb(answer->body.ptr, answer->body.len, 0, NULL) : NULL;
    const json_t *entries = json_object_get(root, "Entries");
    bool passing = status == STATUS_OVERLOADED || status == STATUS_UNAVAILABLE || status == STATUS_GONE ||
                   status == STATUS_TIMEOUT;
    if (status != STATUS_OK && !passing)
        log_error("publisher", "events were refused: %s", status_text(status));
    for (size_t i = 0; i < publishing->count; i++) {
        bool refused = json_object_get(json_array_get(entries, i), "ErrorCode") != NULL;
        if (passing || refused) again(publishing, i);
    }
    json_decref(root);
    publish_next(publishing);
}

static bool append_entry(struct buf *out, const struct publisher *publisher, const json_t *image,
                         const char *comma) {
    struct buf detail;
    buf_init(&detail, 4096);
    buf_printf(&detail, "{\"requestId\":");
    json_text_string(&detail, item_string(image, "requestId"));
    buf_printf(&detail, ",\"connectionId\":");
    json_text_string(&detail, item_string(image, "connectionId"));
    buf_append_byte(&detail, '}');
    bool ok = !detail.failed &&
              buf_printf(out,
                         "%s{\"Source\":\"http-tunnel.response\",\"DetailType\":\"HttpResponseReady\","
                         "\"EventBusName\":",
                         comma) &&
              json_text_string(out, view_from_cstr(publisher->bus)) && buf_printf(out, ",\"Detail\":") &&
              json_text_string(out, buf_view(&detail)) && buf_append_byte(out, '}');
    buf_done(&detail);
    return ok;
}

/* The completed request that a record tells of, or NULL. The mapping's filter lets through nothing else; a
 * part, or a record that is still pending, is passed over all the same. */
static const json_t *completed_image(const json_t *record, const char **ret_number) {
    const json_t *change = json_object_get(record, "dynamodb");
    const json_t *image = json_object_get(change, "NewImage");
    *ret_number = json_string_value(json_object_get(change, "SequenceNumber"));
    if (!json_is_object(change) || !*ret_number) {
        log_warn("publisher", "a stream record makes no sense and is left");
        return NULL;
    }
    bool completed = view_eq(item_string(image, "status"), VIEW("completed"));
    return completed && item_string(image, "requestId").len > 0 ? image : NULL;
}

static void publish_next(struct publishing *publishing) {
    struct publisher *publisher = publishing->publisher;
    struct buf body;
    publishing->count = 0;
    buf_init(&body, BODY_MAX);
    buf_printf(&body, "{\"Entries\":[");
    while (publishing->next < json_array_size(publishing->records) && publishing->count < ENTRIES_MAX) {
        const char *number;
        const json_t *image =
            completed_image(json_array_get(publishing->records, publishing->next++), &number);
        if (!image || !publisher->bus) continue;
        append_entry(&body, publisher, image, publishing->count ? "," : "");
        publishing->numbers[publishing->count++] = number;
    }
    buf_printf(&body, "]}");
    if (publishing->count == 0) {
        task_init(&publishing->task, on_nothing);
        tasks_post(publisher->aws->tasks, &publishing->task);
    } else {
        char target[64];
        snprintf(target, sizeof(target), "AWSEvents.%s", aws_action_operation(ACTION_EVENTS_PUT));
        struct aws_request request = {.service = aws_action_service(ACTION_EVENTS_PUT),
                                      .endpoint = view_from_cstr(publisher->endpoint),
                                      .method = VIEW("POST"),
                                      .path = VIEW("/"),
                                      .content_type = VIEW("application/x-amz-json-1.1"),
                                      .target = view_from_cstr(target),
                                      .body = buf_view(&body),
                                      .idempotent = true, /* consumers get events at least once anyway */
                                      .attempts_max = ATTEMPTS_MAX,
                                      .attempt_ms = ATTEMPT_MS,
                                      .answer_max = BODY_MAX};
        aws_call_start(publisher->aws, &request, on_answer, publishing);
    }
    buf_done(&body);
}

void publisher_publish(struct publisher *publisher, const json_t *records, publisher_fn *done, void *ctx) {
    struct publishing *publishing = heap_alloc_owed(sizeof(*publishing));
    publishing->publisher = publisher;
    publishing->records = records;
    publishing->failures = json_array();
    publishing->done = done;
    publishing->ctx = ctx;
    publish_next(publishing);
}
