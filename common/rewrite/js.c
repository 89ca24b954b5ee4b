/* JavaScript cannot be cut into tokens without parsing it: a '/' divides or begins a regular expression. What
 * stands before it tells in all code that people and tools write (after ')' and '}' by what the bracket was).
 * A wrong guess ends at the end of its line, and can only make an import go unseen, never change another
 * string. */
#include "rewrite/js.h"

enum state {
    BASE,
    SLASH,
    LINE_COMMENT,
    COMMENT,
    COMMENT_STAR,
    WORD,
    STRING,
    STRING_ESCAPE,
    TEMPLATE,
    TEMPLATE_ESCAPE,
    TEMPLATE_DOLLAR,
    REGEX,
    REGEX_ESCAPE,
    REGEX_CLASS,
    REGEX_CLASS_ESCAPE,
};

enum bracket { PLAIN, HEAD, BLOCK, OBJECT, IN_TEMPLATE };
enum clause { NONE, IMPORT, EXPORT, CALL };
enum { HOLDS_SPECIFIER = 1, HOLDS_JSON };

static bool is_line_end(char byte) {
    return byte == '\n' || byte == '\r';
}

static bool is_space(char byte) {
    return byte == ' ' || byte == '\t' || byte == '\v' || byte == '\f' || is_line_end(byte);
}

static bool is_word_char(char byte) {
    char low = (char)(byte | 0x20);
    return (low >= 'a' && low <= 'z') || (byte >= '0' && byte <= '9') || byte == '_' || byte == '$' ||
           (unsigned char)byte >= 0x80;
}

static bool is_one_of(const struct js *js, const char *const *words) {
    struct view word = view_of(js->word, js->word_len);
    for (; *words; words++)
        if (view_eq(word, view_from_cstr(*words))) return true;
    return false;
}

static bool word_is(const struct js *js, struct view word) {
    return view_eq(view_of(js->word, js->word_len), word);
}

static void say_text(struct js *js, const char *to) {
    if (to > js->mark) js->found.on_text(js->found.ctx, view_of(js->mark, (size_t)(to - js->mark)));
    js->mark = to;
}

static void say_held(struct js *js, bool is_string, const char *next) {
    struct view raw = view_of(js->hold.raw, js->hold.len);
    bool is_url = is_string && (js->holds == HOLDS_SPECIFIER || url_found_is_escaped(raw));
    js->hold.len = 0;
    js->holds = 0;
    js->mark = next;
    if (!raw.len) return;
    if (is_url)
        js->found.on_url(js->found.ctx, raw, URL_WHOLE);
    else
        js->found.on_text(js->found.ctx, raw);
}

/* ---- what stands before ---- */

static void after_value(struct js *js) {
    js->last = '"';
    js->regex_allowed = js->head_follows = js->block_follows = false;
}

static void after_mark(struct js *js, char byte, bool regex_allowed) {
    js->last = byte;
    js->regex_allowed = regex_allowed;
    js->head_follows = js->block_follows = false;
}

static void open(struct js *js, enum bracket bracket) {
    if (js->depth == JS_DEPTH_MAX)
        js->lost = true;
    else
        js->brackets[js->depth++] = (unsigned char)bracket;
}

static enum bracket close(struct js *js) {
    return js->depth ? js->brackets[--js->depth] : PLAIN;
}

static bool opens_block(const struct js *js, bool after_arrow) {
    if (js->block_follows || after_arrow) return true;
    if (js->last == 'a') return !js->regex_allowed; /* `class A {`, not `return {` */
    return js->last == '\0' || memchr(");{}", js->last, 4) != NULL;
}

/* ---- import and export ---- */

static void clause_word(struct js *js, bool is_property) {
    bool from = word_is(js, VIEW("from"));
    if (!is_property && word_is(js, VIEW("import"))) {
        js->clause = IMPORT;
        js->is_first = true;
        js->is_from = false;
        return;
    }
    if (!is_property && word_is(js, VIEW("export"))) {
        js->clause = EXPORT;
        js->is_from = false;
    } else {
        if (js->clause == CALL) js->clause = NONE;
        js->is_from = js->clause != NONE && from;
    }
    js->is_first = false;
}

static void clause_mark(struct js *js, char byte) {
    bool call = js->clause == IMPORT && js->is_first && byte == '(';
    bool goes_on = (js->clause == IMPORT || js->clause == EXPORT) && memchr("{},*", byte, 4);
    js->clause = (unsigned char)(call ? CALL : goes_on ? js->clause : NONE);
    js->is_first = call;
    js->is_from = false;
}

/* Is the string that begins a specifier? */
static bool clause_string(struct js *js) {
    bool specifier = js->clause != NONE && (js->is_from || js->is_first);
    if (specifier || js->clause == CALL) js->clause = NONE;
    js->is_first = js->is_from = false;
    return specifier;
}

/* ---- tokens ---- */

static void end_word(struct js *js) {
    static const char *const before_values[] = {"return", "typeof", "instanceof", "in",   "of",
                                                "new",    "delete", "throw",      "case", "do",
                                                "else",   "yield",  "await",      "void", NULL};
    static const char *const heads[] = {"if", "while", "for", "with", NULL};
    static const char *const blocks[] = {"else", "do", "try", "finally", NULL};
    bool is_property = js->last == '.' || js->last == '#';
    js->state = BASE;
    js->regex_allowed = !is_property && is_one_of(js, before_values);
    js->head_follows = !is_property && is_one_of(js, heads);
    js->block_follows = !is_property && is_one_of(js, blocks);
    clause_word(js, is_property);
    js->last = 'a';
}

static void begin_string(struct js *js, const char *at) {
    bool json = js->has_json && *at == '"' && js->last && memchr(":,[", js->last, 3);
    js->holds = clause_string(js) ? HOLDS_SPECIFIER : json ? HOLDS_JSON : 0;
    js->state = STRING;
    js->quote = *at;
    say_text(js, at + 1);
}

static void on_close(struct js *js, char byte) {
    enum bracket bracket = close(js);
    if (byte == '}' && bracket == IN_TEMPLATE) {
        js->state = TEMPLATE;
        return;
    }
    after_mark(js, byte, byte == ')' ? bracket == HEAD : byte == '}' && bracket != OBJECT);
}

static void on_open(struct js *js, char byte, bool after_arrow) {
    if (byte == '{')
        open(js, opens_block(js, after_arrow) ? BLOCK : OBJECT);
    else
        open(js, byte == '(' && js->head_follows ? HEAD : PLAIN);
    after_mark(js, byte, true);
}

static void on_base(struct js *js, const char *at) {
    char byte = *at;
    bool adjacent = js->adjacent;
    js->adjacent = !is_space(byte);
    if (is_space(byte)) return;
    if (is_word_char(byte)) {
        js->state = WORD;
        js->word_len = 1;
        js->word[0] = byte;
        return;
    }
    if (byte == '/') {
        js->state = SLASH;
        return;
    }
    if (byte == '"' || byte == '\'') {
        begin_string(js, at);
        return;
    }
    bool specifier = js->clause == CALL && js->is_first;
    clause_mark(js, byte);
    if (byte == '`') {
        js->state = TEMPLATE;
        say_text(js, at + 1);
        js->holds = specifier ? HOLDS_SPECIFIER : 0;
    } else if (memchr("({[", byte, 3)) {
        on_open(js, byte, js->last == '>' && !js->regex_allowed);
    } else if (memchr(")}]", byte, 3)) {
        on_close(js, byte);
    } else {
        bool twice = adjacent && js->last == byte && (byte == '+' || byte == '-');
        bool arrow = adjacent && js->last == '=' && byte == '>';
        after_mark(js, byte, !twice && !arrow && byte != '.');
    }
}

/* True: the byte is taken. */
static bool on_slash(struct js *js, const char *at) {
    if (*at == '/' || *at == '*') {
        js->state = *at == '/' ? LINE_COMMENT : COMMENT;
        js->adjacent = false;
        return true;
    }
    js->state = js->regex_allowed || js->last == '>' || js->last == '\0' ? REGEX : BASE;
    clause_mark(js, '/');
    if (js->state == BASE) after_mark(js, '/', true);
    return false;
}

/* True: the byte is taken. */
static bool on_string(struct js *js, const char *at) {
    if (*at == js->quote || is_line_end(*at)) {
        if (js->holds) say_held(js, *at == js->quote, at);
        js->state = BASE;
        after_value(js);
        return true;
    }
    if (*at == '\\') js->state = STRING_ESCAPE;
    if (js->holds && !url_hold_add(&js->hold, *at)) say_held(js, true, at);
    return true;
}

static bool on_string_escape(struct js *js, const char *at) {
    js->state = STRING;
    if (js->holds && !url_hold_add(&js->hold, *at)) say_held(js, true, at);
    return true;
}

/* Of one that is a specifier its beginning is enough, up to where something is put in. */
static bool on_template(struct js *js, const char *at) {
    bool opens = js->state == TEMPLATE_DOLLAR && *at == '{',
         ends = js->state != TEMPLATE_ESCAPE && *at == '`';
    if ((opens || ends) && js->holds) say_held(js, true, at);
    if (js->state == TEMPLATE_ESCAPE) {
        js->state = TEMPLATE;
    } else if (opens) {
        js->state = BASE;
        open(js, IN_TEMPLATE);
        after_mark(js, '{', true);
    } else if (ends) {
        js->state = BASE;
        after_value(js);
    } else {
        js->state = *at == '\\' ? TEMPLATE_ESCAPE : *at == '$' ? TEMPLATE_DOLLAR : TEMPLATE;
    }
    if (js->holds && !url_hold_add(&js->hold, *at)) say_held(js, true, at);
    return true;
}

static bool on_regex(struct js *js, char byte) {
    bool in_class = js->state == REGEX_CLASS || js->state == REGEX_CLASS_ESCAPE;
    bool escaped = js->state == REGEX_ESCAPE || js->state == REGEX_CLASS_ESCAPE;
    bool ends = is_line_end(byte) || (byte == '/' && !in_class && !escaped);
    if (ends) {
        js->state = BASE;
        after_value(js);
    } else if (escaped) {
        js->state = in_class ? REGEX_CLASS : REGEX;
    } else if (byte == '\\') {
        js->state = in_class ? REGEX_CLASS_ESCAPE : REGEX_ESCAPE;
    } else if (byte == '[' || byte == ']') {
        js->state = byte == '[' ? REGEX_CLASS : REGEX;
    }
    return true;
}

static bool on_word(struct js *js, char byte) {
    if (!is_word_char(byte)) {
        end_word(js);
        return false;
    }
    if (js->word_len < JS_WORD_MAX) js->word[js->word_len++] = byte;
    return true;
}

static bool step(struct js *js, const char *at) {
    switch (js->state) {
    case BASE: on_base(js, at); return true;
    case SLASH: return on_slash(js, at);
    case LINE_COMMENT:
        if (is_line_end(*at)) js->state = BASE;
        return true;
    case COMMENT: js->state = *at == '*' ? COMMENT_STAR : COMMENT; return true;
    case COMMENT_STAR: js->state = *at == '/' ? BASE : *at == '*' ? COMMENT_STAR : COMMENT; return true;
    case WORD: return on_word(js, *at);
    case STRING: return on_string(js, at);
    case STRING_ESCAPE: return on_string_escape(js, at);
    case TEMPLATE:
    case TEMPLATE_ESCAPE:
    case TEMPLATE_DOLLAR: return on_template(js, at);
    default: return on_regex(js, *at);
    }
}

void js_init(struct js *js, bool has_json, const struct url_found *found) {
    memset(js, 0, offsetof(struct js, brackets));
    js->found = *found;
    js->has_json = has_json;
    js->state = BASE;
    js->regex_allowed = true;
    js->hold.len = 0;
}

void js_feed(struct js *js, struct view bytes) {
    const char *at = bytes.ptr, *end = bytes.ptr + bytes.len;
    js->mark = at;
    while (at < end && !js->lost)
        if (step(js, at)) at++;
    if (!js->holds) say_text(js, end);
    js->mark = NULL;
}

void js_end(struct js *js) {
    if (js->holds) say_held(js, false, NULL);
    js->state = BASE;
}
