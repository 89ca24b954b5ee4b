/* See differences.h. */
#include "mcp/differences.h"

#include <stdio.h>

#include "base/log.h"
#include "mcp/record_view.h"
#include "mcp/secrets.h"

#define SHOWN_BYTES 500u /* of a value */
#define WHERE_BYTES 400u
#define BODY_MAX ((size_t)2 * 1024 * 1024)
#define DEPTH_MAX 64u

struct differences {
    json_t *list;
    bool reveal, has_more;
};

/* Both are taken; NULL: that side has nothing there. */
static void add(struct differences *differences, const char *where, json_t *a, json_t *b) {
    bool fits = json_array_size(differences->list) < DIFFERENCES_MAX;
    json_t *one =
        fits ? json_pack("{s:s,s:o,s:o}", "where", where, "a", a ? a : json_null(), "b", b ? b : json_null())
             : NULL;
    if (one) json_array_append_new(differences->list, one);
    if (fits) return;
    differences->has_more = true;
    json_decref(a);
    json_decref(b);
}

/* ---- texts ---- */

/* Not within a character. */
static json_t *cut_text(struct view text) {
    text = view_slice(text, 0, SHOWN_BYTES);
    size_t len = text.len;
    json_t *string = NULL;
    while (!string && len + 4 > text.len && len > 0) string = json_stringn(text.ptr, len--);
    return string ? string : json_string("");
}

static json_t *shown(const struct differences *differences, struct view text) {
    struct buf out;
    buf_init(&out, BODY_MAX);
    text = view_slice(text, 0, SHOWN_BYTES);
    if (differences->reveal)
        buf_append_view(&out, text);
    else
        secrets_mask_text(&out, text);
    json_t *string = cut_text(buf_view(&out));
    buf_done(&out);
    return string;
}

static struct view text_of(const struct buf *room) {
    return room->len ? buf_view(room) : VIEW("");
}

/* A message, and its body without its coding. */
struct side {
    const json_t *message;
    struct view body;
};

/* The first line that differs; of texts that are the same where nothing is hidden, all that is to be said. */
static void compare_lines(struct differences *differences, const char *where, struct view a, struct view b) {
    struct view line_a, line_b;
    char place[WHERE_BYTES];
    for (unsigned number = 1; a.ptr || b.ptr; number++) {
        bool has_a = view_split(&a, '\n', &line_a), has_b = view_split(&b, '\n', &line_b);
        if (has_a && has_b && view_eq(line_a, line_b)) continue;
        snprintf(place, sizeof(place), "%s line %u", where, number);
        add(differences, place, has_a ? cut_text(line_a) : NULL, has_b ? cut_text(line_b) : NULL);
        return;
    }
    add(differences, where, json_string(SECRET_SHOWN), json_string(SECRET_SHOWN));
}

/* Secrets are hidden in the whole, since what is one may be told by another line, or by the body's type. */
static void compare_texts(struct differences *differences, const char *where, const struct side sides[2]) {
    struct buf masked[2];
    bool good = true;
    for (int i = 0; i < 2; i++) {
        buf_init(&masked[i], BODY_MAX);
        good = good && (differences->reveal ? buf_append_view(&masked[i], sides[i].body)
                                            : record_view_mask(sides[i].message, sides[i].body, &masked[i]));
    }
    if (good) compare_lines(differences, where, text_of(&masked[0]), text_of(&masked[1]));
    for (int i = 0; i < 2; i++) buf_done(&masked[i]);
}

static void compare_bytes(struct differences *differences, const char *where, struct view a, struct view b) {
    char said[2][100];
    size_t at = 0;
    while (at < a.len && at < b.len && a.ptr[at] == b.ptr[at]) at++;
    snprintf(said[0], sizeof(said[0]), "%zu bytes, differing from byte %zu on", a.len, at);
    snprintf(said[1], sizeof(said[1]), "%zu bytes", b.len);
    add(differences, where, json_string(said[0]), json_string(said[1]));
}

/* ---- JSON ---- */

static bool hides(const struct differences *differences, const char *name) {
    return !differences->reveal && log_is_secret_name(view_from_cstr(name), false);
}

/* A value to be shown: short ones as they are, others as the begin of their text. */
static json_t *cut(const struct differences *differences, json_t *value) {
    char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    json_t *said = !text ? NULL
                   : json_is_object(value) || json_is_array(value) || strlen(text) > SHOWN_BYTES
                       ? shown(differences, view_from_cstr(text))
                       : json_incref(value);
    free(text);
    return said;
}

static void compare_json(struct differences *differences, const char *where, json_t *a, json_t *b,
                         unsigned depth);

static void compare_member(struct differences *differences, const char *where, const char *name, json_t *a,
                           json_t *b, unsigned depth) {
    char place[WHERE_BYTES];
    if (json_equal(a, b)) return;
    snprintf(place, sizeof(place), "%s.%.100s", where, name);
    if (!hides(differences, name))
        compare_json(differences, place, a, b, depth);
    else
        add(differences, place, a ? json_string(SECRET_SHOWN) : NULL, b ? json_string(SECRET_SHOWN) : NULL);
}

static void compare_objects(struct differences *differences, const char *where, json_t *a, json_t *b,
                            unsigned depth) {
    const char *name;
    json_t *value;
    json_object_foreach(a, name, value)
        compare_member(differences, where, name, value, json_object_get(b, name), depth);
    json_object_foreach(b, name, value) if (!json_object_get(a, name))
        compare_member(differences, where, name, NULL, value, depth);
}

static void compare_arrays(struct differences *differences, const char *where, json_t *a, json_t *b,
                           unsigned depth) {
    size_t count = json_array_size(a) > json_array_size(b) ? json_array_size(a) : json_array_size(b);
    char place[WHERE_BYTES];
    for (size_t i = 0; i < count && !differences->has_more; i++) {
        json_t *one = json_array_get(a, i), *other = json_array_get(b, i);
        if (one && other && json_equal(one, other)) continue;
        snprintf(place, sizeof(place), "%s[%zu]", where, i);
        compare_json(differences, place, one, other, depth);
    }
}

static void compare_json(struct differences *differences, const char *where, json_t *a, json_t *b,
                         unsigned depth) {
    bool is_deep = depth >= DEPTH_MAX;
    if (!is_deep && json_is_object(a) && json_is_object(b))
        compare_objects(differences, where, a, b, depth + 1);
    else if (!is_deep && json_is_array(a) && json_is_array(b))
        compare_arrays(differences, where, a, b, depth + 1);
    else
        add(differences, where, cut(differences, a), cut(differences, b));
}

/* ---- messages ---- */

static struct side side_of(const json_t *message, struct buf *room) {
    buf_init(room, BODY_MAX);
    record_view_body(message, room);
    return (struct side){message, text_of(room)};
}

/* False: they are not both JSON. */
static bool compare_as_json(struct differences *differences, const char *where, struct view a,
                            struct view b) {
    json_t *one = json_loadb(a.ptr, a.len, 0, NULL), *other = json_loadb(b.ptr, b.len, 0, NULL);
    bool are_json = one && other;
    if (are_json && !json_equal(one, other)) compare_json(differences, where, one, other, 0);
    json_decref(one);
    json_decref(other);
    return are_json;
}

static void compare_bodies(struct differences *differences, const char *where, const json_t *a,
                           const json_t *b) {
    struct buf rooms[2];
    struct side sides[2] = {side_of(a, &rooms[0]), side_of(b, &rooms[1])};
    struct view one = sides[0].body, other = sides[1].body;
    bool are_text = record_view_is_text(one, true) && record_view_is_text(other, true);
    if (!view_eq(one, other) && !compare_as_json(differences, where, one, other)) {
        if (are_text)
            compare_texts(differences, where, sides);
        else
            compare_bytes(differences, where, one, other);
    }
    buf_done(&rooms[0]);
    buf_done(&rooms[1]);
}

/* What is another each time. */
static bool is_noise(const char *name) {
    static const char *const names[] = {"date", "x-request-id", "traceparent", "age"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

static json_t *field_shown(const struct differences *differences, const char *name, const char *value) {
    return value ? record_view_field(name, value, differences->reveal) : NULL;
}

static void compare_field(struct differences *differences, const char *where, const char *name, const char *a,
                          const char *b) {
    char place[WHERE_BYTES];
    if (is_noise(name) || (a && b && strcmp(a, b) == 0)) return;
    snprintf(place, sizeof(place), "%s.headers.%.200s", where, name);
    add(differences, place, field_shown(differences, name, a), field_shown(differences, name, b));
}

/* The first of each name; a name that one side lacks is met from the other. */
static void compare_fields(struct differences *differences, const char *where, const json_t *a,
                           const json_t *b) {
    const json_t *field;
    size_t i;
    json_array_foreach(json_object_get(a, "fields"), i, field) {
        const char *name = json_string_value(json_array_get(field, 0));
        const char *value = json_string_value(json_array_get(field, 1));
        if (name && value && record_view_get(a, name) == value)
            compare_field(differences, where, name, value, record_view_get(b, name));
    }
    json_array_foreach(json_object_get(b, "fields"), i, field) {
        const char *name = json_string_value(json_array_get(field, 0));
        const char *value = json_string_value(json_array_get(field, 1));
        if (name && value && !record_view_get(a, name) && record_view_get(b, name) == value)
            compare_field(differences, where, name, NULL, value);
    }
}

static void compare_text(struct differences *differences, const char *where, const char *key, const json_t *a,
                         const json_t *b) {
    const json_t *one = json_object_get(a, key), *other = json_object_get(b, key);
    const char *texts[2] = {json_string_value(one), json_string_value(other)};
    if ((!one && !other) || (one && other && json_equal(one, other))) return;
    if (json_is_integer(one) || json_is_integer(other))
        add(differences, where, json_incref((json_t *)(uintptr_t)one),
            json_incref((json_t *)(uintptr_t)other));
    else
        add(differences, where, texts[0] ? record_view_target(texts[0], differences->reveal) : NULL,
            texts[1] ? record_view_target(texts[1], differences->reveal) : NULL);
}

json_t *differences_of(const json_t *a, const json_t *b, bool reveal) {
    struct differences differences = {.list = json_array(), .reveal = reveal};
    const json_t *request[2] = {json_object_get(a, "request"), json_object_get(b, "request")};
    const json_t *response[2] = {json_object_get(a, "response"), json_object_get(b, "response")};
    compare_text(&differences, "request.method", "method", request[0], request[1]);
    compare_text(&differences, "request.path", "uri", request[0], request[1]);
    compare_fields(&differences, "request", request[0], request[1]);
    compare_bodies(&differences, "request.body", request[0], request[1]);
    compare_text(&differences, "status", "visitor_status", a, b);
    compare_text(&differences, "error", "error", a, b);
    compare_text(&differences, "response.status", "status_code", response[0], response[1]);
    compare_fields(&differences, "response", response[0], response[1]);
    compare_bodies(&differences, "response.body", response[0], response[1]);
    bool is_same = json_array_size(differences.list) == 0;
    json_t *out = json_pack("{s:O*,s:O*,s:b,s:o}", "a", json_object_get(a, "id"), "b",
                            json_object_get(b, "id"), "same", is_same, "differences", differences.list);
    if (out && differences.has_more) json_object_set_new(out, "more", json_true());
    return out;
}
