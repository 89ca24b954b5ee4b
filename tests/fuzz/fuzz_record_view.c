/* libFuzzer target: what ttf mcp shows of a recorded request, and what differs between two. Lines of the
 * input: the target, the content type, the body's length as text of a field; then the body. What is shown is
 * JSON, the pieces of a text body are the whole of it, and no piece is longer than was asked for. */
#include <jansson.h>

#include "base/base64.h"
#include "fuzz.h"
#include "mcp/differences.h"
#include "mcp/record_view.h"

static json_t *string_of(struct view v) {
    json_t *text = json_stringn(v.ptr ? v.ptr : "", v.len);
    return text ? text : json_string("no utf-8");
}

static json_t *message_of(struct view type, struct view field, struct view body) {
    char *coded = malloc(base64_encoded_len(body.len) + 1);
    require(coded != NULL);
    json_t *text = json_stringn(coded, base64_encode(body, coded));
    free(coded);
    json_t *message = json_pack("{s:[[s,o],[s,o],[s,o]],s:I,s:o}", "fields", "content-type", string_of(type),
                                "location", string_of(field), "x-token", string_of(field), "body_bytes",
                                (json_int_t)body.len, "body", text);
    require(message != NULL);
    if (field.len % 4 == 3) { /* of a coding that the agent has decoded */
        json_object_set(message, "decoded", text);
        json_object_set_new(message, "decoded_whole", json_boolean(field.len % 8 == 3));
        json_array_append_new(json_object_get(message, "fields"),
                              json_pack("[s,s]", "content-encoding", "gzip"));
    }
    return message;
}

static json_t *record_of(struct view target, struct view type, struct view field, struct view body) {
    json_t *request = message_of(type, field, body), *response = message_of(type, target, body);
    json_object_set_new(request, "uri", string_of(target));
    json_object_set_new(request, "method", json_string("POST"));
    json_object_set_new(response, "status_code", json_integer(200));
    json_object_set(response, "decoded",
                    json_object_get(request, "body")); /* as if it were of another length */
    json_object_set_new(response, "decoded_whole", json_boolean(body.len % 2));
    json_object_set_new(response, "body", json_string("AA=="));
    return json_pack("{s:s,s:s,s:i,s:b,s:o,s:o}", "id", "1", "tunnel_name", "web", "visitor_status", 200,
                     "ended", 1, "request", request, "response", response);
}

/* The text of the request's body from there on; *ret_next: where it goes on, 0: it has ended. */
static size_t piece(const json_t *record, const struct record_wish *wish, size_t *ret_next) {
    json_t *shown = record_view(record, wish);
    require(shown != NULL);
    const json_t *body = json_object_get(json_object_get(shown, "request"), "body");
    const json_t *text = json_object_get(body, "text");
    size_t len = json_string_length(text);
    *ret_next = (size_t)json_integer_value(json_object_get(body, "next_offset"));
    require(len <= wish->limit);
    require(!*ret_next || *ret_next > wish->offset || !text);
    if (!text) *ret_next = 0;
    json_decref(shown);
    return len;
}

static void show(const json_t *record, bool reveal) {
    struct record_wish whole = {.limit = 1 << 20, .reveal = reveal}, part = {.limit = 61, .reveal = reveal};
    size_t next, sum = 0, all = piece(record, &whole, &next);
    require(next == 0);
    do {
        sum += piece(record, &part, &next);
        part.offset = next;
    } while (next);
    require(sum == all || !all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct view rest = view_of(data, size);
    struct view target = take_line(&rest), type = take_line(&rest), field = take_line(&rest);
    json_t *a = record_of(target, type, field, rest),
           *b = record_of(target, type, type, view_skip(rest, rest.len / 2));
    show(a, false);
    show(a, true);
    for (int reveal = 0; reveal < 2; reveal++) {
        json_t *found = differences_of(a, b, reveal), *none = differences_of(a, a, reveal);
        require(found && json_is_true(json_object_get(none, "same")));
        require(json_array_size(json_object_get(found, "differences")) <= DIFFERENCES_MAX);
        json_decref(found);
        json_decref(none);
    }
    json_decref(a);
    json_decref(b);
    return 0;
}
