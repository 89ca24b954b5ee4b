/* A state a byte of framing; data and trailer lines are taken whole. */
#include "http/chunked.h"

#include "base/hex.h"
#include "http/chars.h"

enum stage {
    SIZE_FIRST,
    SIZE_MORE,
    SPACE,
    EXTENSION,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER,
    END,
    BAD,
    TOO_LARGE
};

void chunked_init(struct chunked *chunked, struct headers *trailers) {
    *chunked = (struct chunked){.stage = SIZE_FIRST, .trailers = trailers};
    buf_init(&chunked->line, CHUNKED_TRAILERS_MAX);
}

void chunked_done(struct chunked *chunked) {
    buf_done(&chunked->line);
}

static int after_size(char byte) {
    if (byte == '\r') return SIZE_LF;
    if (byte == ';') return EXTENSION;
    return byte == ' ' || byte == '\t' ? SPACE : BAD;
}

static int on_size(struct chunked *chunked, char byte) {
    int digit = hex_value(byte);
    if (digit < 0) return chunked->stage == SIZE_MORE ? after_size(byte) : BAD;
    if (chunked->line_bytes > 16) return BAD; /* what 64 bits hold */
    chunked->left = chunked->left << 4 | (unsigned)digit;
    return SIZE_MORE;
}

static int on_extension(char byte) {
    if (byte == '\r') return SIZE_LF;
    return ((unsigned char)byte < 0x20 && byte != '\t') || byte == 0x7f ? BAD : EXTENSION;
}

static int on_size_end(struct chunked *chunked, char byte) {
    chunked->line_bytes = 0;
    if (byte != '\n') return BAD;
    return chunked->left ? DATA : TRAILER;
}

static int on_framing(struct chunked *chunked, char byte) {
    switch (chunked->stage) {
    case SIZE_FIRST:
    case SIZE_MORE:
    case SPACE:
    case EXTENSION:
        if (++chunked->line_bytes > CHUNKED_EXTENSION_MAX) return TOO_LARGE;
        if (chunked->stage == EXTENSION) return on_extension(byte);
        return chunked->stage == SPACE ? after_size(byte) : on_size(chunked, byte);
    case SIZE_LF: return on_size_end(chunked, byte);
    case DATA_CR: return byte == '\r' ? DATA_LF : BAD;
    case DATA_LF: return byte == '\n' ? SIZE_FIRST : BAD;
    default: return BAD;
    }
}

static bool decides_framing(struct view name) {
    return view_eq_nocase(name, VIEW("content-length")) || view_eq_nocase(name, VIEW("transfer-encoding")) ||
           view_eq_nocase(name, VIEW("trailer")) || view_eq_nocase(name, VIEW("host"));
}

static int on_trailer(struct chunked *chunked, struct view line) {
    size_t colon = view_find(line, ':');
    struct view name = view_slice(line, 0, colon), value = view_trim(view_skip(line, colon + 1));
    if (colon == line.len || !http_is_token(name) || !http_is_field_value(value)) return BAD;
    if (decides_framing(name)) return TRAILER;
    if (chunked->trailers->count >= CHUNKED_TRAILERS_COUNT_MAX) return TOO_LARGE;
    return headers_add(chunked->trailers, name, value) ? TRAILER : TOO_LARGE;
}

/* `line` with its LF. */
static int on_trailer_line(struct chunked *chunked, struct view line) {
    if (line.len < 2 || line.ptr[line.len - 2] != '\r') return BAD;
    return line.len == 2 ? END : on_trailer(chunked, view_slice(line, 0, line.len - 2));
}

static int take_trailers(struct chunked *chunked, struct view *bytes) {
    size_t lf = view_find(*bytes, '\n');
    bool whole = lf < bytes->len;
    struct view piece = view_slice(*bytes, 0, whole ? lf + 1 : lf);
    *bytes = view_skip(*bytes, piece.len);
    chunked->trailer_bytes += piece.len;
    if (chunked->trailer_bytes > CHUNKED_TRAILERS_MAX) return TOO_LARGE;
    if (whole && chunked->line.len == 0) return on_trailer_line(chunked, piece);
    if (!buf_append_view(&chunked->line, piece)) return TOO_LARGE;
    if (!whole) return TRAILER;
    int next = on_trailer_line(chunked, buf_view(&chunked->line));
    buf_clear(&chunked->line);
    return next;
}

static enum chunked_result take_data(struct chunked *chunked, struct view *bytes, struct view *ret_data) {
    size_t len = bytes->len < chunked->left ? bytes->len : (size_t)chunked->left;
    *ret_data = view_slice(*bytes, 0, len);
    *bytes = view_skip(*bytes, len);
    chunked->left -= len;
    if (chunked->left == 0) chunked->stage = DATA_CR;
    return CHUNKED_DATA;
}

enum chunked_result chunked_next(struct chunked *chunked, struct view *bytes, struct view *ret_data) {
    while (bytes->len && chunked->stage < END) {
        if (chunked->stage == DATA) return ret_data ? take_data(chunked, bytes, ret_data) : CHUNKED_MORE;
        if (chunked->stage == TRAILER) {
            chunked->stage = take_trailers(chunked, bytes);
        } else {
            chunked->stage = on_framing(chunked, bytes->ptr[0]);
            *bytes = view_skip(*bytes, 1);
        }
    }
    switch (chunked->stage) {
    case END: return CHUNKED_END;
    case BAD: return CHUNKED_MALFORMED;
    case TOO_LARGE: return CHUNKED_TOO_LARGE;
    default: return CHUNKED_MORE;
    }
}
