/* What the files of the tokenizer share (html_tokens.c: text, comments and their like; html_tag.c: tags). */
#ifndef REWRITE_HTML_STATE_H
#define REWRITE_HTML_STATE_H

#include "rewrite/html_tokens.h"

enum html_state {
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
static const unsigned char html_classes[256] = {
    [' '] = 7, ['\n'] = 7, ['\t'] = 7, ['\r'] = 7, ['\f'] = 7, ['/'] = 6, ['>'] = 6, ['='] = 4,
};

static inline bool html_is_space(char byte) {
    return (html_classes[(unsigned char)byte] & 1) != 0;
}

static inline bool html_ends_name(char byte) {
    return (html_classes[(unsigned char)byte] & 2) != 0;
}

static inline bool html_is_letter(char byte) {
    char low = (char)(byte | 0x20);
    return low >= 'a' && low <= 'z';
}

static inline bool html_is_in_tag(int state) {
    return state >= TAG_NAME && state <= SLASH;
}

/* A tag begins; what is to come first is its name. */
void html_tag_begin(struct html_tokens *tokens, bool is_end);
/* Within a tag: takes some bytes, and says it when it is whole. */
const char *html_tag_step(struct html_tokens *tokens, const char *at, const char *end);
/* The name that was waited for in raw text ends before `at`, and with it "</" and the name are read. */
const char *html_tag_end_raw(struct html_tokens *tokens, const char *at);
/* A tag that lies whole in this piece, from its '<', as nearly all are written; the text before it that is
 * not said yet, all of this piece, is said with it. NULL: it is otherwise, and nothing has happened. */
const char *html_tag_whole(struct html_tokens *tokens, const char *open, const char *end);

#endif
