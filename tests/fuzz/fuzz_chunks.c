/* libFuzzer target: pieces of anybody. Each line of the input is one message; what joins is the pieces' data
 * in their order, and never more than the limits is held. Then the whole input is cut and joined again. */
#include "fuzz.h"
#include "protocol/chunks.h"

static const struct chunks_limits limits = {
    .message_bytes = 2000, .sender_bytes = 3000, .all_bytes = 5000, .messages = 4, .pending_ms = 10};

static void feed(struct view input) {
    struct chunks chunks;
    struct buf text;
    enum status status;
    chunks_init(&chunks, &limits);
    buf_init(&text, limits.message_bytes);
    for (uint64_t now_ms = 0; input.ptr; now_ms++) {
        struct v1_message *message = v1_message_parse(take_line(&input), 100, &status);
        if (message && message->type == V1_CHUNK) {
            struct view sender = view_slice(message->request_id, 0, 1);
            buf_clear(&text);
            enum chunk_result result =
                chunks_add(&chunks, sender, message->request_id, &message->chunk, now_ms, &text);
            require((result == CHUNK_COMPLETE) == (text.len > 0));
            require(chunks.bytes <= limits.all_bytes && chunks.by_key.count <= limits.messages);
        }
        v1_message_free(message);
    }
    chunks_done(&chunks);
    require(chunks.bytes == 0);
    buf_done(&text);
}

static void cut(struct view input) {
    struct chunk_cutter cutter;
    struct chunk_joiner joiner;
    struct buf message, joined;
    enum status status;
    enum chunk_result result = CHUNK_MORE;
    if (input.len == 0 || !chunk_cutter_init(&cutter, VIEW("id"), input, 300)) return;
    chunk_joiner_init(&joiner, input.len);
    buf_init(&message, 300);
    buf_init(&joined, input.len);
    while (chunk_cutter_next(&cutter, &message)) {
        struct v1_message *parsed = v1_message_parse(buf_view(&message), 0, &status);
        require(parsed && parsed->type == V1_CHUNK);
        result = chunk_joiner_add(&joiner, &parsed->chunk);
        v1_message_free(parsed);
        buf_clear(&message);
    }
    require(!message.failed && result == CHUNK_COMPLETE && chunk_joiner_text(&joiner, &joined));
    require(view_eq(buf_view(&joined), input));
    chunk_joiner_done(&joiner);
    buf_done(&message);
    buf_done(&joined);
}

/* What is cut is ASCII without control bytes. */
static bool is_text(struct view v) {
    for (size_t i = 0; i < v.len; i++)
        if (v.ptr[i] < 0x20 || v.ptr[i] > 0x7e) return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct view input = view_of(data, size);
    if (size == 0) return 0;
    feed(input);
    if (is_text(input)) cut(input);
    return 0;
}
