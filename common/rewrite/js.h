/* Module specifiers in JavaScript: the literal strings of static `import` and `export … from`, and of
 * import(). In a page's scripts also the strings of JSON whose slashes are escaped, as PHP writes them.
 * Nothing else is touched. Streaming; holds back one string. */
#ifndef REWRITE_JS_H
#define REWRITE_JS_H

#include "rewrite/url_found.h"

/* Deeper brackets are not followed: the rest passes. */
#define JS_DEPTH_MAX 1024
#define JS_WORD_MAX 12

struct js {
    struct url_found found;
    bool has_json; /* look for escaped slashes */
    bool lost;     /* brackets too deep: nothing is found any more */
    int state;
    char quote;
    char last;            /* the token before: its last character, 'a' for a word, '"' for a value */
    bool adjacent;        /* nothing stands between it and here */
    bool regex_allowed;   /* a '/' begins a regular expression */
    bool head_follows;    /* the word before is one like `if`, whose parentheses end without a value */
    bool block_follows;   /* the word before is one like `else` */
    unsigned char holds;  /* why the string is held: 0 not at all */
    unsigned char clause; /* of import and export */
    bool is_from, is_first;
    unsigned char word_len;
    char word[JS_WORD_MAX];
    size_t depth;
    unsigned char brackets[JS_DEPTH_MAX];
    const char *mark;
    struct url_hold hold;
};

/* `found` is copied. */
void js_init(struct js *js, bool has_json, const struct url_found *found);
void js_feed(struct js *js, struct view bytes);
void js_end(struct js *js);

#endif
