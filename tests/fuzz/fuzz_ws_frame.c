/* libFuzzer target: WebSocket frames of a server. What is read in one piece is read the same byte by byte. */
#include "fuzz.h"

#include "base/buf.h"
#include "http/ws_frame.h"

/* What was told, so that it can be compared; true: it ended by a mistake. */
static bool run(struct view bytes, size_t step, struct buf *told) {
    struct ws_decoder decoder = {0};
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct buf whole, bytewise;
    buf_init(&whole, 2 * size + 64);
    buf_init(&bytewise, 2 * size + 64);
    bool bad = run(view_of(data, size), size ? size : 1, &whole);
    require(run(view_of(data, size), 1, &bytewise) == bad);
    require(view_eq(buf_view(&whole), buf_view(&bytewise)));
    buf_done(&whole);
    buf_done(&bytewise);
    return 0;
}
