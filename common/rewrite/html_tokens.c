/* One state a byte, as the standard has them, with the states merged that differ only in what they complain
 * about. `mark` is the first byte of this piece that is not said yet: in text that is said as it comes, in a
 * token it is kept, and copied to `hold` only when the piece ends within the token. */
#include "rewrite/html_tokens.h"

#include "http/chars.h"
#include "rewrite/html_tree.h"

enum state {
    TEXT,
    OPEN,         /* "<" */
    END_OPEN,     /* "</" */
    MARKUP,       /* "<!", and what it may begin */
    RAW_OPEN,     /* "<" in raw text */
    RAW_END_NAME, /* "</" in raw text, and part of the name */
    SCRIPT_MARK,  /* "<!" in a script, and "-" */
    SCRIPT_WORD,  /* "<" or "</" in an escaped script, and part of "script" */
    TAG_NAME,
    BEFORE_NAME,
    NAME,
    AFTER_NAME,
    BEFORE_VALUE,
    DOUBLE_QUOTED,
    SINGLE_QUOTED,
    UNQUOTED,
    AFTER_VALUE,
    SLASH,
    COMMENT_START, /* "<!--", and "-" */
    COMMENT,
    COMMENT_BANG, /* "--!" */
    BOGUS,
    DOCTYPE,
    CDATA,
};

/* By a table, since each byte of a tag is asked: 1 white space, 2 what ends a name, 4 what ends an
 * attribute's. */
static const unsigned char classes[256] = {
    [' '] = 7, ['\n'] = 7, ['\t'] = 7, ['\r'] = 7, ['\f'] = 7, ['/'] = 6, ['>'] = 6, ['='] = 4,
};

static bool is_space(char byte) {
    return (classes[(unsigned char)byte] & 1) != 0;
}

static bool is_letter(char byte) {
    char low = (char)(byte | 0x20);
    return low >= 'a' && low <= 'z';
}

static bool ends_name(char byte) {
    return (classes[(unsigned char)byte] & 2) != 0;
}

static bool ends_attr_name(char byte) {
    return (classes[(unsigned char)byte] & 4) != 0;
}

static bool is_in_tag(int state) {
    return state >= TAG_NAME && state <= SLASH;
}

static enum html_kind kind_of(int state) {
    if (state >= COMMENT_START && state <= BOGUS) return HTML_COMMENT;
    if (state == DOCTYPE) return HTML_DOCTYPE;
    if (state == CDATA) return HTML_CDATA;
    return is_in_tag(state) ? HTML_OTHER : HTML_TEXT;
}

static void say(struct html_tokens *tokens, enum html_kind kind, const char *to, bool is_last) {
    struct view held = view_of(tokens->hold, tokens->held), fresh = {NULL, 0};
    if (to > tokens->mark) fresh = view_of(tokens->mark, (size_t)(to - tokens->mark));
    tokens->held = 0;
    tokens->mark = to;
    if (held.len) tokens->handler.on_raw(tokens->handler.ctx, kind, held, is_last && fresh.len == 0);
    if (fresh.len || (is_last && held.len == 0))
        tokens->handler.on_raw(tokens->handler.ctx, kind, fresh, is_last);
}

static void say_text(struct html_tokens *tokens, const char *to) {
    if (tokens->held || to > tokens->mark) say(tokens, HTML_TEXT, to, false);
}

/* Of the token under way, to `at`. */
static size_t offset(const struct html_tokens *tokens, const char *at) {
    return tokens->held + (size_t)(at - tokens->mark);
}

/* ---- tags ---- */

static void begin_tag(struct html_tokens *tokens, bool is_end) {
    tokens->state = TAG_NAME;
    tokens->is_end = is_end;
    tokens->is_self_closing = tokens->spilled = false;
    tokens->name_len = 0;
    tokens->attr_count = 0;
    tokens->attr = NULL;
}

static void begin_attr(struct html_tokens *tokens, const char *at) {
    size_t place = offset(tokens, at);
    tokens->state = NAME;
    tokens->attr = NULL;
    if (tokens->spilled || place >= HTML_TAG_MAX || tokens->attr_count == HTML_ATTRS_MAX) return;
    tokens->attr = &tokens->attrs[tokens->attr_count++];
    *tokens->attr = (struct html_attr){.name = (uint16_t)place, .name_end = (uint16_t)place};
}

static void end_attr_name(struct html_tokens *tokens, const char *at) {
    if (tokens->attr) tokens->attr->name_end = (uint16_t)offset(tokens, at);
}

static void begin_value(struct html_tokens *tokens, const char *at) {
    if (tokens->attr) tokens->attr->value = tokens->attr->value_end = (uint16_t)offset(tokens, at);
}

static void end_value(struct html_tokens *tokens, const char *at) {
    if (tokens->attr) tokens->attr->value_end = (uint16_t)offset(tokens, at);
}

/* The tag's bytes in one piece; false when it is too long. */
static bool gather(struct html_tokens *tokens, const char *to, struct view *ret_raw) {
    size_t fresh = (size_t)(to - tokens->mark);
    if (tokens->spilled || tokens->held + fresh > HTML_TAG_MAX) return false;
    if (tokens->held == 0) {
        *ret_raw = view_of(tokens->mark, fresh);
        return true;
    }
    memcpy(tokens->hold + tokens->held, tokens->mark, fresh);
    *ret_raw = view_of(tokens->hold, tokens->held + fresh);
    return true;
}

static void finish_tag(struct html_tokens *tokens, const char *to) {
    struct html_tag tag = {.is_end = tokens->is_end,
                           .is_self_closing = tokens->is_self_closing,
                           .attrs = tokens->attrs,
                           .attr_count = tokens->attr_count};
    size_t from = tokens->is_end ? 2 : 1;
    tokens->model = MODEL_DATA;
    tokens->escape = 0;
    tokens->run = 0;
    tag.is_foreign = tokens->is_end ? html_tree_end(tokens) : html_tree_start(tokens);
    tokens->state = TEXT;
    if (!gather(tokens, to, &tag.raw)) {
        tokens->spilled = false;
        say(tokens, HTML_OTHER, to, true);
        return;
    }
    tag.name = view_slice(tag.raw, from, tokens->name_end);
    tokens->held = 0;
    tokens->mark = to;
    tokens->handler.on_tag(tokens->handler.ctx, &tag);
}

/* What may follow a tag's name or an attribute. */
static const char *between(struct html_tokens *tokens, const char *at) {
    if (*at == '>') {
        finish_tag(tokens, at + 1);
    } else if (*at == '/') {
        tokens->state = SLASH;
    } else if (is_space(*at)) {
        tokens->state = BEFORE_NAME;
    } else {
        begin_attr(tokens, at);
    }
    return at + 1;
}

static const char *on_tag_name(struct html_tokens *tokens, const char *at, const char *end) {
    for (; at < end && !ends_name(*at); at++) {
        if (tokens->name_len < HTML_NAME_MAX) tokens->name[tokens->name_len] = http_lower(*at);
        if (tokens->name_len <= HTML_NAME_MAX) tokens->name_len++;
    }
    if (at == end) return at;
    size_t place = offset(tokens, at);
    tokens->name_end = (uint16_t)(place < HTML_TAG_MAX ? place : HTML_TAG_MAX);
    return between(tokens, at);
}

static const char *on_attr_name(struct html_tokens *tokens, const char *at, const char *end) {
    while (at < end && !ends_attr_name(*at)) at++;
    end_attr_name(tokens, at);
    if (at == end) return at;
    if (*at == '=')
        tokens->state = BEFORE_VALUE;
    else if (is_space(*at))
        tokens->state = AFTER_NAME;
    else
        return between(tokens, at);
    return at + 1;
}

static const char *on_before_value(struct html_tokens *tokens, const char *at) {
    if (is_space(*at)) return at + 1;
    if (*at == '>') return between(tokens, at);
    if (*at == '"' || *at == '\'') {
        tokens->state = *at == '"' ? DOUBLE_QUOTED : SINGLE_QUOTED;
        begin_value(tokens, at + 1);
        return at + 1;
    }
    tokens->state = UNQUOTED;
    begin_value(tokens, at);
    return at;
}

static const char *on_quoted(struct html_tokens *tokens, const char *at, const char *end) {
    const char *quote = memchr(at, tokens->state == DOUBLE_QUOTED ? '"' : '\'', (size_t)(end - at));
    end_value(tokens, quote ? quote : end);
    if (!quote) return end;
    tokens->state = AFTER_VALUE;
    return quote + 1;
}

static const char *on_unquoted(struct html_tokens *tokens, const char *at, const char *end) {
    while (at < end && !is_space(*at) && *at != '>') at++;
    end_value(tokens, at);
    return at == end ? at : between(tokens, at);
}

static void add_attr(struct html_tokens *tokens, const char *name, const char *equals, const char *quote) {
    size_t place = offset(tokens, name), value = place + (size_t)(equals - name) + 2;
    tokens->attrs[tokens->attr_count++] = (struct html_attr){
        .name = (uint16_t)place,
        .name_end = (uint16_t)(value - 2),
        .value = (uint16_t)value,
        .value_end = (uint16_t)(value + (size_t)(quote - equals) - 2),
    };
}

/* Attributes as nearly all are written, `name="value"`, that lie whole in this piece, at one go. Stops before
 * whatever is otherwise; the states go on from there. */
static const char *pass_attrs(struct html_tokens *tokens, const char *at, const char *end) {
    if (tokens->spilled) return at;
    tokens->attr = NULL;
    tokens->state = BEFORE_NAME;
    while (tokens->attr_count < HTML_ATTRS_MAX) {
        const char *name = at;
        while (name < end && is_space(*name)) name++;
        const char *equals = name;
        while (equals < end && !ends_attr_name(*equals)) equals++;
        if (equals == name || end - equals < 2 || equals[0] != '=') return name;
        if ((equals[1] != '"' && equals[1] != '\'') || offset(tokens, name) >= HTML_TAG_MAX) return name;
        const char *quote = memchr(equals + 2, equals[1], (size_t)(end - equals - 2));
        if (!quote) return name;
        add_attr(tokens, name, equals, quote);
        at = quote + 1;
    }
    return at;
}

static const char *on_between(struct html_tokens *tokens, const char *at, const char *end) {
    at = pass_attrs(tokens, at, end);
    return at < end ? between(tokens, at) : at;
}

static const char *on_tag(struct html_tokens *tokens, const char *at, const char *end) {
    switch (tokens->state) {
    case TAG_NAME: return on_tag_name(tokens, at, end);
    case NAME: return on_attr_name(tokens, at, end);
    case AFTER_NAME:
        if (*at == '=') tokens->state = BEFORE_VALUE;
        if (*at == '=' || is_space(*at)) return at + 1;
        return between(tokens, at);
    case BEFORE_VALUE: return on_before_value(tokens, at);
    case DOUBLE_QUOTED:
    case SINGLE_QUOTED: return on_quoted(tokens, at, end);
    case UNQUOTED: return on_unquoted(tokens, at, end);
    case SLASH: tokens->is_self_closing = *at == '>'; return between(tokens, at);
    default: return on_between(tokens, at, end);
    }
}

/* ---- comments and their like ---- */

/* Dashes are counted: "-->" and "--!>" end it; so do ">" and "->" right at its start. */
static const char *on_comment(struct html_tokens *tokens, const char *at, const char *end) {
    bool start = tokens->state == COMMENT_START;
    if (!start && tokens->state == COMMENT && tokens->run == 0) {
        at = memchr(at, '-', (size_t)(end - at));
        if (!at) return end;
    }
    bool ends = *at == '>' && (start || tokens->run >= 2);
    if (*at == '!' && tokens->run >= 2 && tokens->state == COMMENT) {
        tokens->state = COMMENT_BANG;
        return at + 1;
    }
    /* "--!" and a dash: the first of a new run. */
    if (tokens->state == COMMENT_BANG) tokens->run = 0;
    tokens->run = *at == '-' ? tokens->run + (tokens->run < 2) : 0;
    if (!start || *at != '-' || tokens->run == 2) tokens->state = COMMENT;
    if (ends) {
        tokens->state = TEXT;
        tokens->run = 0;
        say(tokens, HTML_COMMENT, at + 1, true);
    }
    return at + 1;
}

static const char *on_until_angle(struct html_tokens *tokens, const char *at, const char *end) {
    const char *found = memchr(at, '>', (size_t)(end - at));
    if (!found) return end;
    enum html_kind kind = kind_of(tokens->state);
    tokens->state = TEXT;
    say(tokens, kind, found + 1, true);
    return found + 1;
}

static const char *on_cdata(struct html_tokens *tokens, const char *at, const char *end) {
    if (tokens->run == 0) {
        at = memchr(at, ']', (size_t)(end - at));
        if (!at) return end;
    }
    bool ends = *at == '>' && tokens->run >= 2;
    tokens->run = *at == ']' ? tokens->run + (tokens->run < 2) : 0;
    if (ends) {
        tokens->state = TEXT;
        say(tokens, HTML_CDATA, at + 1, true);
    }
    return at + 1;
}

/* "<!" and `run` bytes that may begin one of three things. */
static const char *on_markup(struct html_tokens *tokens, const char *at) {
    static const char *const words[] = {"--", "DOCTYPE", "[CDATA["};
    static const int states[] = {COMMENT_START, DOCTYPE, CDATA};
    for (int i = 0; i < 3; i++) {
        bool here = (tokens->escape & 1u << i) != 0;
        char byte = i == 1 && is_letter(*at) ? (char)(*at & ~0x20) : *at;
        if (!here || byte != words[i][tokens->run]) {
            tokens->escape = (unsigned char)(tokens->escape & ~(1u << i));
            continue;
        }
        if (words[i][tokens->run + 1] != '\0') continue;
        tokens->state = states[i];
        tokens->run = 0;
        tokens->escape = 0;
        return at + 1;
    }
    tokens->run++;
    if (tokens->escape) return at + 1;
    tokens->state = BOGUS;
    tokens->run = 0;
    return at;
}

static void begin_markup(struct html_tokens *tokens) {
    tokens->state = MARKUP;
    tokens->run = 0;
    tokens->escape = html_tree_is_foreign(tokens) ? 7 : 3; /* which words it may be */
}

/* ---- text ---- */

static const char *on_open(struct html_tokens *tokens, const char *at) {
    if (is_letter(*at)) {
        begin_tag(tokens, false);
        return at;
    }
    tokens->state = TEXT;
    if (*at == '/')
        tokens->state = END_OPEN;
    else if (*at == '!')
        begin_markup(tokens);
    else if (*at == '?')
        tokens->state = BOGUS;
    else
        return at;
    return at + 1;
}

static const char *on_end_open(struct html_tokens *tokens, const char *at) {
    if (is_letter(*at)) {
        begin_tag(tokens, true);
        return at;
    }
    if (*at == '>') { /* "</>" is nothing at all */
        tokens->state = BOGUS;
        return at;
    }
    tokens->state = BOGUS;
    return at + 1;
}

/* Anything else than the end tag that is waited for is text, and an escaped script may go on from there. */
static const char *on_raw_open(struct html_tokens *tokens, const char *at) {
    bool script = tokens->model == MODEL_SCRIPT;
    tokens->run = 0;
    tokens->state = TEXT;
    if (*at == '/') {
        tokens->state = tokens->escape == 2 ? SCRIPT_WORD : RAW_END_NAME;
        return at + 1;
    }
    if (script && tokens->escape == 0 && *at == '!') {
        tokens->state = SCRIPT_MARK;
        return at + 1;
    }
    if (script && tokens->escape == 1 && is_letter(*at)) tokens->state = SCRIPT_WORD;
    return at;
}

static const char *on_raw_end_name(struct html_tokens *tokens, const char *at) {
    bool whole = tokens->run == tokens->name_len;
    if (!whole && http_lower(*at) == tokens->name[tokens->run]) {
        tokens->run++;
        return at + 1;
    }
    if (whole && tokens->run && ends_name(*at)) {
        unsigned char len = tokens->name_len;
        begin_tag(tokens, true);
        tokens->name_len = len;
        tokens->name_end = (uint16_t)(2 + len);
        return between(tokens, at);
    }
    tokens->state = TEXT;
    tokens->run = 0;
    return at;
}

static const char *on_script_mark(struct html_tokens *tokens, const char *at) {
    if (*at != '-') {
        tokens->state = TEXT;
        tokens->run = 0;
        return at;
    }
    if (++tokens->run == 2) {
        tokens->state = TEXT;
        tokens->escape = 1;
    }
    return at + 1;
}

/* "<script" in an escaped script escapes it doubly, "</script" takes that back. */
static const char *on_script_word(struct html_tokens *tokens, const char *at) {
    static const char word[] = "script";
    if (tokens->run < sizeof word - 1 && http_lower(*at) == word[tokens->run]) {
        tokens->run++;
        return at + 1;
    }
    bool whole = tokens->run == sizeof word - 1;
    tokens->state = TEXT;
    tokens->run = 0;
    if (!whole || !ends_name(*at)) return at;
    tokens->escape = tokens->escape == 1 ? 2 : 1;
    return at + 1;
}

static const char *on_escaped(struct html_tokens *tokens, const char *at, const char *end) {
    for (; at < end && *at != '<'; at++) {
        bool leaves = *at == '>' && tokens->run >= 2;
        tokens->run = *at == '-' ? tokens->run + (tokens->run < 2) : 0;
        if (!leaves) continue;
        tokens->escape = 0;
        return at + 1;
    }
    return at;
}

static const char *on_text(struct html_tokens *tokens, const char *at, const char *end) {
    if (tokens->model == MODEL_PLAIN) return end;
    if (tokens->escape) {
        at = on_escaped(tokens, at, end);
        if (at == end || tokens->escape == 0) return at;
    } else {
        at = memchr(at, '<', (size_t)(end - at));
        if (!at) return end;
    }
    say_text(tokens, at);
    tokens->state = tokens->model == MODEL_DATA ? OPEN : RAW_OPEN;
    bool tag_follows = tokens->state == OPEN && at + 1 < end && is_letter(at[1]);
    if (tag_follows) begin_tag(tokens, false);
    return at + 1;
}

static const char *step(struct html_tokens *tokens, const char *at, const char *end) {
    switch (tokens->state) {
    case TEXT: return on_text(tokens, at, end);
    case OPEN: return on_open(tokens, at);
    case END_OPEN: return on_end_open(tokens, at);
    case MARKUP: return on_markup(tokens, at);
    case RAW_OPEN: return on_raw_open(tokens, at);
    case RAW_END_NAME: return on_raw_end_name(tokens, at);
    case SCRIPT_MARK: return on_script_mark(tokens, at);
    case SCRIPT_WORD: return on_script_word(tokens, at);
    case COMMENT_START:
    case COMMENT:
    case COMMENT_BANG: return on_comment(tokens, at, end);
    case BOGUS:
    case DOCTYPE: return on_until_angle(tokens, at, end);
    case CDATA: return on_cdata(tokens, at, end);
    default: return on_tag(tokens, at, end);
    }
}

/* The piece ends within a token: what must be seen in one piece is kept, the rest is said. */
static void keep(struct html_tokens *tokens, const char *end) {
    size_t fresh = (size_t)(end - tokens->mark);
    bool kept = tokens->state != TEXT && tokens->state < COMMENT_START && !tokens->spilled;
    if (fresh == 0) return;
    if (kept && tokens->held + fresh <= HTML_TAG_MAX) {
        memcpy(tokens->hold + tokens->held, tokens->mark, fresh);
        tokens->held += fresh;
        return;
    }
    if (is_in_tag(tokens->state)) {
        tokens->spilled = true;
        tokens->attr = NULL;
    }
    say(tokens, kind_of(tokens->state), end, false);
}

void html_tokens_init(struct html_tokens *tokens, const struct html_handler *handler) {
    memset(tokens, 0, offsetof(struct html_tokens, hold));
    tokens->handler = *handler;
    tokens->state = TEXT;
}

void html_tokens_enter(struct html_tokens *tokens, enum html_model model, struct view element) {
    tokens->model = model;
    tokens->name_len = (unsigned char)(element.len <= HTML_NAME_MAX ? element.len : 0);
    if (tokens->name_len) memcpy(tokens->name, element.ptr, tokens->name_len);
}

void html_tokens_feed(struct html_tokens *tokens, struct view bytes) {
    const char *at = bytes.ptr, *end = bytes.ptr + bytes.len;
    tokens->mark = at;
    while (at < end) {
        at = step(tokens, at, end);
        while (at < end && is_in_tag(tokens->state)) at = on_tag(tokens, at, end);
    }
    keep(tokens, end);
    tokens->mark = NULL;
}

void html_tokens_end(struct html_tokens *tokens) {
    enum html_kind kind = kind_of(tokens->state);
    bool token = kind != HTML_TEXT;
    tokens->mark = NULL;
    if (tokens->state == MARKUP) kind = HTML_COMMENT;
    if (tokens->held || token) say(tokens, kind, NULL, token || kind == HTML_COMMENT);
    tokens->state = TEXT;
}
