#include "aws/dynamodb.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/heap.h"
#include "base/log.h"
#include "protocol/json_text.h"

enum { ATTEMPTS_MAX = 8, ATTEMPT_MS = 3000, TRY_MS = 500, ANSWER_MAX = 17 * 1024 * 1024 };

struct dynamodb_call {
    struct aws_call *aws;
    char operation[32];
    dynamodb_fn *done;
    void *ctx;
};

static enum status status_of_error(struct view error) {
    if (view_eq(error, VIEW("ConditionalCheckFailedException")) ||
        view_eq(error, VIEW("TransactionCanceledException")))
        return STATUS_CONFLICT;
    if (view_eq(error, VIEW("ResourceNotFoundException"))) return STATUS_NOT_FOUND;
    return STATUS_INVALID;
}

static void on_answer(void *ctx, enum status status, const struct aws_answer *aws) {
    struct dynamodb_call *call = ctx;
    struct dynamodb_answer answer = {.repeated = aws->repeated};
    json_t *json = NULL;
    if (status == STATUS_INVALID) status = status_of_error(aws->error);
    if (status == STATUS_OK || status == STATUS_CONFLICT) {
        json = json_loadb(aws->body.len ? aws->body.ptr : "", aws->body.len, 0, NULL);
        if (!json_is_object(json)) status = STATUS_INVALID;
    }
    if (status == STATUS_INVALID || status == STATUS_NOT_FOUND)
        log_error("dynamodb", "%s was refused: %d %.*s", call->operation, aws->http_status,
                  VIEW_ARG(aws->error));
    answer.json = status == STATUS_OK || status == STATUS_CONFLICT ? json : NULL;
    call->done(call->ctx, status, &answer);
    json_decref(json);
    free(call);
}

static struct dynamodb_call *start(struct dynamodb *dynamodb, const char *operation, struct view body,
                                   unsigned attempts_max, uint64_t attempt_ms, dynamodb_fn *done, void *ctx) {
    char target[64] = "DynamoDB_20120810.";
    struct dynamodb_call *call = heap_alloc_owed(sizeof(*call));
    call->done = done;
    call->ctx = ctx;
    strncat(call->operation, operation, sizeof(call->operation) - 1);
    strncat(target, operation, 32);
    struct aws_request request = {.service = VIEW("dynamodb"),
                                  .endpoint = view_from_cstr(dynamodb->endpoint),
                                  .method = VIEW("POST"),
                                  .path = VIEW("/"),
                                  .content_type = VIEW("application/x-amz-json-1.0"),
                                  .target = view_from_cstr(target),
                                  .body = body,
                                  .idempotent = true,
                                  .attempts_max = attempts_max,
                                  .attempt_ms = attempt_ms,
                                  .answer_max = ANSWER_MAX};
    call->aws = aws_call_start(dynamodb->aws, &request, on_answer, call);
    return call;
}

struct dynamodb_call *dynamodb_start(struct dynamodb *dynamodb, const char *operation, struct view body,
                                     dynamodb_fn *done, void *ctx) {
    return start(dynamodb, operation, body, ATTEMPTS_MAX, ATTEMPT_MS, done, ctx);
}

struct dynamodb_call *dynamodb_try(struct dynamodb *dynamodb, const char *operation, struct view body,
                                   dynamodb_fn *done, void *ctx) {
    return start(dynamodb, operation, body, 1, TRY_MS, done, ctx);
}

void dynamodb_cancel(struct dynamodb_call *call) {
    aws_call_cancel(call->aws);
    free(call);
}

static bool put_name(struct buf *out, const char *name, const char *type) {
    struct view text = buf_view(out);
    const char *comma = text.len > 0 && text.ptr[text.len - 1] == '{' ? "" : ",";
    return buf_printf(out, "%s\"%s\":{\"%s\":", comma, name, type);
}

bool item_put_string(struct buf *out, const char *name, struct view value) {
    return put_name(out, name, "S") && json_text_string(out, value) && buf_append_byte(out, '}');
}

bool item_put_number(struct buf *out, const char *name, uint64_t value) {
    return put_name(out, name, "N") && buf_printf(out, "\"%" PRIu64 "\"}", value);
}

struct view item_string(const json_t *item, const char *name) {
    const json_t *value = json_object_get(json_object_get(item, name), "S");
    return json_is_string(value) ? view_of(json_string_value(value), json_string_length(value))
                                 : (struct view){0};
}

bool item_number(const json_t *item, const char *name, uint64_t *ret_value) {
    const json_t *value = json_object_get(json_object_get(item, name), "N");
    if (!json_is_string(value)) return false;
    return view_parse_u64(view_of(json_string_value(value), json_string_length(value)), ret_value);
}
