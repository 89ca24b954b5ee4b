/* Escapes of three languages, and how an edit of what they mean becomes one of what is written. */
#include "rewrite/url_found.h"

#include "base/hex.h"

/* The text's head, and where each of its characters is written. */
struct decoded {
    char text[URL_HEAD_MAX];
    uint16_t at[URL_HEAD_MAX + 1];
    size_t len;
};

static void decode(struct view raw, url_char_fn read, struct decoded *decoded) {
    size_t at = 0;
    int byte;
    decoded->len = 0;
    while (at < raw.len && decoded->len < URL_HEAD_MAX) {
        decoded->at[decoded->len] = (uint16_t)at;
        at += read(raw, at, &byte);
        if (byte >= 0) decoded->text[decoded->len++] = (char)byte;
    }
    decoded->at[decoded->len] = (uint16_t)at;
}

/* Takes the '/' off again that url_look() puts behind a base. */
static void end_as_base(struct url_edit *edit, struct view url) {
    if (view_eq(url, VIEW("/"))) edit->drop = 1;
    if (edit->at + edit->drop != url.len) return;
    for (size_t i = 0; i < URL_PUTS; i++)
        if (view_eq(edit->put[i], VIEW("/"))) edit->put[i].len = 0;
}

static void rewrite_host(const struct rewrite_site *site, struct view raw, const struct edit_sink *sink) {
    bool changes = site->prefix.len > 0 && url_is_service(site, VIEW("http"), raw);
    edit_to(sink, changes ? EDIT_DROP : EDIT_COPY, raw);
    if (changes) edit_to(sink, EDIT_PUT, site->host);
}

void url_found_rewrite(const struct rewrite_site *site, struct view raw, enum url_role role, url_char_fn read,
                       const struct edit_sink *sink) {
    struct decoded decoded;
    struct url_edit edit;
    if (role == URL_HOST) {
        rewrite_host(site, raw, sink);
        return;
    }
    bool plain = view_find(raw, '\\') == raw.len;
    if (!plain) decode(raw, read, &decoded);
    struct view url = plain ? raw : view_of(decoded.text, decoded.len);
    if (url_look(site, url, &edit) != URL_CHANGED) {
        edit_to(sink, EDIT_COPY, raw);
        return;
    }
    if (role == URL_BASE) end_as_base(&edit, url);
    if (!plain) {
        size_t end = decoded.at[edit.at + edit.drop];
        edit.at = decoded.at[edit.at];
        edit.drop = end - edit.at;
    }
    url_apply(&edit, raw, sink);
}

static bool is_alnum(char byte) {
    char low = (char)(byte | 0x20);
    return (low >= 'a' && low <= 'z') || (byte >= '0' && byte <= '9') || byte == '_' ||
           (unsigned char)byte >= 0x80;
}

bool url_found_is_escaped(struct view raw) {
    struct view rest = view_skip(raw, view_starts_with(raw, VIEW("https:")) ? 6 : 0);
    if (rest.len == raw.len && view_starts_with(raw, VIEW("http:"))) rest = view_skip(raw, 5);
    bool absolute = rest.len < raw.len;
    if (!view_starts_with(rest, absolute ? VIEW("\\/\\/") : VIEW("\\/"))) return false;
    if (!absolute && (rest.len < 3 || !is_alnum(rest.ptr[2]))) return false;
    for (size_t i = 0; i < rest.len; i++) {
        if (memchr("(*[^|$ ", rest.ptr[i], 7)) return false;
        if (rest.ptr[i] == '/' && (i == 0 || rest.ptr[i - 1] != '\\')) return false;
    }
    return true;
}

static size_t read_hex(struct view raw, size_t at, size_t most, unsigned *ret_number) {
    size_t from = at;
    *ret_number = 0;
    while (at < raw.len && at - from < most && hex_value(raw.ptr[at]) >= 0)
        *ret_number = *ret_number << 4 | (unsigned)hex_value(raw.ptr[at++]);
    return at - from;
}

static int ascii_or_beyond(unsigned number) {
    return number > 0 && number < 0x80 ? (int)number : 0x80;
}

/* How long a line end is. */
static size_t line_end(struct view raw, size_t at) {
    if (at >= raw.len || !memchr("\n\r\f", raw.ptr[at], 3)) return 0;
    return raw.ptr[at] == '\r' && at + 1 < raw.len && raw.ptr[at + 1] == '\n' ? 2 : 1;
}

/* css-syntax-3 4.3.7 */
size_t css_char(struct view raw, size_t at, int *ret_char) {
    unsigned number;
    *ret_char = (unsigned char)raw.ptr[at];
    if (raw.ptr[at] != '\\') return 1;
    size_t digits = read_hex(raw, at + 1, 6, &number), end = at + 1 + digits;
    if (digits) {
        *ret_char = ascii_or_beyond(number);
        size_t line = line_end(raw, end);
        bool space = end < raw.len && (raw.ptr[end] == ' ' || raw.ptr[end] == '\t');
        return end - at + (line ? line : space);
    }
    size_t line = line_end(raw, end);
    *ret_char = line || end >= raw.len ? -1 : (unsigned char)raw.ptr[end];
    return line ? 1 + line : 1 + (end < raw.len);
}

/* ECMAScript 12.9.4 */
size_t js_char(struct view raw, size_t at, int *ret_char) {
    static const char letters[] = "bfnrtv", meant[] = "\b\f\n\r\t\v";
    unsigned number;
    *ret_char = (unsigned char)raw.ptr[at];
    if (raw.ptr[at] != '\\' || at + 1 >= raw.len) return 1;
    char letter = raw.ptr[at + 1];
    size_t line = line_end(raw, at + 1);
    bool braced = letter == 'u' && at + 2 < raw.len && raw.ptr[at + 2] == '{';
    *ret_char = line ? -1 : (unsigned char)letter;
    if (line) return 1 + line;
    if (letter == 'x' || letter == 'u') {
        size_t digits = read_hex(raw, at + 2 + braced, braced ? 6 : letter == 'x' ? 2 : 4, &number);
        *ret_char = ascii_or_beyond(number);
        return 2 + digits + 2 * (size_t)braced <= raw.len - at ? 2 + digits + 2 * (size_t)braced
                                                               : raw.len - at;
    }
    const char *found = memchr(letters, letter, sizeof(letters) - 1);
    if (found) *ret_char = (unsigned char)meant[found - letters];
    return 2;
}

/* RFC 8259 7, of which JavaScript's is a superset. */
size_t json_char(struct view raw, size_t at, int *ret_char) {
    return js_char(raw, at, ret_char);
}

size_t xml_char(struct view raw, size_t at, int *ret_char) {
    *ret_char = (unsigned char)raw.ptr[at];
    return 1;
}
