/* See line.h. */
#include "display/line.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/hex.h"
#include "base/utf8.h"

#define TOKEN_BYTES 12

/* One thing that is shown or left out as a whole. */
struct token {
    char bytes[TOKEN_BYTES];
    size_t len, cells, taken; /* `taken`: bytes of the text that it stands for */
};

struct range {
    uint32_t first, last;
    unsigned cells;
};

/* Scripts written from left to right whose letters stand alone. Marks that combine, marks of direction and
 * what is of no certain width are not among them. */
static const struct range ranges[] = {
    {0x20, 0x7e, 1},       {0xa1, 0xac, 1},       {0xae, 0x2ff, 1},    {0x370, 0x377, 1},
    {0x37a, 0x37f, 1},     {0x384, 0x482, 1},     {0x48a, 0x52f, 1},   {0x531, 0x556, 1},
    {0x561, 0x587, 1},     {0x10a0, 0x10fa, 1},   {0x1e00, 0x1fff, 1}, {0x2010, 0x2015, 1},
    {0x2018, 0x201f, 1},   {0x2026, 0x2026, 1},   {0x20a0, 0x20bf, 1}, {0x2190, 0x21ff, 1},
    {0x2e80, 0x2fd5, 2},   {0x3001, 0x3029, 2},   {0x3030, 0x303d, 2}, {0x3041, 0x3096, 2},
    {0x309b, 0x30ff, 2},   {0x3105, 0x312f, 2},   {0x3131, 0x3163, 2}, {0x3165, 0x318e, 2},
    {0x31a0, 0x321e, 2},   {0x3220, 0x33ff, 2},   {0x3400, 0x4dbf, 2}, {0x4e00, 0x9fff, 2},
    {0xac00, 0xd7a3, 2},   {0xf900, 0xfaff, 2},   {0xff01, 0xff60, 2}, {0xffe0, 0xffe6, 2},
    {0x20000, 0x2fffd, 2}, {0x30000, 0x3fffd, 2},
};

unsigned line_cells(uint32_t code) {
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
        if (code >= ranges[i].first && code <= ranges[i].last) return ranges[i].cells;
    return 0;
}

/* ---- tokens ---- */

/* The bytes that begin here percent-encoded, four at most. */
static size_t decode(struct view text, unsigned char bytes[4]) {
    size_t count = 0;
    for (int byte; count < 4 && (byte = percent_byte(text)) >= 0; text = view_skip(text, 3))
        bytes[count++] = (unsigned char)byte;
    return count;
}

/* A letter beyond ASCII. */
static bool letter_token(const unsigned char *bytes, size_t len, size_t taken_each, struct token *token) {
    uint32_t code;
    size_t size = len ? utf8_next(bytes, len, &code) : 0;
    unsigned cells = size > 1 ? line_cells(code) : 0;
    if (!cells) return false;
    memcpy(token->bytes, bytes, size);
    token->len = size;
    token->cells = cells;
    token->taken = size * taken_each;
    return true;
}

static void next_token(struct view text, bool decodes, bool utf8, struct token *token) {
    unsigned char bytes[4], first = (unsigned char)text.ptr[0];
    if (utf8 && first >= 0x80 && letter_token((const unsigned char *)text.ptr, text.len, 1, token)) return;
    if (utf8 && decodes && first == '%' && letter_token(bytes, decode(text, bytes), 3, token)) return;
    bool plain = first >= 0x20 && first < 0x7f;
    token->taken = 1;
    token->len = (size_t)snprintf(token->bytes, sizeof(token->bytes), plain ? "%c" : "\\x%02x", first);
    token->cells = token->len;
}

/* ---- text ---- */

/* Does all of it fit in `most` cells? No further looked at than that. */
static bool fits(struct view text, bool decodes, bool utf8, size_t most) {
    struct token token;
    for (; text.len; text = view_skip(text, token.taken)) {
        next_token(text, decodes, utf8, &token);
        if (token.cells > most) return false;
        most -= token.cells;
    }
    return true;
}

static void append_ellipsis(struct line *line) {
    buf_append_view(line->out, line->style.utf8 ? VIEW("\xe2\x80\xa6") : VIEW("~"));
    line->used++;
}

static void append(struct line *line, struct view text, bool decodes, size_t most) {
    struct token token;
    if (most > line_room(line)) most = line_room(line);
    bool is_cut = !fits(text, decodes, line->style.utf8, most);
    if (is_cut && most == 0) return;
    size_t left = is_cut ? most - 1 : most;
    for (; text.len; text = view_skip(text, token.taken)) {
        next_token(text, decodes, line->style.utf8, &token);
        if (token.cells > left) break;
        buf_append(line->out, token.bytes, token.len);
        left -= token.cells;
        line->used += token.cells;
    }
    if (is_cut) append_ellipsis(line);
}

void line_text(struct line *line, struct view text, size_t most) {
    append(line, text, false, most);
}

void line_target(struct line *line, struct view target, size_t most) {
    append(line, target, true, most);
}

void line_printf(struct line *line, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (len > 0) line_text(line, view_slice(view_of(text, (size_t)len), 0, sizeof(text) - 1), SIZE_MAX);
}

/* ---- the line ---- */

void line_begin(struct line *line, struct buf *out, struct line_style style, size_t width) {
    *line = (struct line){.out = out, .style = style, .width = width};
}

void line_colour(struct line *line, enum line_colour colour) {
    static const char *const codes[] = {
        [COLOUR_NONE] = "0",  [COLOUR_DIM] = "2",     [COLOUR_BOLD] = "1",  [COLOUR_GREEN] = "32",
        [COLOUR_CYAN] = "36", [COLOUR_YELLOW] = "33", [COLOUR_RED] = "1;31"};
    if (line->style.colour) buf_printf(line->out, "\x1b[%sm", codes[colour]);
}

void line_pad(struct line *line, size_t cell) {
    for (; line->used < cell && line->used < line->width; line->used++) buf_append_byte(line->out, ' ');
}

void line_right(struct line *line, struct view text, size_t cells) {
    if (text.len < cells) line_pad(line, line->used + cells - text.len);
    line_text(line, text, cells);
    line_pad(line, line->used + 1);
}
