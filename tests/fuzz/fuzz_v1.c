/* libFuzzer target: a v1 message of anybody. What parses is written again, and must then say the same. */
#include "fuzz.h"
#include "protocol/v1.h"

#define BODY_MAX 4096
#define TEXT_MAX ((size_t)16 * 1024 * 1024)

static bool encode_established(struct buf *out, const struct v1_message *message) {
    struct v1_established established = {.connection_id = message->connection_id,
                                         .tunnel_id = message->tunnel_id,
                                         .public_url = message->public_url,
                                         .subdomain_url = message->subdomain_url,
                                         .path_based_url = message->path_based_url,
                                         .resume = message->resume,
                                         .capabilities = message->capabilities};
    return v1_encode_established(out, &established);
}

static bool encode_request(struct buf *out, const struct v1_message *message) {
    struct v1_request request = {.request_id = message->request_id,
                                 .method = message->method,
                                 .uri = message->uri,
                                 .headers = &message->headers,
                                 .body = message->body,
                                 .timestamp_ms = message->timestamp_ms};
    return v1_encode_request(out, &request);
}

static bool encode_response(struct buf *out, const struct v1_message *message) {
    struct v1_response response = {.request_id = message->request_id,
                                   .status = message->status,
                                   .headers = &message->headers,
                                   .body = message->body,
                                   .processing_time_ms = message->processing_time_ms};
    return v1_encode_response(out, &response);
}

static bool encode(struct buf *out, const struct v1_message *message) {
    switch (message->type) {
    case V1_CHUNK: /* fuzz_chunks has these */
    case V1_UNKNOWN: return false;
    case V1_READY: return v1_encode_ready(out, message->capabilities, message->request_timeout_ms);
    case V1_PING: return v1_encode_ping(out);
    case V1_PONG: return v1_encode_pong(out);
    case V1_DRAINING: return v1_encode_draining(out);
    case V1_HTTP_REQUEST: return encode_request(out, message);
    case V1_HTTP_RESPONSE: return message->status >= 0 && encode_response(out, message);
    case V1_ERROR:
        return v1_encode_error(out, message->request_id, message->code, message->message, message->reason);
    case V1_CONNECTION_ESTABLISHED: return encode_established(out, message);
    }
    return false;
}

/* Fields of one name keep their order; the names' order may change where they were spelled in two ways. */
static void require_same_headers(const struct headers *a, const struct headers *b) {
    require(a->count == b->count && a->bytes == b->bytes);
    for (size_t i = 0; i < a->count; i++) {
        struct view name = a->fields[i].name;
        size_t nth = 0, at = 0;
        for (size_t j = 0; j < i; j++) nth += view_eq(a->fields[j].name, name);
        while (at < b->count && (!view_eq(b->fields[at].name, name) || nth--)) at++;
        require(at < b->count && view_eq(a->fields[i].value, b->fields[at].value));
    }
}

static void require_same(const struct v1_message *a, const struct v1_message *b) {
    require(a->type == b->type && view_eq(a->request_id, b->request_id) && view_eq(a->body, b->body));
    require(view_eq(a->method, b->method) && view_eq(a->uri, b->uri) && a->timestamp_ms == b->timestamp_ms);
    require(a->status == b->status && a->processing_time_ms == b->processing_time_ms);
    require(view_eq(a->code, b->code) && view_eq(a->message, b->message) && view_eq(a->reason, b->reason));
    require(a->capabilities == b->capabilities && a->request_timeout_ms == b->request_timeout_ms);
    require(view_eq(a->connection_id, b->connection_id) && view_eq(a->tunnel_id, b->tunnel_id));
    require(view_eq(a->public_url, b->public_url) && view_eq(a->subdomain_url, b->subdomain_url));
    require(view_eq(a->path_based_url, b->path_based_url) && view_eq(a->resume, b->resume));
    require_same_headers(&a->headers, &b->headers);
}

static void require_promises(const struct v1_message *message) {
    require(message->request_id.len <= V1_REQUEST_ID_MAX && message->body.len <= BODY_MAX);
    require(!message->body_too_large || message->body.len == 0);
    for (size_t i = 0; i < message->headers.count; i++) {
        struct view name = message->headers.fields[i].name;
        for (size_t j = 0; j < name.len; j++) require(name.ptr[j] < 'A' || name.ptr[j] > 'Z');
    }
}

static void write_again(const struct v1_message *message) {
    struct buf text;
    enum status status;
    buf_init(&text, TEXT_MAX);
    if (encode(&text, message)) {
        for (size_t i = 0; i < text.len; i++) require((unsigned char)text.ptr[text.start + i] < 0x80);
        struct v1_message *again = v1_message_parse(buf_view(&text), BODY_MAX, &status);
        require(again);
        require_same(message, again);
        v1_message_free(again);
    }
    buf_done(&text);
}

/* As the answer to its own request, and to another one. */
static void answer_again(struct view text, const struct v1_message *message) {
    enum status status = STATUS_OK;
    bool is_answer = message && message->request_id.len &&
                     (message->type == V1_HTTP_RESPONSE || message->type == V1_ERROR);
    struct view asked = message && message->request_id.len ? message->request_id : VIEW("6f1c2b1e");
    struct v1_message *answer = v1_answer_parse(text, asked, BODY_MAX, &status);
    require((answer != NULL) == is_answer && (answer || status == STATUS_INVALID));
    if (answer) require_same(message, answer);
    v1_message_free(answer);
    if (!view_eq(asked, VIEW("another"))) require(!v1_answer_parse(text, VIEW("another"), BODY_MAX, &status));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    enum status status = STATUS_OK;
    char *copy = exact_copy(view_of(data, size));
    struct v1_message *message = v1_message_parse(view_of(copy, size), BODY_MAX, &status);
    answer_again(view_of(copy, size), message);
    free(copy); /* the message has its own */
    if (message) {
        require_promises(message);
        write_again(message);
    } else {
        require(status == STATUS_INVALID);
    }
    v1_message_free(message);
    return 0;
}
