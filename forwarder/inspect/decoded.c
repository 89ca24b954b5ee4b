/* See decoded.h. */
#include "inspect/decoded.h"

#include "coding/decoder.h"

#define PIECE_BYTES ((size_t)16 * 1024)

/* As long as bytes come of it. False: the stream is broken. */
static bool read_all(struct decoder *decoder, struct view rest, struct buf *out) {
    while (out->len < DECODED_MAX) {
        size_t room = DECODED_MAX - out->len < PIECE_BYTES ? DECODED_MAX - out->len : PIECE_BYTES, made = 0;
        size_t before = rest.len;
        char *place = buf_reserve(out, room);
        bool is_well = place && decoder_read(decoder, &rest, place, room, &made);
        buf_commit(out, made);
        if (!is_well) return false;
        if (made < room && (!rest.len || rest.len == before)) return true;
    }
    return true;
}

bool decoded_body(struct view coding, struct view body, struct buf *out, bool *ret_is_whole) {
    enum coding its;
    struct coding_memory memory = {0};
    buf_init(out, DECODED_MAX);
    *ret_is_whole = false;
    if (!body.len || !coding_parse(coding, &its) || its == CODING_IDENTITY) return false;
    struct decoder *decoder = decoder_new(its, &memory);
    bool is_well = decoder && read_all(decoder, body, out);
    *ret_is_whole = is_well && out->len < DECODED_MAX && decoder_is_whole(decoder);
    decoder_free(decoder);
    return out->len > 0 || *ret_is_whole;
}
