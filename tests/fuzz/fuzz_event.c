/* libFuzzer target: an event from Lambda. What is taken has a target that the request gate can read, or is
 * none; no field of it is beyond the event's own memory. */
#include "fuzz.h"
#include "http/uri.h"
#include "runtime/lambda_answer.h"
#include "runtime/lambda_event.h"

static void check_http(const struct lambda_event *event) {
    struct target target;
    struct buf answer;
    require(event->method.len > 0 && target_parse(event->target, &target) && target.path.ptr[0] == '/');
    require(headers_count(&event->headers, VIEW("transfer-encoding")) == 0);
    buf_init(&answer, 1 << 20);
    lambda_answer_http(&answer, event->kind, 200, &event->headers, event->body);
    struct view text = buf_view(&answer);
    json_t *root =
        answer.failed ? NULL : json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    require(answer.failed || json_is_object(root));
    json_decref(root);
    buf_done(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *why = NULL;
    char *copy = exact_copy(view_of(data, size));
    struct lambda_event *event = lambda_event_parse(view_of(copy, size), &why);
    free(copy); /* the event has its own */
    require((event == NULL) == (why != NULL));
    if (!event) return 0;
    if (event->method.ptr) check_http(event);
    if (event->kind == LAMBDA_CONNECT || event->kind == LAMBDA_MESSAGE) require(event->connection_id.len > 0);
    if (event->kind == LAMBDA_STREAM) require(json_array_size(event->records) > 0);
    lambda_event_free(event);
    return 0;
}
