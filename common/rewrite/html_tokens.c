/* One state a byte, as the standard has them, with the states merged that differ only in what they complain
 * about. `mark` is the first byte of this piece that is not said yet: in text that is said as it comes, in a
 * token it is kept, and copied to `hold` only when the piece ends within the token. */
#include "http/chars.h"
#include "rewrite/html_state.h"
#include "rewrite/html_tree.h"
#include "rewrite/scan.h"

static enum html_kind kind_of(int state) {
    if (state >= COMMENT_START && state <= BOGUS) return HTML_COMMENT;
    if (state == DOCTYPE) return HTML_DOCTYPE;
    if (state == CDATA) return HTML_CDATA;
    return html_is_in_tag(state) ? HTML_OTHER : HTML_TEXT;
}

static void say(struct html_tokens *tokens, enum html_kind kind, const char *to, bool is_last) {
    struct view held = view_of(tokens->hold + tokens->said, tokens->held - tokens->said), fresh = {NULL, 0};
    if (to > tokens->mark) fresh = view_of(tokens->mark, (size_t)(to - tokens->mark));
    tokens->held = tokens->said = 0;
    tokens->mark = to;
    if (held.len) tokens->handler.on_raw(tokens->handler.ctx, kind, held, is_last && fresh.len == 0);
    if (fresh.len || (is_last && held.len == 0))
        tokens->handler.on_raw(tokens->handler.ctx, kind, fresh, is_last);
}

static void say_text(struct html_tokens *tokens, const char *to) {
    if (tokens->held || to > tokens->mark) say(tokens, HTML_TEXT, to, false);
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
        char byte = i == 1 && html_is_letter(*at) ? (char)(*at & ~0x20) : *at;
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
    if (html_is_letter(*at)) {
        html_tag_begin(tokens, false);
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
    if (html_is_letter(*at)) {
        html_tag_begin(tokens, true);
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
    if (script && tokens->escape == 1 && html_is_letter(*at)) tokens->state = SCRIPT_WORD;
    return at;
}

static const char *on_raw_end_name(struct html_tokens *tokens, const char *at) {
    bool whole = tokens->run == tokens->name_len;
    if (!whole && http_lower(*at) == tokens->name[tokens->run]) {
        tokens->run++;
        return at + 1;
    }
    if (whole && tokens->run && html_ends_name(*at)) {
        return html_tag_end_raw(tokens, at);
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
    if (tokens->run < sizeof(word) - 1 && http_lower(*at) == word[tokens->run]) {
        tokens->run++;
        return at + 1;
    }
    bool whole = tokens->run == sizeof(word) - 1;
    tokens->state = TEXT;
    tokens->run = 0;
    if (!whole || !html_ends_name(*at)) return at;
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

/* What begins with this '<', if enough of it is here. */
static const char *on_whole(struct html_tokens *tokens, const char *at, const char *end) {
    if (end - at < 4) return NULL;
    if (memcmp(at, "<!--", 4) != 0) return html_tag_whole(tokens, at, end);
    say_text(tokens, at);
    tokens->state = COMMENT_START;
    tokens->run = 0;
    return at + 4;
}

static const char *on_text(struct html_tokens *tokens, const char *at, const char *end) {
    if (tokens->model == MODEL_PLAIN) return end;
    if (tokens->escape) {
        at = on_escaped(tokens, at, end);
        if (at == end || tokens->escape == 0) return at;
    } else {
        at = scan_find(at, '<', end);
        if (!at) return end;
    }
    const char *behind = NULL;
    if (tokens->model == MODEL_DATA && tokens->held == 0) behind = on_whole(tokens, at, end);
    if (behind) return behind;
    say_text(tokens, at);
    tokens->state = tokens->model == MODEL_DATA ? OPEN : RAW_OPEN;
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
    default: return html_tag_step(tokens, at, end);
    }
}

/* The piece ends within a token: what must be seen in one piece is kept, the rest is said. */
static void keep(struct html_tokens *tokens, const char *end) {
    size_t fresh = (size_t)(end - tokens->mark);
    if (fresh == 0) return;
    if (tokens->state == TEXT || tokens->state >= COMMENT_START) {
        say(tokens, kind_of(tokens->state), end, false);
        return;
    }
    memcpy(tokens->hold + tokens->held, tokens->mark, fresh);
    tokens->held += fresh;
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
    while (at < end) at = tokens->state == TEXT ? on_text(tokens, at, end) : step(tokens, at, end);
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
