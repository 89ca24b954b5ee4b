/* See form.h. */
#include "http/form.h"

#include "base/hex.h"

bool form_is_one(const struct headers *headers) {
    struct view type = headers_get(headers, VIEW("content-type"));
    return view_eq_nocase(view_trim(view_slice(type, 0, view_find(type, ';'))),
                          VIEW("application/x-www-form-urlencoded"));
}

static struct view decode(struct view text, struct arena *arena) {
    char *out = arena_alloc(arena, text.len + 1);
    size_t len = 0;
    for (size_t i = 0; out && i < text.len; i++) {
        int byte = percent_byte(view_skip(text, i));
        char plain = text.ptr[i] == '+' ? ' ' : text.ptr[i];
        out[len++] = byte < 0 ? plain : (char)byte;
        if (byte >= 0) i += 2;
    }
    return view_of(out, len);
}

bool form_next(struct view *rest, struct arena *arena, struct view *ret_name, struct view *ret_value) {
    struct view pair = {0};
    *ret_name = *ret_value = (struct view){0};
    while (pair.len == 0)
        if (!view_split(rest, '&', &pair)) return false;
    size_t equals = view_find(pair, '=');
    *ret_name = decode(view_slice(pair, 0, equals), arena);
    *ret_value = decode(view_skip(pair, equals + 1), arena);
    if (ret_name->ptr && ret_value->ptr) return true;
    *ret_name = (struct view){0};
    return false;
}

struct view form_get(struct view form, struct view name, struct arena *arena) {
    struct view found, value;
    while (form_next(&form, arena, &found, &value))
        if (view_eq(found, name)) return value;
    return (struct view){0};
}
