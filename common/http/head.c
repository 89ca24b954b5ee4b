/* Reads the head of an HTTP/1.x message. One pass of memchr() looks for the empty line without allocating, so
 * that it may be asked again whenever bytes come; the second, over a complete head, fills the list. */
#include "http/head.h"

#include "http/chars.h"

struct lines {
    struct view rest;
    bool lenient; /* are lines that end in LF alone fine, and such as go on in the next one? */
};

/* The next line without its end. HEAD_INCOMPLETE when its LF has not come. */
static enum head_result next_line(struct lines *lines, struct view *ret_line) {
    size_t lf = view_find(lines->rest, '\n');
    if (lf == lines->rest.len) return HEAD_INCOMPLETE;
    bool crlf = lf > 0 && lines->rest.ptr[lf - 1] == '\r';
    if (!crlf && !lines->lenient) return HEAD_MALFORMED;
    *ret_line = view_slice(lines->rest, 0, crlf ? lf - 1 : lf);
    lines->rest = view_skip(lines->rest, lf + 1);
    return HEAD_COMPLETE;
}

/* Both first lines begin with a tchar ('H' of "HTTP" is one); a TLS hello, say, does not. */
static enum head_result find_end(struct view bytes, size_t max_bytes, bool lenient, size_t *ret_len) {
    struct lines lines = {view_slice(bytes, 0, max_bytes), lenient};
    struct view line;
    if (bytes.len && !http_is_token(view_slice(bytes, 0, 1))) return HEAD_MALFORMED;
    do {
        enum head_result result = next_line(&lines, &line);
        if (result == HEAD_INCOMPLETE && bytes.len >= max_bytes) return HEAD_TOO_LARGE;
        if (result != HEAD_COMPLETE) return result;
    } while (line.len > 0);
    *ret_len = (size_t)(lines.rest.ptr - bytes.ptr);
    return HEAD_COMPLETE;
}

/* Until the line that does not begin with white space, or that does not go on a field: the line, with spaces
 * where it was folded. */
static bool unfold(struct lines *lines, struct arena *arena, struct view *line) {
    struct view next = lines->rest;
    const char *from = line->ptr, *to = line->ptr + line->len;
    while (lines->lenient && next.len && (next.ptr[0] == ' ' || next.ptr[0] == '\t')) {
        if (next_line(lines, &next) != HEAD_COMPLETE) break;
        to = next.ptr + next.len;
        next = lines->rest;
    }
    if (to == line->ptr + line->len) return true;
    char *joined = arena_alloc(arena, (size_t)(to - from));
    if (!joined) return false;
    for (size_t i = 0; i < (size_t)(to - from); i++) {
        bool is_end = from[i] == '\n' || (from[i] == '\r' && from[i + 1] == '\n');
        joined[i] = is_end ? ' ' : from[i];
    }
    *line = view_of(joined, (size_t)(to - from));
    return true;
}

static enum head_result read_field(struct view line, struct headers *headers, const char **ret_fault) {
    size_t colon = view_find(line, ':');
    struct view name = view_slice(line, 0, colon), value = view_trim(view_skip(line, colon + 1));
    if (colon == line.len)
        *ret_fault = "the service sent a field without a colon";
    else if (!http_is_token(name))
        *ret_fault = "the service sent a field name that is none";
    else if (!http_is_field_value(value))
        *ret_fault = "the service sent a control byte in a field";
    if (*ret_fault) return HEAD_MALFORMED;
    return headers_add(headers, name, value) ? HEAD_COMPLETE : HEAD_TOO_LARGE;
}

static enum head_result read_fields(struct lines *lines, struct headers *headers, const char **ret_fault) {
    struct view line;
    *ret_fault = NULL;
    while (next_line(lines, &line) == HEAD_COMPLETE && line.len > 0) {
        if (!unfold(lines, headers->arena, &line)) return HEAD_TOO_LARGE;
        enum head_result result = read_field(line, headers, ret_fault);
        if (result != HEAD_COMPLETE) return result;
    }
    return HEAD_COMPLETE;
}

static bool is_digit(char byte) {
    return byte >= '0' && byte <= '9';
}

static bool parse_version(struct view v, int *ret_minor) {
    if (v.len != 8 || !view_starts_with(v, VIEW("HTTP/1.")) || !is_digit(v.ptr[7])) return false;
    *ret_minor = v.ptr[7] - '0';
    return true;
}

static bool is_target(struct view v) {
    for (size_t i = 0; i < v.len; i++)
        if ((unsigned char)v.ptr[i] <= 0x20 || v.ptr[i] == 0x7f) return false;
    return v.len > 0;
}

static bool parse_request_line(struct view line, struct request_head *head) {
    if (!view_split(&line, ' ', &head->method) || !view_split(&line, ' ', &head->target)) return false;
    return http_is_token(head->method) && is_target(head->target) &&
           parse_version(line, &head->minor_version);
}

static bool parse_status_line(struct view line, struct response_head *head) {
    struct view version, code;
    if (!view_split(&line, ' ', &version) || !parse_version(version, &head->minor_version)) return false;
    if (!view_split(&line, ' ', &code) || code.len != 3) return false;
    uint64_t status;
    if (!view_parse_u64(code, &status) || status < 100) return false;
    head->status = (int)status;
    head->reason = view_trim(line);
    return http_is_field_value(head->reason);
}

enum head_result request_head_parse(struct view bytes, size_t max_bytes, struct arena *arena,
                                    struct request_head *ret_head, size_t *ret_len) {
    enum head_result result = find_end(bytes, max_bytes, false, ret_len);
    if (result != HEAD_COMPLETE) return result;
    struct lines lines = {view_slice(bytes, 0, *ret_len), false};
    struct view first;
    *ret_head = (struct request_head){.minor_version = 0};
    headers_init(&ret_head->headers, arena);
    const char *fault;
    if (next_line(&lines, &first) != HEAD_COMPLETE || !parse_request_line(first, ret_head))
        return HEAD_MALFORMED;
    return read_fields(&lines, &ret_head->headers, &fault);
}

enum head_result response_head_parse(struct view bytes, size_t max_bytes, struct arena *arena,
                                     struct response_head *ret_head, size_t *ret_len) {
    enum head_result result = find_end(bytes, max_bytes, true, ret_len);
    if (result != HEAD_COMPLETE) return result;
    struct lines lines = {view_slice(bytes, 0, *ret_len), true};
    struct view first;
    *ret_head = (struct response_head){.fault = "the service sent a status line that is none"};
    headers_init(&ret_head->headers, arena);
    if (next_line(&lines, &first) != HEAD_COMPLETE || !parse_status_line(first, ret_head))
        return HEAD_MALFORMED;
    return read_fields(&lines, &ret_head->headers, &ret_head->fault);
}
