/* A state a byte. Names are read only as far as they could be one that matters; strings and unquoted URLs are
 * held only where they are URLs. */
#include "rewrite/css.h"

#include "base/hex.h"
#include "http/chars.h"

enum state {
    BASE,
    SLASH,
    COMMENT,
    COMMENT_STAR,
    NAME,
    NAME_ESCAPE, /* behind '\' */
    NAME_HEX,
    NAME_CR,  /* "\r" behind digits, to which "\n" belongs */
    URL_OPEN, /* behind "url(" and white space */
    URL,
    URL_ESCAPE,
    URL_HEX,
    URL_CR,
    STRING,
    STRING_ESCAPE,
    STRING_CR,
};

static bool is_line_end(char byte) {
    return byte == '\n' || byte == '\r' || byte == '\f';
}

static bool is_space(char byte) {
    return byte == ' ' || byte == '\t' || is_line_end(byte);
}

static bool is_name_char(char byte) {
    char low = (char)(byte | 0x20);
    return (low >= 'a' && low <= 'z') || (byte >= '0' && byte <= '9') || byte == '_' || byte == '-' ||
           (unsigned char)byte >= 0x80;
}

static void say_text(struct css *css, const char *to) {
    if (to > css->mark) css->found.on_text(css->found.ctx, view_of(css->mark, (size_t)(to - css->mark)));
    css->mark = to;
}

/* What is held, as the URL that it is or as text; `next` is the first byte that is not in it. */
static void say_held(struct css *css, bool is_url, const char *next) {
    struct view raw = view_of(css->hold.raw, css->hold.len);
    css->hold.len = 0;
    css->mark = next;
    if (!raw.len) return;
    if (is_url)
        css->found.on_url(css->found.ctx, raw, URL_WHOLE);
    else
        css->found.on_text(css->found.ctx, raw);
}

/* A URL's byte; what is too long is said, and passes from then on. */
static void hold(struct css *css, const char *at) {
    if (!css->is_url || url_hold_add(&css->hold, *at)) return;
    say_held(css, true, at);
    css->is_url = false;
}

static void add_to_name(struct css *css, char byte) {
    if (css->name_len < CSS_NAME_MAX) css->name[css->name_len++] = http_lower(byte);
}

static bool name_is(const struct css *css, struct view name) {
    return view_eq(view_of(css->name, css->name_len), name);
}

static void begin_string(struct css *css, const char *at, bool is_url) {
    say_text(css, at + 1);
    css->state = STRING;
    css->quote = *at;
    css->broken = false;
    css->is_url = is_url && !css->is_namespace;
    css->hold.len = 0;
}

/* The name has ended, and this follows. */
static void end_name(struct css *css, char next) {
    css->state = BASE;
    if (name_is(css, VIEW("@import"))) css->import = true;
    if (name_is(css, VIEW("@namespace"))) css->is_namespace = true;
    if (next != '(') return;
    if (name_is(css, VIEW("url"))) css->state = URL_OPEN;
    bool image_set = name_is(css, VIEW("image-set")) || name_is(css, VIEW("-webkit-image-set"));
    if (image_set && !css->image_set) css->image_set = css->depth + 1;
}

static void on_base(struct css *css, const char *at) {
    char byte = *at;
    if (is_name_char(byte) || byte == '@' || byte == '#' || byte == '\\') {
        css->state = byte == '\\' ? NAME_ESCAPE : NAME;
        css->name_len = 0;
        if (byte != '\\') add_to_name(css, byte);
    } else if (byte == '"' || byte == '\'') {
        begin_string(css, at, css->import || (css->image_set && css->depth == css->image_set));
        css->import = false;
    } else if (byte == '/') {
        css->state = SLASH;
    } else if (byte == '(') {
        css->depth++;
    } else if (byte == ')') {
        if (css->depth == css->image_set) css->image_set = 0;
        if (css->depth) css->depth--;
    } else if (byte == ';' || byte == '{') {
        css->import = css->is_namespace = false;
    }
}

/* True: the byte is taken. */
static bool on_name(struct css *css, const char *at) {
    if (is_name_char(*at)) {
        add_to_name(css, *at);
        return true;
    }
    if (*at == '\\') {
        css->state = NAME_ESCAPE;
        return true;
    }
    end_name(css, *at);
    if (css->state == BASE) return false;
    css->depth++; /* of "url(", taken back where no string follows */
    return true;
}

static bool on_name_escape(struct css *css, const char *at) {
    int digit = hex_value(*at);
    if (is_line_end(*at)) { /* no escape at all */
        end_name(css, *at);
        return false;
    }
    css->state = digit >= 0 ? NAME_HEX : NAME;
    css->digits = 1;
    css->number = digit >= 0 ? (unsigned)digit : 0;
    if (digit < 0) add_to_name(css, *at == '@' || *at == '#' ? '\1' : *at);
    return true;
}

static bool on_name_hex(struct css *css, const char *at) {
    int digit = hex_value(*at);
    if (digit >= 0 && css->digits < 6) {
        css->digits++;
        css->number = css->number << 4 | (unsigned)digit;
        return true;
    }
    bool plain = css->number > 0 && css->number < 0x80 && css->number != '@' && css->number != '#';
    add_to_name(css, plain ? (char)css->number : '\1');
    css->state = *at == '\r' ? NAME_CR : NAME;
    return is_space(*at);
}

/* Behind "url(": a string, or the URL itself. */
static bool on_url_open(struct css *css, const char *at) {
    if (is_space(*at)) return true;
    if (*at == '"' || *at == '\'') {
        begin_string(css, at, true);
    } else {
        say_text(css, at);
        css->depth--;
        css->state = URL;
        css->is_url = !css->is_namespace;
        css->spaced = css->broken = false;
        css->hold.len = 0;
    }
    css->import = false;
    return css->state == STRING;
}

static bool breaks_url(const struct css *css, char byte) {
    unsigned char code = (unsigned char)byte;
    if (css->spaced && !is_space(byte)) return true;
    return byte == '"' || byte == '\'' || byte == '(' || code == 0x7f || code == 0x0b ||
           (code < 0x20 && code != 0 && !is_space(byte));
}

static void on_url(struct css *css, const char *at) {
    if (*at == ')') {
        if (css->is_url) say_held(css, !css->broken, at);
        css->state = BASE;
        return;
    }
    if (*at == '\\') css->state = URL_ESCAPE;
    if (breaks_url(css, *at)) css->broken = true;
    if (css->broken && css->is_url) {
        say_held(css, false, at);
        css->is_url = false;
    }
    css->spaced = is_space(*at);
    hold(css, at);
}

static void on_url_escape(struct css *css, const char *at) {
    css->state = hex_value(*at) >= 0 ? URL_HEX : URL;
    css->digits = 1;
    if (is_line_end(*at)) {
        if (css->is_url) say_held(css, false, at);
        css->is_url = false;
        css->broken = true;
    }
    css->spaced = false;
    hold(css, at);
}

/* Within digits, and the one white space behind them. True: the byte is taken. */
static bool on_url_hex(struct css *css, const char *at) {
    bool digit = css->state == URL_HEX && css->digits < 6 && hex_value(*at) >= 0;
    bool space = css->state == URL_HEX ? is_space(*at) : *at == '\n';
    css->digits++;
    if (!digit) css->state = css->state == URL_HEX && *at == '\r' ? URL_CR : URL;
    if (digit || space) hold(css, at);
    return digit || space;
}

/* True: the byte is taken. */
static bool on_string(struct css *css, const char *at) {
    if (*at == css->quote || is_line_end(*at)) {
        if (css->is_url) say_held(css, *at == css->quote, at);
        css->state = BASE;
        return *at == css->quote;
    }
    if (*at == '\\') css->state = STRING_ESCAPE;
    hold(css, at);
    return true;
}

static bool on_string_escape(struct css *css, const char *at) {
    bool cr = css->state == STRING_CR;
    css->state = !cr && *at == '\r' ? STRING_CR : STRING;
    if (cr && *at != '\n') return false;
    hold(css, at);
    return true;
}

static bool step(struct css *css, const char *at) {
    switch (css->state) {
    case BASE: on_base(css, at); return true;
    case SLASH: css->state = *at == '*' ? COMMENT : BASE; return *at == '*';
    case COMMENT: css->state = *at == '*' ? COMMENT_STAR : COMMENT; return true;
    case COMMENT_STAR: css->state = *at == '/' ? BASE : *at == '*' ? COMMENT_STAR : COMMENT; return true;
    case NAME: return on_name(css, at);
    case NAME_ESCAPE: return on_name_escape(css, at);
    case NAME_HEX: return on_name_hex(css, at);
    case NAME_CR: css->state = NAME; return *at == '\n';
    case URL_OPEN: return on_url_open(css, at);
    case URL: on_url(css, at); return true;
    case URL_ESCAPE: on_url_escape(css, at); return true;
    case URL_HEX:
    case URL_CR: return on_url_hex(css, at);
    case STRING: return on_string(css, at);
    default: return on_string_escape(css, at);
    }
}

void css_init(struct css *css, const struct url_found *found) {
    memset(css, 0, offsetof(struct css, hold) + sizeof(css->hold.len));
    css->found = *found;
    css->state = BASE;
}

void css_feed(struct css *css, struct view bytes) {
    const char *at = bytes.ptr, *end = bytes.ptr + bytes.len;
    css->mark = at;
    while (at < end) {
        if (css->state == COMMENT) {
            at = memchr(at, '*', (size_t)(end - at));
            if (!at) break;
        }
        if (step(css, at)) at++;
    }
    bool holds = css->state >= URL && css->is_url;
    if (!holds) say_text(css, end);
    css->mark = NULL;
}

void css_end(struct css *css) {
    if (css->state >= URL && css->is_url) say_held(css, !css->broken, NULL);
    css->state = BASE;
}
