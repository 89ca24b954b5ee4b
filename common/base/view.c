/* Views: comparing, cutting and copying bytes that somebody else owns. No function here allocates except
 * view_to_cstr(); pointer arithmetic on an absent view is avoided because C leaves NULL + 0 undefined. */
#include "base/view.h"

#include <stdlib.h>

#include "base/word.h"

static unsigned char fold(char byte) {
    unsigned char c = (unsigned char)byte;
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

static bool is_short_eq_folded(const char *a, const char *b, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (fold(a[i]) != fold(b[i])) return false;
    return true;
}

/* The last word may begin within the one before it. */
bool view_eq_folded(const char *a, const char *b, size_t len) {
    if (len < WORD_BYTES) return is_short_eq_folded(a, b, len);
    for (size_t i = 0; i < len; i += WORD_BYTES) {
        size_t at = i + WORD_BYTES <= len ? i : len - WORD_BYTES;
        uint64_t of_a = word_load(a + at), of_b = word_load(b + at);
        if (of_a != of_b && word_lower(of_a) != word_lower(of_b)) return false;
    }
    return true;
}

bool view_starts_with(struct view v, struct view prefix) {
    return v.len >= prefix.len && view_eq(view_slice(v, 0, prefix.len), prefix);
}

bool view_ends_with(struct view v, struct view suffix) {
    return v.len >= suffix.len && view_eq(view_skip(v, v.len - suffix.len), suffix);
}

size_t view_find_last(struct view v, char byte) {
    for (size_t i = v.len; i > 0; i--)
        if (v.ptr[i - 1] == byte) return i - 1;
    return v.len;
}

struct view view_trim_spaces(struct view v) {
    size_t from = 0, to = v.len;
    while (from < to && view_is_space(v.ptr[from])) from++;
    while (to > from && view_is_space(v.ptr[to - 1])) to--;
    return view_slice(v, from, to);
}

bool view_split(struct view *rest, char separator, struct view *ret_piece) {
    if (!rest->ptr) return false;
    size_t at = view_find(*rest, separator);
    *ret_piece = view_slice(*rest, 0, at);
    *rest = at < rest->len ? view_skip(*rest, at + 1) : (struct view){NULL, 0};
    return true;
}

bool view_parse_u64(struct view v, uint64_t *ret_value) {
    uint64_t value = 0;
    if (v.len == 0) return false;
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] < '0' || v.ptr[i] > '9') return false;
        uint64_t digit = (uint64_t)(v.ptr[i] - '0');
        if (value > (UINT64_MAX - digit) / 10) return false;
        value = value * 10 + digit;
    }
    *ret_value = value;
    return true;
}

char *view_to_cstr(struct view v) {
    char *copy = malloc(v.len + 1);
    if (!copy) return NULL;
    if (v.len) memcpy(copy, v.ptr, v.len);
    copy[v.len] = '\0';
    return copy;
}

bool view_copy_to(struct view v, char *out, size_t out_size) {
    bool fits = v.len < out_size && view_find(v, '\0') == v.len;
    size_t len = fits ? v.len : 0;
    if (len) memcpy(out, v.ptr, len);
    if (out_size) out[len] = '\0';
    return fits;
}
