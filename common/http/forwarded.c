/* See forwarded.h. */
#include "http/forwarded.h"

#include "base/buf.h"
#include "http/hop.h"

#define FOLDED_MAX 64
#define LITERAL(text)                                                                                        \
    { text, sizeof(text) - 1 }

static bool has_prefix(struct view name, struct view prefix) {
    return name.len > prefix.len && view_eq_nocase(view_slice(name, 0, prefix.len), prefix);
}

/* Names are in lower case. */
static bool says_who(struct view name) {
    static const struct view list[] = {
        LITERAL("forwarded"),        LITERAL("x-real-ip"),        LITERAL("true-client-ip"),
        LITERAL("x-original-url"),   LITERAL("x-rewrite-url"),    LITERAL("client-ip"),
        LITERAL("x-client-ip"),      LITERAL("x-original-host"),  LITERAL("x-cluster-client-ip"),
        LITERAL("cf-connecting-ip"), LITERAL("fastly-client-ip"), LITERAL("x-original-forwarded-for"),
    };
    if (has_prefix(name, VIEW("x-forwarded-"))) return true;
    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
        if (view_eq(name, list[i])) return true;
    return false;
}

static bool folds_into_ours(struct view name) {
    char text[FOLDED_MAX];
    if (name.len > sizeof(text) || view_find(name, '_') == name.len) return false;
    for (size_t i = 0; i < name.len; i++) text[i] = name.ptr[i] == '_' ? '-' : name.ptr[i];
    struct view folded = view_of(text, name.len);
    return says_who(folded) || hop_decides(folded);
}

struct strip {
    bool is_proxy;
    const struct view *keep;
    size_t keep_count;
};

static bool drop(void *ctx, const struct header *field) {
    const struct strip *strip = ctx;
    if (view_eq(field->name, VIEW("proxy")) || folds_into_ours(field->name)) return true;
    if (strip->is_proxy || !says_who(field->name)) return false;
    for (size_t i = 0; i < strip->keep_count; i++)
        if (view_eq_nocase(field->name, strip->keep[i])) return false;
    return true;
}

void forwarded_strip(struct headers *headers, bool is_proxy, const struct view *keep, size_t keep_count) {
    struct strip strip = {.is_proxy = is_proxy, .keep = keep, .keep_count = keep_count};
    headers_remove_if(headers, drop, &strip);
}

/* ---- lists ---- */

/* Takes the last element off. */
static bool pop_element(struct view *list, struct view *ret_element) {
    while (list->len) {
        size_t comma = list->len;
        while (comma > 0 && list->ptr[comma - 1] != ',') comma--;
        *ret_element = view_trim(view_skip(*list, comma));
        *list = view_slice(*list, 0, comma ? comma - 1 : 0);
        if (ret_element->len) return true;
    }
    return false;
}

static struct view find(const struct headers *headers, struct view name, size_t from_right,
                        struct view *ret_first) {
    *ret_first = (struct view){NULL, 0};
    for (size_t i = headers->count; i-- > 0;) {
        struct view list = headers->fields[i].value, element;
        if (!view_eq(headers->fields[i].name, name)) continue;
        while (pop_element(&list, &element)) {
            *ret_first = element;
            if (from_right-- == 0) return element;
        }
    }
    return (struct view){NULL, 0};
}

struct view forwarded_element(const struct headers *headers, struct view name, size_t from_right) {
    struct view first;
    return find(headers, name, from_right, &first);
}

struct view forwarded_nearest(const struct headers *headers, struct view name, size_t from_right) {
    struct view first, element = find(headers, name, from_right, &first);
    return element.ptr ? element : first;
}

struct view forwarded_join(const struct headers *headers, struct view name, struct arena *arena) {
    struct view all = {NULL, 0};
    for (size_t i = 0; i < headers->count; i++) {
        struct view value = view_trim(headers->fields[i].value);
        if (!view_eq(headers->fields[i].name, name) || !value.len) continue;
        all = all.ptr ? arena_printf(arena, "%.*s, %.*s", VIEW_ARG(all), VIEW_ARG(value)) : value;
        if (!all.ptr) break;
    }
    return all;
}
