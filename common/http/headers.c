/* The header list: an array in an arena, outgrown arrays being left to the arena. A name and its value share
 * one allocation, and so do all fields that are copied together. */
#include "http/headers.h"

#include "http/chars.h"

#define FIRST_CAP 16
#define FIELD_OVERHEAD 4

void headers_init(struct headers *headers, struct arena *arena) {
    *headers = (struct headers){.arena = arena};
}

static size_t field_bytes(const struct header *field) {
    return field->name.len + field->value.len + FIELD_OVERHEAD;
}

static bool make_room(struct headers *headers, size_t count) {
    if (count <= headers->cap - headers->count) return true;
    size_t cap = headers->cap ? headers->cap * 2 : FIRST_CAP;
    while (cap < headers->count + count) cap *= 2;
    struct header *fields = arena_alloc(headers->arena, cap * sizeof(*fields));
    if (!fields) return false;
    if (headers->count) memcpy(fields, headers->fields, headers->count * sizeof(*fields));
    headers->fields = fields;
    headers->cap = cap;
    return true;
}

/* Bytes that a field takes in the arena. */
static size_t put_size(const struct header *field) {
    return field->name.len + field->value.len + 2;
}

/* Puts the name, which the caller has copied to `bytes`, and behind it the value. */
static void put(struct headers *headers, char *bytes, size_t name_len, struct view value) {
    char *copy = bytes + name_len + 1;
    bytes[name_len] = '\0';
    if (value.len) memcpy(copy, value.ptr, value.len);
    copy[value.len] = '\0';
    struct header *field = &headers->fields[headers->count++];
    *field = (struct header){.name = {bytes, name_len}, .value = {copy, value.len}};
    headers->bytes += field_bytes(field);
}

bool headers_add(struct headers *headers, struct view name, struct view value) {
    if (!make_room(headers, 1)) return false;
    char *bytes = arena_alloc(headers->arena, name.len + value.len + 2);
    if (!bytes) return false;
    http_lower_copy(bytes, name);
    put(headers, bytes, name.len, value);
    return true;
}

static struct header *find(const struct headers *headers, struct view name, size_t from) {
    for (size_t i = from; i < headers->count; i++)
        if (view_eq_nocase(headers->fields[i].name, name)) return &headers->fields[i];
    return NULL;
}

static size_t remove_from(struct headers *headers, struct view name, size_t from) {
    size_t kept = from, before = headers->count;
    for (size_t i = from; i < before; i++) {
        struct header field = headers->fields[i];
        if (view_eq_nocase(field.name, name))
            headers->bytes -= field_bytes(&field);
        else
            headers->fields[kept++] = field;
    }
    headers->count = kept;
    return before - kept;
}

bool headers_set(struct headers *headers, struct view name, struct view value) {
    struct header *field = find(headers, name, 0);
    if (!field) return headers_add(headers, name, value);
    struct view copy = arena_copy(headers->arena, value);
    if (!copy.ptr) return false;
    headers->bytes = headers->bytes - field->value.len + copy.len;
    field->value = copy;
    remove_from(headers, field->name, (size_t)(field - headers->fields) + 1);
    return true;
}

size_t headers_remove(struct headers *headers, struct view name) {
    struct header *first = find(headers, name, 0);
    return first ? remove_from(headers, name, (size_t)(first - headers->fields)) : 0;
}

size_t headers_remove_if(struct headers *headers, bool (*drop)(void *ctx, const struct header *field),
                         void *ctx) {
    size_t kept = 0, before = headers->count;
    for (size_t i = 0; i < before; i++) {
        const struct header *field = &headers->fields[i];
        if (drop(ctx, field)) {
            headers->bytes -= field_bytes(field);
            continue;
        }
        if (kept < i) headers->fields[kept] = *field;
        kept++;
    }
    headers->count = kept;
    return before - kept;
}

struct view headers_get(const struct headers *headers, struct view name) {
    for (size_t i = 0; i < headers->count; i++)
        if (view_eq(headers->fields[i].name, name)) return headers->fields[i].value;
    return (struct view){NULL, 0};
}

size_t headers_count(const struct headers *headers, struct view name) {
    size_t count = 0;
    for (size_t i = 0; i < headers->count; i++) count += view_eq(headers->fields[i].name, name);
    return count;
}

bool http_list_has(struct view list, struct view token) {
    struct view piece;
    while (view_split(&list, ',', &piece))
        if (view_eq_nocase(view_trim(piece), token)) return true;
    return false;
}

bool headers_has_token(const struct headers *headers, struct view name, struct view token) {
    for (size_t i = 0; i < headers->count; i++)
        if (view_eq(headers->fields[i].name, name) && http_list_has(headers->fields[i].value, token))
            return true;
    return false;
}

bool headers_copy(struct headers *to, const struct headers *from) {
    size_t count = from->count, size = 0;
    for (size_t i = 0; i < count; i++) size += put_size(&from->fields[i]);
    if (count == 0) return true;
    char *bytes = make_room(to, count) ? arena_alloc(to->arena, size) : NULL;
    if (!bytes) return false;
    for (size_t i = 0; i < count; i++) {
        const struct header *field = &from->fields[i];
        if (field->name.len) memcpy(bytes, field->name.ptr, field->name.len);
        put(to, bytes, field->name.len, field->value);
        bytes += put_size(field);
    }
    return true;
}

bool http_content_length(struct view value, uint64_t *ret_bytes) {
    uint64_t bytes;
    bool is_length = value.ptr && view_parse_u64(view_trim(value), &bytes) && bytes <= INT64_MAX;
    if (is_length) *ret_bytes = bytes;
    return is_length;
}
