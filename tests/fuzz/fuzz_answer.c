/* libFuzzer target: bytes of a service, in pieces: whatever comes, the answer's steps keep their promises,
 * and the pieces' size changes nothing. First byte: how the request was; second: the size of the pieces. */
#include "fuzz.h"
#include "fuzz_mutate_http.h"
#include "local/local_answer.h"

struct outcome {
    enum answer_step last;
    uint64_t hash, body, used;
    int status;
    size_t trailers;
};

static void note(struct outcome *out, const struct local_answer *answer, enum answer_step step,
                 struct view data) {
    if (step == ANSWER_HEAD || step == ANSWER_SWITCHED) {
        require(out->status == 0);
        out->status = answer->head.status;
        require(answer->head.headers.count <= ANSWER_FIELDS_MAX);
    }
    if (step != ANSWER_DATA) return;
    require(out->status != 0 && data.len > 0);
    for (size_t i = 0; i < data.len; i++) out->hash = out->hash * 31 + (unsigned char)data.ptr[i];
    out->body += data.len;
}

static struct outcome run(const uint8_t *bytes, size_t len, const struct answer_to *to, size_t piece,
                          bool pauses) {
    struct outcome out = {.last = ANSWER_MORE};
    struct local_answer answer;
    local_answer_init(&answer, 8192);
    local_answer_begin(&answer, to);
    for (size_t at = 0; at < len && out.last == ANSWER_MORE;) {
        size_t size = piece < len - at ? piece : len - at;
        char *copy = malloc(size);
        memcpy(copy, bytes + at, size);
        struct view view = {copy, size}, data = {NULL, 0};
        do {
            if (pauses && (out.last = local_answer_next(&answer, &view, NULL)) != ANSWER_MORE) {
                require(out.last != ANSWER_DATA);
            } else {
                data.len = 0;
                out.last = local_answer_next(&answer, &view, &data);
            }
            note(&out, &answer, out.last, data);
        } while (out.last != ANSWER_MORE && out.last != ANSWER_END && out.last != ANSWER_BAD);
        require(out.last != ANSWER_MORE || view.len == 0);
        out.used = at + size - view.len;
        at += size;
        free(copy);
    }
    if (out.last == ANSWER_MORE) out.last = local_answer_eof(&answer);
    require(out.last == ANSWER_END || out.last == ANSWER_BAD);
    require(out.last != ANSWER_BAD || answer.detail);
    require(out.last != ANSWER_END || out.status);
    if (out.last == ANSWER_BAD) out.used = out.trailers = 0;
    if (out.last == ANSWER_END) out.trailers = answer.trailers.count;
    local_answer_done(&answer);
    return out;
}

static void same(const struct outcome *a, const struct outcome *b) {
    require(a->last == b->last && a->status == b->status && a->used == b->used && a->trailers == b->trailers);
    require(a->body == b->body && a->hash == b->hash);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    if (len < 2) return 0;
    struct answer_to to = {.is_head = bytes[0] & 1};
    if (bytes[0] & 2) to.upgrade = VIEW("websocket");
    if (bytes[0] & 4) to.accept = VIEW("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    size_t piece = (size_t)bytes[1] + 1;
    struct outcome whole = run(bytes + 2, len - 2, &to, len, false);
    struct outcome pieces = run(bytes + 2, len - 2, &to, piece, false);
    struct outcome paused = run(bytes + 2, len - 2, &to, piece, true);
    same(&whole, &pieces);
    same(&pieces, &paused);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
    static const struct grammar grammar = HTTP_GRAMMAR(2);
    return mutate_pieces(&grammar, data, size, max_size, seed);
}
