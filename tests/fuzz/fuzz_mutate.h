/* Mutators that know what inputs are made of: pieces (frames, lines), one behind the other, behind a lead of
 * bytes that mean something to the target alone. Pieces are changed, made anew, taken out, repeated and
 * exchanged; each stays one that a parser would take for a whole. One of four mutations is libFuzzer's own,
 * so that what is malformed comes, too. */
#ifndef FUZZ_MUTATE_H
#define FUZZ_MUTATE_H

#include "base/buf.h"
#include "fuzz.h"

#define PIECES_MAX 256

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

struct dice {
    uint32_t state;
};

/* Below `sides`, which is at least 1. */
static inline uint32_t roll(struct dice *dice, uint32_t sides) {
    dice->state ^= dice->state << 13;
    dice->state ^= dice->state >> 17;
    dice->state ^= dice->state << 5;
    return dice->state % sides;
}

struct grammar {
    size_t lead;
    /* Of bytes that are not empty: how many the first piece has, at least 1. */
    size_t (*piece_len)(struct view rest);
    /* Appends the piece with something changed. */
    void (*change)(struct dice *dice, struct view piece, struct buf *out);
    /* Appends one that was not there. */
    void (*fresh)(struct dice *dice, struct buf *out);
};

/* Appends bytes that libFuzzer has changed: at most some more than they were. */
static inline void mutate_bytes(struct view bytes, struct buf *out) {
    uint8_t room[4096];
    size_t len = bytes.len < sizeof(room) ? bytes.len : sizeof(room);
    if (len) memcpy(room, bytes.ptr, len);
    buf_append(out, room, LLVMFuzzerMutate(room, len, len + 32 < sizeof(room) ? len + 32 : sizeof(room)));
}

static inline size_t cut_pieces(const struct grammar *grammar, struct view rest,
                                struct view pieces[PIECES_MAX]) {
    size_t count = 0;
    while (rest.len && count < PIECES_MAX) {
        size_t len = count + 1 < PIECES_MAX ? grammar->piece_len(rest) : rest.len;
        pieces[count++] = view_slice(rest, 0, len);
        rest = view_skip(rest, len);
    }
    return count;
}

/* The piece that was chosen, and what stands in its place. */
static inline void change_piece(const struct grammar *grammar, struct dice *dice, const struct view *pieces,
                                size_t count, size_t at, struct buf *out) {
    switch (roll(dice, 8)) {
    case 0:
        grammar->fresh(dice, out);
        buf_append_view(out, pieces[at]);
        break;
    case 1: break; /* taken out */
    case 2:
        buf_append_view(out, pieces[at]);
        buf_append_view(out, pieces[at]);
        break;
    case 3:
        buf_append_view(out, pieces[roll(dice, (uint32_t)count)]);
        buf_append_view(out, pieces[at]);
        break;
    case 4: grammar->fresh(dice, out); break;
    default: grammar->change(dice, pieces[at], out);
    }
}

static inline size_t mutate_pieces(const struct grammar *grammar, uint8_t *data, size_t size, size_t max_size,
                                   unsigned seed) {
    struct dice dice = {seed * 2654435761u + 1};
    struct view pieces[PIECES_MAX];
    struct buf out;
    if (size <= grammar->lead || dice.state == 0 || roll(&dice, 4) == 0)
        return LLVMFuzzerMutate(data, size, max_size);
    struct view rest = view_of(data + grammar->lead, size - grammar->lead);
    size_t count = cut_pieces(grammar, rest, pieces), chosen = roll(&dice, (uint32_t)count);
    buf_init(&out, 2 * max_size + 65536);
    buf_append(&out, data, grammar->lead);
    if (grammar->lead && roll(&dice, 16) == 0) out.ptr[out.start] = (char)roll(&dice, 256);
    for (size_t i = 0; i < count; i++) {
        if (i == chosen)
            change_piece(grammar, &dice, pieces, count, i, &out);
        else
            buf_append_view(&out, pieces[i]);
    }
    size_t len = out.len < max_size ? out.len : max_size;
    if (len) memcpy(data, buf_view(&out).ptr, len);
    buf_done(&out);
    return len ? len : LLVMFuzzerMutate(data, size, max_size); /* libFuzzer wants some */
}

#endif
