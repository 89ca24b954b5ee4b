/* See request_reader.h. */
#include "http/request_reader.h"

enum stage { AT_HEAD, AT_BODY, AT_END, IN_DOUBT, REFUSED };

void request_reader_init(struct request_reader *reader, size_t head_max_bytes) {
    *reader = (struct request_reader){.stage = AT_HEAD, .head_max_bytes = head_max_bytes};
}

void request_reader_begin(struct request_reader *reader) {
    if (reader->framing == BODY_CHUNKED) chunked_done(&reader->chunked);
    reader->stage = AT_HEAD;
    reader->framing = BODY_NONE;
    reader->scanned_bytes = 0;
    reader->error = HTTP_ERROR_NONE;
}

static enum request_step refuse(struct request_reader *reader, enum http_error error) {
    reader->stage = REFUSED;
    reader->error = error;
    return REQUEST_REFUSED;
}

static void skip_empty_lines(struct view *bytes) {
    while (view_starts_with(*bytes, VIEW("\r\n"))) *bytes = view_skip(*bytes, 2);
}

static void begin_body(struct request_reader *reader, struct arena *arena) {
    bool is_clear = gate_read_framing(&reader->head.headers, reader->head.minor_version, &reader->framing,
                                      &reader->left_bytes);
    reader->stage = !is_clear ? IN_DOUBT : reader->framing == BODY_NONE ? AT_END : AT_BODY;
    if (!is_clear) reader->framing = BODY_NONE;
    if (reader->framing != BODY_CHUNKED) return;
    headers_init(&reader->trailers, arena);
    chunked_init(&reader->chunked, &reader->trailers);
}

static enum http_error too_large(struct view bytes) {
    bool has_line = view_find(bytes, '\n') < bytes.len;
    return has_line ? HTTP_ERROR_HEADERS_TOO_LARGE : HTTP_ERROR_URI_TOO_LONG;
}

/* Looks only when there is the end of a line that it has not seen: a head that comes byte by byte is not read
 * from its begin with every byte. */
static enum request_step read_head(struct request_reader *reader, struct view *bytes, struct arena *arena) {
    if (reader->scanned_bytes == 0) skip_empty_lines(bytes);
    if (bytes->len == 0 || view_eq(*bytes, VIEW("\r"))) return REQUEST_MORE;
    struct view fresh = view_skip(*bytes, reader->scanned_bytes);
    bool has_line = view_find(fresh, '\n') < fresh.len;
    if (reader->scanned_bytes && !has_line && bytes->len < reader->head_max_bytes) {
        reader->scanned_bytes = bytes->len;
        return REQUEST_MORE;
    }
    size_t len = 0;
    switch (request_head_parse(*bytes, reader->head_max_bytes, arena, &reader->head, &len)) {
    case HEAD_COMPLETE: break;
    case HEAD_INCOMPLETE: reader->scanned_bytes = bytes->len; return REQUEST_MORE;
    case HEAD_TOO_LARGE: return refuse(reader, too_large(view_slice(*bytes, 0, reader->head_max_bytes)));
    case HEAD_MALFORMED: return refuse(reader, HTTP_ERROR_BAD_REQUEST);
    }
    *bytes = view_skip(*bytes, len);
    begin_body(reader, arena);
    return REQUEST_HEAD;
}

static enum request_step end(struct request_reader *reader) {
    reader->stage = AT_END;
    return REQUEST_END;
}

static struct view take(struct view *bytes, uint64_t left, size_t room) {
    size_t max = left < room ? (size_t)left : room;
    struct view piece = view_slice(*bytes, 0, max);
    *bytes = view_skip(*bytes, piece.len);
    return piece;
}

static enum request_step read_length(struct request_reader *reader, struct view *bytes, size_t room,
                                     struct view *ret_data) {
    if (reader->left_bytes == 0) return end(reader);
    *ret_data = take(bytes, reader->left_bytes, room);
    reader->left_bytes -= ret_data->len;
    return ret_data->len ? REQUEST_DATA : REQUEST_MORE;
}

static enum request_step read_chunks(struct request_reader *reader, struct view *bytes, size_t room,
                                     struct view *ret_data) {
    switch (chunked_next(&reader->chunked, bytes, NULL)) {
    case CHUNKED_END: return end(reader);
    case CHUNKED_MALFORMED: return refuse(reader, HTTP_ERROR_BAD_REQUEST);
    case CHUNKED_TOO_LARGE: return refuse(reader, HTTP_ERROR_HEADERS_TOO_LARGE);
    case CHUNKED_DATA:
    case CHUNKED_MORE: break;
    }
    struct view part = view_slice(*bytes, 0, room);
    if (part.len == 0) return REQUEST_MORE;
    chunked_next(&reader->chunked, &part, ret_data); /* data is next, or it would not have stopped */
    *bytes = view_skip(*bytes, ret_data->len);
    return REQUEST_DATA;
}

enum request_step request_reader_next(struct request_reader *reader, struct view *bytes, size_t room,
                                      struct arena *arena, struct view *ret_data) {
    *ret_data = (struct view){NULL, 0};
    switch ((enum stage)reader->stage) {
    case AT_HEAD: return read_head(reader, bytes, arena);
    case AT_BODY:
        return reader->framing == BODY_LENGTH ? read_length(reader, bytes, room, ret_data)
                                              : read_chunks(reader, bytes, room, ret_data);
    case AT_END: return REQUEST_END;
    case IN_DOUBT: return REQUEST_MORE;
    case REFUSED: break;
    }
    return REQUEST_REFUSED;
}

bool request_reader_is_at_end(const struct request_reader *reader) {
    return reader->stage == AT_END;
}

bool request_reader_wants_body(const struct request_reader *reader) {
    return reader->stage == AT_BODY;
}
