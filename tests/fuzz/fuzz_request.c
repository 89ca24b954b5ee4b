/* libFuzzer target: what a visitor's connection brings, one request after another. However the bytes are cut,
 * and however little room there is for a body, the same requests come out, and what is refused is refused.
 * First byte: the size of the pieces; second: the room. */
#include "fuzz.h"
#include "fuzz_mutate_http.h"
#include "http/chars.h"
#include "http/request_reader.h"

#define HEAD_BYTES 2048

struct outcome {
    uint64_t hash;
    size_t heads, ends;
    enum http_error error;
};

static void mix(struct outcome *out, struct view v) {
    for (size_t i = 0; i < v.len; i++) out->hash = out->hash * 31 + (unsigned char)v.ptr[i];
}

static void note_head(struct outcome *out, const struct request_reader *reader) {
    const struct request_head *head = &reader->head;
    require(http_is_token(head->method) && head->target.len > 0);
    out->heads++;
    mix(out, head->method);
    mix(out, head->target);
    for (size_t i = 0; i < head->headers.count; i++) {
        mix(out, head->headers.fields[i].name);
        mix(out, head->headers.fields[i].value);
    }
    bool wants_body = request_reader_wants_body(reader);
    require(!wants_body || reader->framing != BODY_NONE);
    require(!(wants_body && request_reader_is_at_end(reader)));
}

static void note(struct outcome *out, const struct request_reader *reader, enum request_step step,
                 struct view data, size_t room) {
    switch (step) {
    case REQUEST_HEAD: note_head(out, reader); break;
    case REQUEST_DATA:
        require(data.len > 0 && data.len <= room && out->heads == out->ends + 1);
        mix(out, data);
        break;
    case REQUEST_END:
        out->ends++;
        out->hash = out->hash * 31 + 1;
        break;
    case REQUEST_REFUSED:
        require(reader->error != HTTP_ERROR_NONE);
        out->error = reader->error;
        break;
    case REQUEST_MORE: break;
    }
}

/* As gateway/public/visit_request.c does it: what is not used is held and shown again. Returns what is left.
 */
static struct view drive(struct request_reader *reader, struct view bytes, size_t room, struct arena *arena,
                         struct outcome *out) {
    enum request_step step;
    do {
        struct view data;
        step = request_reader_next(reader, &bytes, room, arena, &data);
        note(out, reader, step, data, room);
        if (step == REQUEST_END) {
            request_reader_begin(reader);
            arena_clear(arena);
        }
    } while (step != REQUEST_MORE && step != REQUEST_REFUSED);
    return bytes;
}

static struct outcome run(struct view bytes, size_t piece, size_t room) {
    struct outcome out = {.hash = 0};
    struct request_reader reader;
    struct arena arena;
    arena_init(&arena, (size_t)1024 * 1024);
    request_reader_init(&reader, HEAD_BYTES);
    size_t begin = 0, end = 0;
    while (end < bytes.len && !out.error) {
        end = piece < bytes.len - end ? end + piece : bytes.len;
        struct view held = view_slice(bytes, begin, end);
        char *copy = exact_copy(held);
        struct view left = drive(&reader, view_of(copy, held.len), room, &arena, &out);
        require(left.len <= held.len);
        begin = end - left.len;
        free(copy);
    }
    request_reader_begin(&reader);
    arena_done(&arena);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    struct view bytes = view_of(data + 2, size - 2);
    struct outcome whole = run(bytes, SIZE_MAX, SIZE_MAX);
    struct outcome parts = run(bytes, (size_t)data[0] + 1, (size_t)data[1] + 1);
    require(whole.hash == parts.hash && whole.heads == parts.heads && whole.ends == parts.ends);
    require(whole.error == parts.error);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
    static const struct grammar grammar = HTTP_GRAMMAR(2);
    return mutate_pieces(&grammar, data, size, max_size, seed);
}
