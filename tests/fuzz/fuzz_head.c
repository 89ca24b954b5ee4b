/* libFuzzer target: the head of a message, as a request and as an answer. Whatever comes in pieces must end
 * as it does in one: no part of a whole head is malformed, and none of it is whole. */
#include "fuzz.h"
#include "fuzz_mutate_http.h"
#include "http/chars.h"
#include "http/head.h"

#define HEAD_BYTES 4096

struct outcome {
    enum head_result result;
    size_t len;
    struct headers headers;
};

static struct outcome parse(struct view bytes, bool is_request, struct arena *arena) {
    struct outcome outcome = {.len = 0};
    struct request_head request = {.minor_version = 0};
    struct response_head response = {.status = 0};
    char *copy = exact_copy(bytes);
    struct view view = view_of(copy, bytes.len);
    if (is_request)
        outcome.result = request_head_parse(view, HEAD_BYTES, arena, &request, &outcome.len);
    else
        outcome.result = response_head_parse(view, HEAD_BYTES, arena, &response, &outcome.len);
    if (outcome.result == HEAD_COMPLETE && is_request)
        require(http_is_token(request.method) && request.target.len > 0 && request.minor_version <= 9);
    else if (outcome.result == HEAD_COMPLETE)
        require(response.status >= 100 && response.status <= 999 && http_is_field_value(response.reason));
    outcome.headers = is_request ? request.headers : response.headers;
    free(copy);
    return outcome;
}

static void require_sound(const struct outcome *outcome, size_t size) {
    require(outcome->len > 0 && outcome->len <= size && outcome->len <= HEAD_BYTES);
    for (size_t i = 0; i < outcome->headers.count; i++) {
        const struct header *field = &outcome->headers.fields[i];
        require(http_is_token(field->name) && http_is_field_value(field->value));
        require(field->name.ptr[field->name.len] == '\0' && field->value.ptr[field->value.len] == '\0');
    }
}

static void check(struct view bytes, bool is_request) {
    struct arena arena, other;
    arena_init(&arena, (size_t)1024 * 1024);
    arena_init(&other, (size_t)1024 * 1024);
    struct outcome whole = parse(bytes, is_request, &arena);
    if (whole.result == HEAD_INCOMPLETE) require(arena.used_bytes == 0 && bytes.len < HEAD_BYTES);
    if (whole.result == HEAD_COMPLETE) {
        require_sound(&whole, bytes.len);
        struct outcome exact = parse(view_slice(bytes, 0, whole.len), is_request, &other);
        require(exact.result == HEAD_COMPLETE && exact.len == whole.len);
        require(exact.headers.count == whole.headers.count && exact.headers.bytes == whole.headers.bytes);
        struct outcome part = parse(view_slice(bytes, 0, whole.len - 1), is_request, &other);
        require(part.result == HEAD_INCOMPLETE);
        part = parse(view_slice(bytes, 0, whole.len / 2), is_request, &other);
        require(part.result == HEAD_INCOMPLETE);
    }
    arena_done(&other);
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    check(view_of(data, size), true);
    check(view_of(data, size), false);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
    static const struct grammar grammar = HTTP_GRAMMAR(0);
    return mutate_pieces(&grammar, data, size, max_size, seed);
}
