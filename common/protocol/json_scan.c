/* See json_scan.h. */
#include "protocol/json_scan.h"

struct scan {
    const char *at, *end;
    size_t depth, marks;
    struct view string; /* the last one of the outermost object */
    bool is_key;        /* a colon has come behind it that made it the key of what follows */
};

static bool is_escaped(const char *begin, const char *quote) {
    size_t count = 0;
    while (quote - count > begin && quote[-1 - (ptrdiff_t)count] == '\\') count++;
    return count % 2;
}

/* Behind an opening quote. What stands until the closing one, or the end. */
static struct view take_string(struct scan *scan) {
    const char *begin = scan->at, *quote = begin;
    do {
        quote = quote < scan->end ? memchr(quote, '"', (size_t)(scan->end - quote)) : NULL;
    } while (quote && is_escaped(begin, quote) && quote++);
    scan->at = quote ? quote + 1 : scan->end;
    return view_of(begin, (size_t)((quote ? quote : scan->end) - begin));
}

static bool has_other_escapes(struct view string) {
    for (size_t at = 0; (at += view_find(view_skip(string, at), '\\')) < string.len; at += 2)
        if (at + 1 >= string.len || string.ptr[at + 1] != '/') return true;
    return false;
}

/* A bracket, comma or colon; all else is nothing. False: there are too many. */
static bool take_mark(struct scan *scan, char mark) {
    switch (mark) {
    case '{':
    case '[': scan->depth++; break;
    case '}':
    case ']': scan->depth -= scan->depth > 0; return true;
    case ',': break;
    case ':': scan->is_key = scan->depth == 1; break;
    default: return true;
    }
    if (mark != ':') scan->is_key = false;
    return ++scan->marks <= JSON_MARKS_MAX && scan->depth <= JSON_DEPTH_MAX;
}

bool json_scan(struct view text, struct view key, struct view *ret_value) {
    struct scan scan = {.at = text.ptr, .end = text.ptr + text.len};
    *ret_value = (struct view){0};
    while (scan.at < scan.end) {
        char byte = *scan.at++;
        if (byte != '"') {
            if (!take_mark(&scan, byte)) return false;
            continue;
        }
        struct view string = take_string(&scan);
        if (scan.depth != 1) continue;
        bool is_wanted = scan.is_key && !ret_value->ptr && view_eq(scan.string, key);
        if (is_wanted && !has_other_escapes(string)) *ret_value = string;
        scan.string = string;
        scan.is_key = false;
    }
    return true;
}
