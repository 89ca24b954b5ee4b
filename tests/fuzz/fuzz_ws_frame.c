/* libFuzzer target: WebSocket frames of a server, and of a client. What is read in one piece is read the same
 * byte by byte. */
#include "base/buf.h"
#include "fuzz.h"
#include "fuzz_mutate_ws.h"
#include "http/ws_frame.h"

/* What was told, so that it can be compared; true: it ended by a mistake. */
static bool run(struct view bytes, bool reads_client, size_t step, struct buf *told) {
    struct ws_decoder decoder = {.reads_client = reads_client};
    struct ws_piece piece;
    enum ws_step last = WS_MORE;
    for (size_t at = 0; at < bytes.len && last != WS_BAD; at += step) {
        struct view part = view_slice(bytes, at, at + step);
        char *copy = exact_copy(part);
        struct view rest = view_of(copy, part.len);
        while ((last = ws_decode(&decoder, &rest, &piece)) == WS_PIECE) {
            bool control = piece.opcode >= WS_CLOSE;
            require(piece.opcode == WS_TEXT || piece.opcode == WS_BINARY || control);
            require(!control || (piece.is_first && piece.is_last && piece.payload.len <= WS_CONTROL_MAX));
            if (piece.opcode == WS_CLOSE) require(ws_close_answer(piece.payload) < 5000);
            if (piece.is_first) buf_append_byte(told, (char)piece.opcode);
            buf_append_view(told, piece.payload);
            if (piece.is_last) buf_append_byte(told, '.');
        }
        require(last == WS_BAD || rest.len == 0);
        free(copy);
    }
    require((last == WS_BAD) == (decoder.detail != NULL));
    return last == WS_BAD;
}

static void check(struct view bytes, bool reads_client) {
    struct buf whole, bytewise;
    buf_init(&whole, 2 * bytes.len + 64);
    buf_init(&bytewise, 2 * bytes.len + 64);
    bool bad = run(bytes, reads_client, bytes.len ? bytes.len : 1, &whole);
    require(run(bytes, reads_client, 1, &bytewise) == bad);
    if (!bad) require(view_eq(buf_view(&whole), buf_view(&bytewise)));
    buf_done(&whole);
    buf_done(&bytewise);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    check(view_of(data, size), false);
    check(view_of(data, size), true);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
    static const struct grammar grammar = {
        .lead = 0, .piece_len = ws_frame_len, .change = ws_change, .fresh = ws_fresh};
    return mutate_pieces(&grammar, data, size, max_size, seed);
}
