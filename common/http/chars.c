/* Character classes as a table (token) and as arithmetic on eight bytes at a time (field values). */
#include "http/chars.h"

#include "base/word.h"

/* clang-format off */
static const bool tchar[256] = {
    ['!'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1, ['&'] = 1, ['\''] = 1, ['*'] = 1, ['+'] = 1, ['-'] = 1, ['.'] = 1,
    ['^'] = 1, ['_'] = 1, ['`'] = 1, ['|'] = 1, ['~'] = 1,
    ['0'] = 1, ['1'] = 1, ['2'] = 1, ['3'] = 1, ['4'] = 1, ['5'] = 1, ['6'] = 1, ['7'] = 1, ['8'] = 1, ['9'] = 1,
    ['A'] = 1, ['B'] = 1, ['C'] = 1, ['D'] = 1, ['E'] = 1, ['F'] = 1, ['G'] = 1, ['H'] = 1, ['I'] = 1, ['J'] = 1,
    ['K'] = 1, ['L'] = 1, ['M'] = 1, ['N'] = 1, ['O'] = 1, ['P'] = 1, ['Q'] = 1, ['R'] = 1, ['S'] = 1, ['T'] = 1,
    ['U'] = 1, ['V'] = 1, ['W'] = 1, ['X'] = 1, ['Y'] = 1, ['Z'] = 1,
    ['a'] = 1, ['b'] = 1, ['c'] = 1, ['d'] = 1, ['e'] = 1, ['f'] = 1, ['g'] = 1, ['h'] = 1, ['i'] = 1, ['j'] = 1,
    ['k'] = 1, ['l'] = 1, ['m'] = 1, ['n'] = 1, ['o'] = 1, ['p'] = 1, ['q'] = 1, ['r'] = 1, ['s'] = 1, ['t'] = 1,
    ['u'] = 1, ['v'] = 1, ['w'] = 1, ['x'] = 1, ['y'] = 1, ['z'] = 1,
};
/* clang-format on */

static bool has_only_tchar(const char *bytes, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (!tchar[(unsigned char)bytes[i]]) return false;
    return true;
}

/* Are all eight letters or dashes, as in most names? */
static bool is_plain_name(uint64_t word) {
    uint64_t letters = word_between(word | WORD_EACH(0x20), 'a', 'z');
    return (letters | word_between(word, '-', '-')) == WORD_EACH(0x80);
}

/* The last word may begin within the one before it. */
bool http_is_token(struct view v) {
    if (v.len < WORD_BYTES) return v.len > 0 && has_only_tchar(v.ptr, v.len);
    for (size_t at = 0; at < v.len; at += WORD_BYTES) {
        const char *bytes = v.ptr + (at + WORD_BYTES <= v.len ? at : v.len - WORD_BYTES);
        if (!is_plain_name(word_load(bytes)) && !has_only_tchar(bytes, WORD_BYTES)) return false;
    }
    return true;
}

static bool is_control(char byte) {
    unsigned char c = (unsigned char)byte;
    return (c < 0x20 && c != '\t') || c == 0x7f;
}

/* The last word may begin within the one before it. */
void http_lower_copy(char *to, struct view from) {
    size_t i = 0;
    if (from.len < WORD_BYTES) {
        for (; i < from.len; i++) to[i] = http_lower(from.ptr[i]);
        return;
    }
    for (; i < from.len; i += WORD_BYTES) {
        size_t at = i + WORD_BYTES <= from.len ? i : from.len - WORD_BYTES;
        word_store(to + at, word_lower(word_load(from.ptr + at)));
    }
}

/* Is one of the eight below 0x20, or DEL? */
static bool has_control_or_tab(uint64_t word) {
    uint64_t del = word ^ WORD_EACH(0x7f);
    return (((word - WORD_EACH(0x20)) & ~word) | ((del - WORD_EACH(1)) & ~del)) & WORD_EACH(0x80);
}

static bool has_control_in(const char *bytes, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (is_control(bytes[i])) return true;
    return false;
}

/* The last word may begin within the one before it. */
static bool has_control(struct view v) {
    if (v.len < WORD_BYTES) return has_control_in(v.ptr, v.len);
    for (size_t at = 0; at < v.len; at += WORD_BYTES) {
        const char *bytes = v.ptr + (at + WORD_BYTES <= v.len ? at : v.len - WORD_BYTES);
        if (has_control_or_tab(word_load(bytes)) && has_control_in(bytes, WORD_BYTES)) return true;
    }
    return false;
}

bool http_is_field_value(struct view v) {
    if (has_control(v)) return false;
    return v.len == 0 || !(view_is_space(v.ptr[0]) || view_is_space(v.ptr[v.len - 1]));
}

bool http_is_visible(struct view v) {
    for (size_t i = 0; i < v.len; i++)
        if ((unsigned char)v.ptr[i] <= 0x20 || (unsigned char)v.ptr[i] >= 0x7f) return false;
    return true;
}
