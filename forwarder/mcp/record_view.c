/* See record_view.h. */
#include "mcp/record_view.h"

#include "base/base64.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/utf8.h"
#include "mcp/secrets.h"

#define TEXT_MAX ((size_t)2 * 1024 * 1024)
#define PARAMETERS_MAX 200u

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static json_t *string_of(struct view v) {
    return json_stringn(v.ptr ? v.ptr : "", v.len);
}

static void copy(json_t *to, const char *name, const json_t *from, const char *its_name) {
    json_t *value = json_object_get(from, its_name);
    if (value && !json_is_null(value)) json_object_set(to, name, value);
}

static json_t *taken(struct buf *out) {
    json_t *text = out->failed ? NULL : string_of(buf_view(out));
    buf_done(out);
    return text ? text : json_string(SECRET_SHOWN);
}

/* ---- targets, fields ---- */

json_t *record_view_target(const char *target, bool reveal) {
    struct buf out;
    if (reveal) return json_string(target);
    buf_init(&out, TEXT_MAX);
    log_redact_target(&out, view_from_cstr(target));
    return taken(&out);
}

json_t *record_view_field(const char *name, const char *value, bool reveal) {
    struct view its = view_from_cstr(name);
    if (!reveal && secrets_is_field(its)) return json_string(SECRET_SHOWN);
    return record_view_target(value, reveal || !secrets_is_url_field(its));
}

const char *record_view_get(const json_t *message, const char *name) {
    const json_t *fields = json_object_get(message, "fields"), *field;
    size_t i;
    json_array_foreach(fields, i, field) {
        const char *its = json_string_value(json_array_get(field, 0));
        if (its && strcmp(its, name) == 0) return json_string_value(json_array_get(field, 1));
    }
    return NULL;
}

static json_t *view_fields(const json_t *message, bool reveal) {
    const json_t *field;
    json_t *fields = json_array();
    size_t i;
    json_array_foreach(json_object_get(message, "fields"), i, field) {
        const char *name = json_string_value(json_array_get(field, 0));
        const char *value = json_string_value(json_array_get(field, 1));
        if (name && value)
            json_array_append_new(fields, json_pack("[s,o]", name, record_view_field(name, value, reveal)));
    }
    return fields;
}

/* ---- parameters ---- */

/* "%41+b" as "A b". */
static bool decode(struct buf *out, struct view text) {
    for (size_t i = 0; i < text.len; i++) {
        int byte = percent_byte(view_skip(text, i));
        char plain = text.ptr[i] == '+' ? ' ' : text.ptr[i];
        if (!buf_append_byte(out, byte < 0 ? plain : (char)byte)) return false;
        if (byte >= 0) i += 2;
    }
    return true;
}

/* Decoded; as it came where that is no UTF-8. */
static json_t *decoded(struct view text) {
    struct buf out;
    buf_init(&out, TEXT_MAX);
    json_t *string = decode(&out, text) ? string_of(buf_view(&out)) : NULL;
    buf_done(&out);
    return string ? string : string_of(text);
}

static json_t *parameter(struct view piece, bool reveal) {
    size_t equals = view_find(piece, '=');
    json_t *name = decoded(view_slice(piece, 0, equals));
    json_t *value = decoded(view_skip(piece, equals + 1));
    struct view plain = view_of(json_string_value(name), json_string_length(name));
    if (!reveal && log_is_secret_name(plain, true)) {
        json_decref(value);
        value = json_string(SECRET_SHOWN);
    }
    return json_pack("[o,o]", name, value);
}

/* [[name, value], …] */
static json_t *parameters(struct view text, bool reveal) {
    json_t *all = json_array();
    struct view piece;
    while (json_array_size(all) < PARAMETERS_MAX && view_split(&text, '&', &piece))
        if (piece.len) json_array_append_new(all, parameter(piece, reveal));
    return all;
}

/* ---- bodies ---- */

bool record_view_body(const json_t *message, struct buf *out) {
    const json_t *decoded_one = json_object_get(message, "decoded");
    const json_t *encoded = decoded_one ? decoded_one : json_object_get(message, "body");
    struct view text = view_of(json_string_value(encoded), json_string_length(encoded));
    size_t len;
    char *room = text.len ? buf_reserve(out, base64_decoded_max(text.len)) : NULL;
    if (!room || !base64_decode(text, room, &len)) return false;
    buf_commit(out, len);
    return len > 0;
}

bool record_view_is_text(struct view body, bool may_be_cut) {
    struct utf8_check check = {0};
    for (size_t i = 0; i < body.len; i++) {
        unsigned char c = (unsigned char)body.ptr[i];
        if ((c < 0x20 && !strchr("\t\n\r\f\x1b", c)) || c == 0) return false;
    }
    return utf8_check(&check, body.ptr, body.len) && (may_be_cut || utf8_is_whole(&check));
}

static bool is_inside(char c) {
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* What is wished of it, not cut within a character. */
static struct view piece_of(struct view text, const struct record_wish *wish, bool is_text) {
    size_t from = wish->offset < text.len ? wish->offset : text.len;
    size_t to = wish->limit < text.len - from ? from + wish->limit : text.len;
    while (is_text && from < to && is_inside(text.ptr[from])) from++;
    while (is_text && to < text.len && to > from && is_inside(text.ptr[to])) to--;
    return view_slice(text, from, to);
}

/* A character that is not whole at the very end cannot be said. */
static struct view whole_characters(struct view text) {
    size_t end = text.len, at = text.len;
    uint32_t code;
    while (at > 0 && text.len - at < 4 && is_inside(text.ptr[at - 1])) at--;
    if (at > 0 && !utf8_next((const unsigned char *)text.ptr + at - 1, text.len - at + 1, &code))
        end = at - 1;
    return view_slice(text, 0, end);
}

static void add_piece(json_t *body, struct view all, const struct record_wish *wish, bool is_text) {
    struct view piece = piece_of(all, wish, is_text);
    size_t end = (size_t)(piece.ptr - all.ptr) + piece.len;
    if (is_text) {
        json_object_set_new(body, "text", string_of(piece));
    } else {
        char *room = malloc(base64_encoded_len(piece.len) + 1);
        if (room) json_object_set_new(body, "base64", json_stringn(room, base64_encode(piece, room)));
        free(room);
    }
    if (end < all.len) json_object_set_new(body, "next_offset", json_integer((json_int_t)end));
}

static bool is_form(const json_t *message) {
    const char *type = record_view_get(message, "content-type");
    return type && strncasecmp(type, "application/x-www-form-urlencoded", 33) == 0;
}

bool record_view_mask(const json_t *message, struct view text, struct buf *out) {
    return is_form(message) ? secrets_mask_form(out, text) : secrets_mask_text(out, text);
}

static void add_text(json_t *body, struct view text, const json_t *message, const struct record_wish *wish) {
    struct buf masked;
    buf_init(&masked, TEXT_MAX);
    text = whole_characters(text);
    if (is_form(message)) json_object_set_new(body, "form", parameters(text, wish->reveal));
    if (wish->reveal)
        add_piece(body, text, wish, true);
    else if (record_view_mask(message, text, &masked))
        add_piece(body, buf_view(&masked), wish, true);
    buf_done(&masked);
}

/* True: it is not all of the body. */
static bool note_what_lacks(json_t *body, const json_t *message, size_t len) {
    const json_t *is_whole = json_object_get(message, "decoded_whole");
    bool is_cut = is_whole ? !json_is_true(is_whole)
                           : (json_int_t)len < json_integer_value(json_object_get(message, "body_bytes"));
    if (is_whole) json_object_set_new(body, "decoded_bytes", json_integer((json_int_t)len));
    if (is_cut) json_object_set_new(body, "kept", json_integer((json_int_t)len));
    return is_cut;
}

static json_t *view_body(const json_t *message, const struct record_wish *wish) {
    json_t *body = json_object();
    const char *type = record_view_get(message, "content-type");
    const char *coding = record_view_get(message, "content-encoding");
    struct buf kept;
    buf_init(&kept, TEXT_MAX);
    copy(body, "bytes", message, "body_bytes");
    if (type) json_object_set_new(body, "type", json_string(type));
    if (coding) json_object_set_new(body, "encoding", json_string(coding));
    if (record_view_body(message, &kept)) {
        struct view all = buf_view(&kept);
        bool is_cut = note_what_lacks(body, message, all.len);
        if (record_view_is_text(all, is_cut))
            add_text(body, all, message, wish);
        else
            add_piece(body, all, wish, false);
    }
    buf_done(&kept);
    return body;
}

/* ---- the whole ---- */

static json_t *view_common(const json_t *record) {
    json_t *out = json_object();
    copy(out, "id", record, "id");
    copy(out, "tunnel", record, "tunnel_name");
    copy(out, "status", record, "visitor_status");
    copy(out, "ended", record, "ended");
    copy(out, "start", record, "start");
    copy(out, "error", record, "error");
    copy(out, "replay_of", record, "replay_of");
    copy(out, "first_byte_ms", record, "first_byte_ms");
    json_int_t nanoseconds = json_integer_value(json_object_get(record, "duration"));
    json_object_set_new(out, "duration_ms", json_integer(nanoseconds / 1000000));
    return out;
}

json_t *record_view_line(const json_t *line, bool reveal) {
    json_t *out = view_common(line);
    copy(out, "method", line, "method");
    json_object_set_new(out, "path", record_view_target(text_of(line, "path"), reveal));
    copy(out, "request_bytes", line, "request_bytes");
    copy(out, "response_bytes", line, "response_bytes");
    return out;
}

json_t *record_view_lines(const json_t *answer, bool reveal) {
    json_t *lines = json_array();
    const json_t *line;
    size_t i;
    json_array_foreach(json_object_get(answer, "requests"), i, line)
        json_array_append_new(lines, record_view_line(line, reveal));
    return lines;
}

static json_t *view_request(const json_t *request, const struct record_wish *wish) {
    const char *target = text_of(request, "uri");
    struct view query = view_from_cstr(target);
    query = view_skip(query, view_find(query, '?') + 1);
    return json_pack("{s:s,s:o,s:o,s:o,s:o}", "method", text_of(request, "method"), "path",
                     record_view_target(target, wish->reveal), "query", parameters(query, wish->reveal),
                     "headers", view_fields(request, wish->reveal), "body", view_body(request, wish));
}

static json_t *view_response(const json_t *response, const struct record_wish *wish) {
    json_int_t status = json_integer_value(json_object_get(response, "status_code"));
    return json_pack("{s:I,s:o,s:o}", "status", status, "headers", view_fields(response, wish->reveal),
                     "body", view_body(response, wish));
}

json_t *record_view(const json_t *record, const struct record_wish *wish) {
    const json_t *response = json_object_get(record, "response");
    json_t *out = view_common(record);
    copy(out, "visitor", record, "remote_addr");
    copy(out, "detail", record, "detail");
    copy(out, "repeatable", record, "repeatable");
    json_object_set_new(out, "request", view_request(json_object_get(record, "request"), wish));
    if (response) json_object_set_new(out, "response", view_response(response, wish));
    return out;
}
