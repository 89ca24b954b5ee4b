/* See shape.h: what the shapes have in common. */
#include "apigw/shape.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "apigw/trace_id.h"
#include "base/base64.h"
#include "base/hex.h"
#include "base/ids.h"
#include "http/hop.h"

void shape_id(char out[SHAPE_ID_MAX]) {
    unsigned char bytes[11];
    ids_random(bytes, sizeof(bytes));
    size_t len = base64url_encode(view_of(bytes, sizeof(bytes)), out);
    out[len] = '=';
    out[len + 1] = '\0';
}

struct view shape_behind_stage(const struct shape_api *api, struct view path) {
    struct view stage = view_from_cstr(api->stage), rest = view_skip(path, 1);
    if (api->has_custom_domain) return path;
    bool is_named = view_starts_with(rest, stage) && (rest.len == stage.len || rest.ptr[stage.len] == '/');
    if (is_named) return view_skip(rest, stage.len);
    return view_eq(stage, VIEW("$default")) ? path : (struct view){0};
}

static json_t *latin_1(struct view v) {
    struct buf text;
    buf_init(&text, v.len * 2);
    for (size_t i = 0; i < v.len; i++) {
        unsigned char byte = (unsigned char)v.ptr[i];
        if (byte >= 0x80) buf_append_byte(&text, (char)(0xc0 | byte >> 6));
        buf_append_byte(&text, byte < 0x80 ? v.ptr[i] : (char)(0x80 | (byte & 0x3f)));
    }
    json_t *value = text.failed ? NULL : json_stringn(buf_view(&text).ptr, text.len);
    buf_done(&text);
    return value;
}

static bool is_utf8(struct view v) {
    json_t *value = json_stringn(v.len ? v.ptr : "", v.len);
    json_decref(value);
    return value != NULL;
}

json_t *shape_text(struct view v) {
    if (v.len == 0) return json_string("");
    json_t *value = json_stringn(v.ptr, v.len);
    return value ? value : latin_1(v);
}

json_t *shape_decoded(struct view v, bool plus_is_space) {
    char *out = malloc(v.len + 1);
    size_t len = 0;
    if (!out) return NULL;
    for (size_t i = 0; i < v.len; i++) {
        int byte = percent_byte(view_skip(v, i));
        char plain = plus_is_space && v.ptr[i] == '+' ? ' ' : v.ptr[i];
        out[len++] = byte < 0 ? plain : (char)byte;
        if (byte >= 0) i += 2;
    }
    json_t *value = memchr(out, 0, len) ? NULL : json_stringn(out, len);
    free(out);
    return value ? value : shape_text(v);
}

void shape_add(json_t *object, const char *name, json_t *value, enum shape_repeats repeats) {
    json_t *before = json_object_get(object, name);
    if (repeats == REPEATS_LIST) {
        if (!before) json_object_set_new(object, name, before = json_array());
        json_array_append_new(before, value);
    } else if (before && repeats == REPEATS_JOIN) {
        json_object_set_new(object, name,
                            json_sprintf("%s,%s", json_string_value(before), json_string_value(value)));
        json_decref(value);
    } else if (before && repeats == REPEATS_FIRST) {
        json_decref(value);
    } else {
        json_object_set_new(object, name, value);
    }
}

json_t *shape_query(struct view query, enum shape_repeats repeats) {
    json_t *object = json_object();
    struct view piece;
    while (view_split(&query, '&', &piece)) {
        if (piece.len == 0) continue;
        size_t equals = view_find(piece, '=');
        json_t *name = shape_decoded(view_slice(piece, 0, equals), true);
        json_t *value = shape_decoded(view_skip(piece, equals + 1), true);
        if (name && value)
            shape_add(object, json_string_value(name), value, repeats);
        else
            json_decref(value);
        json_decref(name);
    }
    return object;
}

json_t *shape_clf_time(uint64_t ms) {
    char text[40];
    time_t now = (time_t)(ms / 1000);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(text, sizeof(text), "%d/%b/%Y:%H:%M:%S +0000", &utc);
    return json_string(text);
}

bool shape_is_text(struct view content_type, struct view body) {
    static const struct view texts[] = {VIEW("application/json"), VIEW("application/javascript"),
                                        VIEW("application/xml")};
    struct view type = view_trim(view_slice(content_type, 0, view_find(content_type, ';')));
    bool is_text = view_eq_nocase(view_slice(type, 0, 5), VIEW("text/"));
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        is_text = is_text || view_eq_nocase(type, texts[i]);
    return is_text && !memchr(body.len ? body.ptr : "", 0, body.len) && is_utf8(body);
}

bool shape_forwarded(struct headers *out, const struct shape_api *api, const struct shape_request *request) {
    struct view before = headers_get(out, VIEW("x-forwarded-for"));
    struct arena *arena = out->arena;
    struct view from = before.len
                           ? arena_printf(arena, "%.*s, %.*s", VIEW_ARG(before), VIEW_ARG(request->client))
                           : request->client;
    char trace[TRACE_ID_MAX];
    trace_id_root(trace, request->now_ms);
    return headers_set(out, VIEW("x-forwarded-for"), from) &&
           headers_set(out, VIEW("x-forwarded-port"), arena_printf(arena, "%u", api->port)) &&
           headers_set(out, VIEW("x-forwarded-proto"), VIEW("http")) &&
           headers_set(out, VIEW("x-amzn-trace-id"), view_from_cstr(trace));
}
