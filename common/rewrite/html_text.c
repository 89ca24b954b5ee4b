/* Character references (WHATWG HTML 13.2.5.72 ff.). */
#include "rewrite/html_text.h"

#include "base/hex.h"

struct named {
    struct view name;
    char byte;
    bool bare; /* also without a semicolon */
};

/* All names of ASCII characters that a URL, a list of them or CSS may hold. */
static const struct named names[] = {
    {{"amp", 3}, '&', true},       {{"AMP", 3}, '&', true},     {{"lt", 2}, '<', true},
    {{"LT", 2}, '<', true},        {{"gt", 2}, '>', true},      {{"GT", 2}, '>', true},
    {{"quot", 4}, '"', true},      {{"QUOT", 4}, '"', true},    {{"apos", 4}, '\'', false},
    {{"sol", 3}, '/', false},      {{"bsol", 4}, '\\', false},  {{"colon", 5}, ':', false},
    {{"semi", 4}, ';', false},     {{"comma", 5}, ',', false},  {{"period", 6}, '.', false},
    {{"quest", 5}, '?', false},    {{"num", 3}, '#', false},    {{"equals", 6}, '=', false},
    {{"lpar", 4}, '(', false},     {{"rpar", 4}, ')', false},   {{"lsqb", 4}, '[', false},
    {{"lbrack", 6}, '[', false},   {{"rsqb", 4}, ']', false},   {{"rbrack", 6}, ']', false},
    {{"lcub", 4}, '{', false},     {{"lbrace", 6}, '{', false}, {{"rcub", 4}, '}', false},
    {{"rbrace", 6}, '}', false},   {{"lowbar", 6}, '_', false}, {{"commat", 6}, '@', false},
    {{"percnt", 6}, '%', false},   {{"plus", 4}, '+', false},   {{"ast", 3}, '*', false},
    {{"midast", 6}, '*', false},   {{"excl", 4}, '!', false},   {{"dollar", 6}, '$', false},
    {{"NewLine", 7}, '\n', false}, {{"Tab", 3}, '\t', false},   {{"grave", 5}, '`', false},
    {{"Hat", 3}, '^', false},      {{"vert", 4}, '|', false},   {{"verbar", 6}, '|', false},
};

static bool is_alnum(char byte) {
    char low = (char)(byte | 0x20);
    return (low >= 'a' && low <= 'z') || (byte >= '0' && byte <= '9');
}

/* `at`: behind "&#". Returns the length of all of it, 0: it is none of ASCII. */
static size_t read_number(struct view value, size_t at, char *ret_char) {
    bool hex = at < value.len && (value.ptr[at] | 0x20) == 'x';
    size_t from = at + hex;
    unsigned number = 0;
    for (at = from; at < value.len; at++) {
        int digit = hex_value(value.ptr[at]);
        if (digit < 0 || (!hex && digit > 9)) break;
        if (number < 0x110000) number = number * (hex ? 16 : 10) + (unsigned)digit;
    }
    if (at == from || number == 0 || number > 0x7f) return 0;
    *ret_char = (char)number;
    return at + (at < value.len && value.ptr[at] == ';');
}

/* `from`: behind "&". An attribute's rule: a name without its semicolon is none before "=" or a letter. */
static size_t read_name(struct view value, size_t from, char *ret_char) {
    size_t to = from;
    while (to < value.len && to - from < 8 && is_alnum(value.ptr[to])) to++;
    bool closed = to < value.len && value.ptr[to] == ';';
    bool open_end = to == value.len || (value.ptr[to] != '=' && !is_alnum(value.ptr[to]));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!view_eq(names[i].name, view_slice(value, from, to))) continue;
        if (!closed && !(names[i].bare && open_end)) return 0;
        *ret_char = names[i].byte;
        return to + closed;
    }
    return 0;
}

size_t html_text_char(struct view value, size_t at, char *ret_char) {
    *ret_char = value.ptr[at];
    if (value.ptr[at] != '&' || at + 1 >= value.len) return 1;
    bool number = value.ptr[at + 1] == '#';
    size_t end = number ? read_number(value, at + 2, ret_char) : read_name(value, at + 1, ret_char);
    return end ? end - at : 1;
}

struct view html_text_decode(struct view value, char *room) {
    if (view_find(value, '&') == value.len) return value;
    size_t len = 0;
    for (size_t at = 0; at < value.len;) at += html_text_char(value, at, &room[len++]);
    return view_of(room, len);
}

static bool stands_for_itself(char byte, char quote) {
    if (byte == '&' || byte == quote) return false;
    return quote != 0 || !memchr(" \t\n\r\f\"'<>=`", byte, 10);
}

static void put_text(const struct html_text_sink *text, struct view put) {
    static const char digits[] = "0123456789";
    size_t from = 0;
    for (size_t i = 0; i < put.len; i++) {
        if (stands_for_itself(put.ptr[i], text->quote)) continue;
        char code[5] = {'&', '#', digits[put.ptr[i] / 10], digits[put.ptr[i] % 10], ';'};
        edit_to(text->to, EDIT_PUT, view_slice(put, from, i));
        edit_to(text->to, EDIT_PUT, view_of(code, sizeof(code)));
        from = i + 1;
    }
    edit_to(text->to, EDIT_PUT, view_skip(put, from));
}

static void on_edit(void *ctx, enum edit edit, struct view bytes) {
    struct html_text_sink *text = ctx;
    if (edit == EDIT_PUT) {
        put_text(text, bytes);
        return;
    }
    size_t from = text->at;
    char ignored;
    if (text->is_plain) text->at += bytes.len;
    for (size_t i = 0; !text->is_plain && i < bytes.len; i++)
        text->at += html_text_char(text->value, text->at, &ignored);
    edit_to(text->to, edit, view_slice(text->value, from, text->at));
}

void html_text_sink_init(struct html_text_sink *text, struct view value, bool is_plain, char quote,
                         const struct edit_sink *to) {
    *text = (struct html_text_sink){.to = to, .value = value, .is_plain = is_plain, .quote = quote};
    text->sink = (struct edit_sink){on_edit, text};
}
