/* See schema.h. */
#include "mcp/schema.h"

#include <stdio.h>
#include <string.h>

struct check {
    char *error;
    size_t error_size;
};

static bool wrong(const struct check *check, const char *name, const char *what) {
    snprintf(check->error, check->error_size, "%.100s %s", name, what);
    return false;
}

static bool is_of_type(const json_t *value, const char *type) {
    static const char *const names[] = {
        [JSON_OBJECT] = "object",   [JSON_ARRAY] = "array", [JSON_STRING] = "string",
        [JSON_INTEGER] = "integer", [JSON_REAL] = "number", [JSON_TRUE] = "boolean",
        [JSON_FALSE] = "boolean",   [JSON_NULL] = "null",
    };
    return strcmp(names[json_typeof(value)], type) == 0;
}

/* `type` is a name or a list of names. */
static bool has_type(const json_t *value, const json_t *type) {
    size_t i;
    const json_t *one;
    if (!type) return true;
    if (json_is_string(type)) return is_of_type(value, json_string_value(type));
    json_array_foreach(type, i, one) if (is_of_type(value, json_string_value(one))) return true;
    return false;
}

static void say_types(const json_t *type, char *out, size_t size) {
    char *names = json_dumps(type, JSON_ENCODE_ANY | JSON_COMPACT);
    snprintf(out, size, "must be of type %.60s", names ? names : "");
    free(names);
}

static bool check_number(const struct check *check, const json_t *schema, const json_t *value,
                         const char *name) {
    const json_t *least = json_object_get(schema, "minimum"), *most = json_object_get(schema, "maximum");
    json_int_t number = json_integer_value(value);
    char text[100];
    bool fits =
        (!least || number >= json_integer_value(least)) && (!most || number <= json_integer_value(most));
    if (!json_is_integer(value) || fits) return true;
    snprintf(text, sizeof(text), "must be from %lld to %lld", (long long)json_integer_value(least),
             (long long)json_integer_value(most));
    return wrong(check, name, text);
}

static bool check_enum(const struct check *check, const json_t *schema, const json_t *value,
                       const char *name) {
    const json_t *all = json_object_get(schema, "enum"), *one;
    size_t i;
    if (!all) return true;
    json_array_foreach(all, i, one) if (json_equal(one, value)) return true;
    return wrong(check, name, "is none of the values that there are");
}

static bool check_value(const struct check *check, const json_t *schema, const json_t *value,
                        const char *name) {
    const json_t *type = json_object_get(schema, "type"), *longest = json_object_get(schema, "maxLength");
    char text[100];
    if (!has_type(value, type)) {
        say_types(type, text, sizeof(text));
        return wrong(check, name, text);
    }
    if (longest && json_string_length(value) > (size_t)json_integer_value(longest))
        return wrong(check, name, "is too long");
    return check_number(check, schema, value, name) && check_enum(check, schema, value, name);
}

static bool check_members(const struct check *check, const json_t *schema, json_t *value) {
    const json_t *known = json_object_get(schema, "properties");
    const json_t *others = json_object_get(schema, "additionalProperties");
    const char *name;
    json_t *member;
    json_object_foreach(value, name, member) {
        const json_t *its = json_object_get(known, name);
        if (!its) its = others;
        if (json_is_false(its)) return wrong(check, name, "is no argument of this tool");
        if (!check_value(check, its, member, name)) return false;
        if (json_is_object(member) && !check_members(check, its, member)) return false;
    }
    return true;
}

bool schema_check(const json_t *schema, const json_t *value, char *error, size_t error_size) {
    struct check check = {error, error_size};
    const json_t *needed = json_object_get(schema, "required"), *name;
    size_t i;
    if (!check_value(&check, schema, value, "arguments")) return false;
    json_array_foreach(needed, i, name) if (!json_object_get(value, json_string_value(name))) return wrong(
        &check, json_string_value(name), "is needed");
    return check_members(&check, schema, (json_t *)(uintptr_t)value);
}
