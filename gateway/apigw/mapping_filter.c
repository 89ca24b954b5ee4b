/* See mapping_filter.h. */
#include "apigw/mapping_filter.h"

#include "base/view.h"

/* A rule that is an object: its one name, and what stands there. */
struct operation {
    const char *name;
    json_t *operand;
};

static struct operation operation_of(const json_t *rule) {
    void *at = json_object_iter((json_t *)(uintptr_t)rule);
    return (struct operation){json_object_iter_key(at), json_object_iter_value(at)};
}

static bool is_named(const struct operation *operation, const char *name) {
    return view_eq(view_from_cstr(operation->name), view_from_cstr(name));
}

static bool is_plain(const json_t *value) {
    return !json_is_object(value) && !json_is_array(value);
}

static struct view text_of(const json_t *value) {
    return view_of(json_string_value(value), json_string_length(value));
}

/* ---- is it one? ---- */

static const char *operation_problem(const json_t *rule) {
    static const char *const texts[] = {"prefix", "suffix", "equals-ignore-case"};
    const struct operation operation = operation_of(rule);
    json_t *item;
    size_t index;
    if (json_object_size(rule) != 1) return "a rule of the filter has not exactly one name";
    if (is_named(&operation, "exists"))
        return json_is_boolean(operation.operand) ? NULL : "\"exists\" is neither true nor false";
    if (is_named(&operation, "anything-but")) {
        json_array_foreach(operation.operand, index,
                           item) if (!is_plain(item)) return "\"anything-but\" is no list of values";
        return json_is_object(operation.operand) ? "\"anything-but\" is no list of values" : NULL;
    }
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (is_named(&operation, texts[i]))
            return json_is_string(operation.operand) ? NULL : "a rule of the filter has no text";
    return "a rule of the filter is none of prefix, suffix, equals-ignore-case, exists, anything-but";
}

static const char *leaf_problem(const json_t *rules) {
    json_t *rule;
    size_t index;
    if (json_array_size(rules) == 0) return "the filter has a leaf that is no list of values";
    json_array_foreach(rules, index, rule) {
        const char *problem = json_is_object(rule)  ? operation_problem(rule)
                              : json_is_array(rule) ? "the filter has a list in a list"
                                                    : NULL;
        if (problem) return problem;
    }
    return NULL;
}

const char *mapping_filter_problem(const json_t *pattern) {
    const char *name;
    json_t *wanted;
    if (!json_is_object(pattern)) return "the filter is no JSON object";
    json_object_foreach((json_t *)(uintptr_t)pattern, name, wanted) {
        const char *problem = json_is_object(wanted) ? mapping_filter_problem(wanted) : leaf_problem(wanted);
        if (problem) return problem;
    }
    return NULL;
}

/* ---- does it fit? ---- */

static bool is_among(const json_t *values, const json_t *value) {
    json_t *item;
    size_t index;
    json_array_foreach(values, index, item) if (json_equal(item, value)) return true;
    return json_is_array(values) ? false : json_equal(values, value);
}

static bool operation_fits(const json_t *rule, const json_t *value) {
    const struct operation operation = operation_of(rule);
    struct view text = text_of(value), operand = text_of(operation.operand);
    if (is_named(&operation, "exists")) return (value != NULL) == json_is_true(operation.operand);
    if (is_named(&operation, "anything-but")) return value && !is_among(operation.operand, value);
    if (!json_is_string(value)) return false;
    if (is_named(&operation, "prefix")) return view_starts_with(text, operand);
    if (is_named(&operation, "suffix")) return view_ends_with(text, operand);
    return view_eq_nocase(text, operand);
}

/* Where the record has a list, one of it has to fit. */
static bool rule_fits(const json_t *rule, const json_t *value) {
    json_t *item;
    size_t index;
    json_array_foreach((json_t *)(uintptr_t)value, index, item) if (rule_fits(rule, item)) return true;
    if (json_is_object(rule)) return operation_fits(rule, value);
    return value && json_equal(rule, value);
}

static bool leaf_fits(const json_t *rules, const json_t *value) {
    json_t *rule;
    size_t index;
    json_array_foreach(rules, index, rule) if (rule_fits(rule, value)) return true;
    return false;
}

bool mapping_filter_matches(const json_t *pattern, const json_t *record) {
    const char *name;
    json_t *wanted;
    json_object_foreach((json_t *)(uintptr_t)pattern, name, wanted) {
        const json_t *value = json_object_get(record, name); /* NULL: absent, which some rules want */
        if (!(json_is_object(wanted) ? mapping_filter_matches(wanted, value) : leaf_fits(wanted, value)))
            return false;
    }
    return true;
}
