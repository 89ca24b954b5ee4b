/* See shape.h: what functions answer to visitors' requests. */
#include <stdio.h>
#include <stdlib.h>

#include "apigw/shape.h"
#include "base/base64.h"
#include "http/chars.h"

static struct view text_of(const json_t *value) {
    return json_is_string(value) ? view_of(json_string_value(value), json_string_length(value))
                                 : (struct view){0};
}

/* Content-Length is made by API Gateway, Connection and the like belong to it. */
static bool is_ours(struct view name) {
    static const struct view names[] = {VIEW("content-length"), VIEW("transfer-encoding"), VIEW("connection"),
                                        VIEW("keep-alive"), VIEW("upgrade")};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (view_eq_nocase(name, names[i])) return true;
    return false;
}

static bool add(struct headers *headers, const char *name, const json_t *value) {
    char number[32];
    struct view text = text_of(value), key = view_from_cstr(name);
    if (json_is_integer(value)) {
        snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        text = view_from_cstr(number);
    } else if (json_is_boolean(value)) {
        text = json_is_true(value) ? VIEW("true") : VIEW("false");
    }
    if (!text.ptr || is_ours(key) || !http_is_token(key) || !http_is_field_value(view_trim(text)))
        return true;
    return headers_add(headers, key, text);
}

static bool add_all(struct headers *headers, const json_t *answer, bool is_payload_1) {
    const json_t *one = json_object_get(answer, "headers"),
                 *many = json_object_get(answer, "multiValueHeaders");
    const char *name;
    json_t *value, *item;
    size_t index;
    bool ok = true;
    if (!is_payload_1) many = NULL;
    json_object_foreach((json_t *)(uintptr_t)one, name, value) {
        if (!json_object_get(many, name)) ok = ok && add(headers, name, value);
    }
    json_object_foreach((json_t *)(uintptr_t)many, name, value) {
        json_array_foreach(value, index, item) ok = ok && add(headers, name, item);
    }
    const json_t *cookies = is_payload_1 ? NULL : json_object_get(answer, "cookies");
    json_array_foreach(cookies, index, item) ok = ok && add(headers, "set-cookie", item);
    return ok;
}

static bool read_body(struct shape_answer *answer, struct view text, bool is_base64) {
    char *bytes = malloc(is_base64 ? base64_decoded_max(text.len) : text.len + 1);
    size_t len = text.len;
    if (!bytes) return false;
    if (is_base64 && !base64_decode(text, bytes, &len)) {
        free(bytes);
        return false;
    }
    if (!is_base64 && len > 0) memcpy(bytes, text.ptr, len);
    answer->body = view_of(bytes, len);
    return true;
}

static bool read_shaped(const json_t *root, bool is_payload_1, struct shape_answer *answer) {
    const json_t *status = json_object_get(root, "statusCode");
    json_int_t code = json_is_string(status) ? (json_int_t)strtol(json_string_value(status), NULL, 10)
                                             : json_integer_value(status);
    if (code < 200 || code > 599 || !add_all(&answer->headers, root, is_payload_1)) return false;
    answer->status = (int)code;
    bool ok = read_body(answer, text_of(json_object_get(root, "body")),
                        json_is_true(json_object_get(root, "isBase64Encoded")));
    if (ok && answer->body.len > 0 && headers_count(&answer->headers, VIEW("content-type")) == 0)
        ok = headers_add(&answer->headers, VIEW("content-type"), VIEW("text/plain;charset=UTF-8"));
    return ok;
}

bool shape_answer_read(struct view text, bool is_payload_1, struct arena *arena,
                       struct shape_answer *answer) {
    json_t *root = json_loadb(text.len ? text.ptr : "", text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    *answer = (struct shape_answer){.status = 200};
    headers_init(&answer->headers, arena);
    bool ok = root != NULL;
    if (json_object_get(root, "statusCode"))
        ok = read_shaped(root, is_payload_1, answer);
    else if (ok && !is_payload_1) /* 2.0: anything else is the body itself */
        ok = headers_add(&answer->headers, VIEW("content-type"), VIEW("application/json")) &&
             read_body(answer, json_is_string(root) ? text_of(root) : text, false);
    else
        ok = false;
    if (!ok) shape_answer_done(answer);
    json_decref(root);
    return ok;
}

void shape_answer_done(struct shape_answer *answer) {
    free((char *)(uintptr_t)answer->body.ptr);
    answer->body = (struct view){0};
}
