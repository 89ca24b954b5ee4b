#include "local/local_answer.h"

#include <inttypes.h>
#include <stdio.h>

#define ARENA_MAX ((size_t)512 * 1024)
#define HELD_KEPT 8192 /* larger memory is not kept for the next answer */

enum stage { HEAD, BODY_LENGTH, BODY_CHUNKED, BODY_TO_CLOSE, RAW, END, BAD };

void local_answer_init(struct local_answer *answer, size_t head_max) {
    *answer = (struct local_answer){.head_max = head_max};
    arena_init(&answer->arena, ARENA_MAX);
    buf_init(&answer->held, head_max);
}

void local_answer_done(struct local_answer *answer) {
    chunked_done(&answer->chunked);
    buf_done(&answer->held);
    arena_done(&answer->arena);
}

void local_answer_begin(struct local_answer *answer, const struct answer_to *to) {
    if (answer->held.cap > HELD_KEPT) buf_done(&answer->held);
    buf_clear(&answer->held);
    chunked_done(&answer->chunked);
    headers_init(&answer->trailers, &answer->arena);
    answer->stage = HEAD;
    answer->to = *to;
    answer->lines = answer->interims = 0;
    answer->began = answer->keep_alive = answer->not_http = false;
    answer->detail = NULL;
}

static enum answer_step bad(struct local_answer *answer, const char *detail) {
    answer->stage = BAD;
    answer->detail = detail;
    return ANSWER_BAD;
}

static enum answer_step not_http(struct local_answer *answer) {
    answer->not_http = true;
    return bad(answer, "the answer is not HTTP/1.x");
}

/* ---- the head ---- */

/* The fields that decide framing and the connection's life. */
struct notes {
    size_t lengths, codings;
    struct view coding;
    uint64_t length;
    const char *fault; /* the lengths contradict each other, or are none */
    bool close, keep_alive;
};

/* The same length more than once, in one field or several, is that length (RFC 9110 8.6). */
static void note_lengths(struct notes *notes, struct view list) {
    struct view piece;
    uint64_t length = 0;
    while (view_split(&list, ',', &piece)) {
        if (!http_content_length(piece, &length))
            notes->fault = "the service sent a Content-Length that is none";
        else if (notes->lengths++ && length != notes->length)
            notes->fault = "the service sent Content-Lengths that differ";
        notes->length = length;
    }
}

static void note_field(struct notes *notes, const struct header *field) {
    switch (field->name.len) {
    case 10:
        if (!view_eq(field->name, VIEW("connection"))) break;
        notes->close |= http_list_has(field->value, VIEW("close"));
        notes->keep_alive |= http_list_has(field->value, VIEW("keep-alive"));
        break;
    case 14:
        if (!view_eq(field->name, VIEW("content-length"))) break;
        note_lengths(notes, field->value);
        break;
    case 17:
        /* identity is no coding, and was a way to say so once (RFC 2616) */
        if (!view_eq(field->name, VIEW("transfer-encoding")) ||
            view_eq_nocase(field->value, VIEW("identity")))
            break;
        notes->codings++;
        notes->coding = field->value;
        break;
    default: break;
    }
}

static bool has_no_body(const struct local_answer *answer) {
    int status = answer->head.status;
    return answer->to.is_head || status == 204 || status == 304;
}

static enum answer_step begin_chunked(struct local_answer *answer, const struct notes *notes) {
    if (notes->codings > 1 || !view_eq_nocase(notes->coding, VIEW("chunked")))
        return bad(answer, "the service sent a Transfer-Encoding that is not chunked");
    if (notes->lengths) return bad(answer, "the service sent Content-Length and Transfer-Encoding");
    if (answer->head.minor_version == 0) answer->keep_alive = false; /* RFC 9112 6.1 */
    chunked_init(&answer->chunked, &answer->trailers);
    answer->stage = BODY_CHUNKED;
    return ANSWER_HEAD;
}

static enum answer_step decide_framing(struct local_answer *answer, const struct notes *notes) {
    if (has_no_body(answer)) {
        answer->left = 0;
        answer->stage = BODY_LENGTH;
        return ANSWER_HEAD;
    }
    if (notes->codings) return begin_chunked(answer, notes);
    if (notes->lengths) {
        answer->left = notes->length;
        answer->stage = BODY_LENGTH;
        return ANSWER_HEAD;
    }
    answer->keep_alive = false;
    answer->stage = BODY_TO_CLOSE;
    return ANSWER_HEAD;
}

/* Does the 101 name one of the protocols that were offered? */
static bool was_offered(const struct headers *headers, struct view offered) {
    struct view protocol;
    while (view_split(&offered, ',', &protocol))
        if (headers_has_token(headers, VIEW("upgrade"), view_trim(protocol))) return true;
    return false;
}

static bool is_accepted(const struct headers *headers, struct view accept) {
    if (!accept.ptr || !headers_has_token(headers, VIEW("upgrade"), VIEW("websocket"))) return true;
    return headers_count(headers, VIEW("sec-websocket-accept")) == 1 &&
           view_eq(headers_get(headers, VIEW("sec-websocket-accept")), accept);
}

static enum answer_step on_switch(struct local_answer *answer) {
    const struct answer_to *to = &answer->to;
    const struct headers *headers = &answer->head.headers;
    if (!to->upgrade.ptr) return bad(answer, "the service sent a 101 that nobody asked for");
    if (!was_offered(headers, to->upgrade))
        return bad(answer, "the service switched to another protocol than was asked for");
    if (!is_accepted(headers, to->accept))
        return bad(answer, "the service sent a wrong Sec-WebSocket-Accept");
    answer->stage = RAW;
    return ANSWER_SWITCHED;
}

/* Whoever gets the head next finds one length, said once. */
static bool say_length(struct local_answer *answer, const struct notes *notes) {
    char text[24];
    if (notes->lengths < 2) return true;
    int len = snprintf(text, sizeof(text), "%" PRIu64, notes->length);
    return headers_set(&answer->head.headers, VIEW("content-length"), view_of(text, (size_t)len));
}

static enum answer_step on_head(struct local_answer *answer) {
    const struct headers *headers = &answer->head.headers;
    if (headers->count > ANSWER_FIELDS_MAX) return bad(answer, "the service sent too many fields");
    if (answer->head.status == 101) return on_switch(answer);
    if (answer->head.status < 200) {
        bool is_one_too_many = ++answer->interims > ANSWER_INTERIMS_MAX;
        return is_one_too_many ? bad(answer, "the service sent too many interim answers") : ANSWER_INTERIM;
    }
    struct notes notes = {.lengths = 0};
    for (size_t i = 0; i < headers->count; i++) note_field(&notes, &headers->fields[i]);
    answer->keep_alive = answer->head.minor_version == 0 ? notes.keep_alive && !notes.close : !notes.close;
    if (notes.fault) return bad(answer, notes.fault);
    if (!say_length(answer, &notes)) return bad(answer, "no memory for the answer's head");
    return decide_framing(answer, &notes);
}

static size_t count_lines(struct view bytes) {
    size_t count = 0;
    for (size_t lf; (lf = view_find(bytes, '\n')) < bytes.len; bytes = view_skip(bytes, lf + 1)) count++;
    return count;
}

static bool begins_like_http(struct view bytes) {
    struct view expected = VIEW("HTTP/1.");
    return bytes.len < expected.len ? view_starts_with(expected, bytes) : view_starts_with(bytes, expected);
}

static enum answer_step on_parsed(struct local_answer *answer, enum head_result result) {
    switch (result) {
    case HEAD_INCOMPLETE: return ANSWER_MORE;
    case HEAD_COMPLETE: return on_head(answer);
    case HEAD_TOO_LARGE: return bad(answer, "the service sent too large a head");
    case HEAD_MALFORMED: break;
    }
    return bad(answer, answer->head.fault ? answer->head.fault : "the service sent a malformed head");
}

/* The usual case: nothing held yet, and the head is whole. */
static enum answer_step head_first_piece(struct local_answer *answer, struct view *bytes) {
    size_t len;
    if (!begins_like_http(*bytes)) return not_http(answer);
    enum head_result result =
        response_head_parse(*bytes, answer->head_max, &answer->arena, &answer->head, &len);
    if (result == HEAD_INCOMPLETE) {
        answer->lines = count_lines(*bytes);
        if (!buf_append_view(&answer->held, *bytes)) return bad(answer, "no memory for the answer's head");
        len = bytes->len;
    }
    if (result == HEAD_INCOMPLETE || result == HEAD_COMPLETE) *bytes = view_skip(*bytes, len);
    return on_parsed(answer, result);
}

/* Parses again only when a line has ended: with the lines bounded, so is the work for a head that trickles
 * in. */
static enum answer_step head_next_piece(struct local_answer *answer, struct view *bytes) {
    size_t before = answer->held.len, len;
    struct view piece = view_slice(*bytes, 0, answer->head_max - before);
    size_t lines = count_lines(piece);
    answer->lines += lines;
    if (!buf_append_view(&answer->held, piece)) return bad(answer, "no memory for the answer's head");
    if (!begins_like_http(buf_view(&answer->held))) return not_http(answer);
    enum head_result result = HEAD_INCOMPLETE;
    if (lines || answer->held.len == answer->head_max)
        result = response_head_parse(buf_view(&answer->held), answer->head_max, &answer->arena, &answer->head,
                                     &len);
    if (result == HEAD_INCOMPLETE) {
        *bytes = view_skip(*bytes, piece.len);
        if (answer->lines > ANSWER_FIELDS_MAX + 2) return bad(answer, "the service sent too many fields");
    }
    if (result == HEAD_COMPLETE) {
        *bytes = view_skip(*bytes, len - before);
        buf_clear(&answer->held);
    }
    return on_parsed(answer, result);
}

static enum answer_step read_head(struct local_answer *answer, struct view *bytes) {
    if (!bytes->len) return ANSWER_MORE;
    answer->began = true;
    if (answer->held.len == 0 && answer->arena.used_bytes)
        arena_done(&answer->arena); /* of what came before */
    return answer->held.len ? head_next_piece(answer, bytes) : head_first_piece(answer, bytes);
}

/* ---- the body ---- */

static enum answer_step end(struct local_answer *answer) {
    answer->stage = END;
    return ANSWER_END;
}

static enum answer_step take(struct view *bytes, uint64_t max, struct view *ret_data) {
    if (!bytes->len || !ret_data) return ANSWER_MORE;
    size_t len = bytes->len < max ? bytes->len : (size_t)max;
    *ret_data = view_slice(*bytes, 0, len);
    *bytes = view_skip(*bytes, len);
    return ANSWER_DATA;
}

static enum answer_step read_length(struct local_answer *answer, struct view *bytes, struct view *ret_data) {
    if (answer->left == 0) return end(answer);
    enum answer_step step = take(bytes, answer->left, ret_data);
    if (step == ANSWER_DATA) answer->left -= ret_data->len;
    return step;
}

static enum answer_step read_chunked(struct local_answer *answer, struct view *bytes, struct view *ret_data) {
    switch (chunked_next(&answer->chunked, bytes, ret_data)) {
    case CHUNKED_MORE: return ANSWER_MORE;
    case CHUNKED_DATA: return ANSWER_DATA;
    case CHUNKED_END: return end(answer);
    case CHUNKED_TOO_LARGE: return bad(answer, "the service sent too large trailers or chunk extensions");
    case CHUNKED_MALFORMED: break;
    }
    return bad(answer, "the service sent malformed chunks");
}

enum answer_step local_answer_next(struct local_answer *answer, struct view *bytes, struct view *ret_data) {
    switch (answer->stage) {
    case HEAD: return read_head(answer, bytes);
    case BODY_LENGTH: return read_length(answer, bytes, ret_data);
    case BODY_CHUNKED: return read_chunked(answer, bytes, ret_data);
    case BODY_TO_CLOSE:
    case RAW: return take(bytes, UINT64_MAX, ret_data);
    case END: return ANSWER_END;
    default: return ANSWER_BAD;
    }
}

enum answer_step local_answer_eof(struct local_answer *answer) {
    switch (answer->stage) {
    case BODY_TO_CLOSE:
    case RAW: return end(answer);
    case BODY_LENGTH:
        if (answer->left == 0) return end(answer);
        break;
    case END: return ANSWER_END;
    case BAD: return ANSWER_BAD;
    default: break;
    }
    return bad(answer, answer->stage == HEAD ? "the service closed the connection without an answer"
                                             : "the service closed the connection within its answer");
}
