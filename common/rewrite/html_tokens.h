/* HTML's tokenizer (WHATWG HTML 13.2.5), streaming and without a tree: it finds start and end tags with their
 * attributes, comments and text, and says each byte of its input once, in order. What the standard's tree
 * would tell the tokenizer is followed as far as it matters here: the element whose text is raw, and whether
 * the place is in SVG or MathML (where there is no raw text, but CDATA). */
#ifndef REWRITE_HTML_TOKENS_H
#define REWRITE_HTML_TOKENS_H

#include "base/view.h"

/* A tag that is longer, or has more attributes, is said in parts. */
#define HTML_TAG_MAX ((size_t)16 * 1024)
#define HTML_ATTRS_MAX 256
#define HTML_NAME_MAX 16
#define HTML_FOREIGN_MAX 32

enum html_kind {
    HTML_TEXT,
    HTML_COMMENT, /* with its delimiters; also bogus ones ("<?...>") */
    HTML_DOCTYPE,
    HTML_CDATA, /* with its delimiters */
    HTML_OTHER  /* of a tag: the rest of a value that is too long, or what has no end */
};

/* Offsets in the tag's raw bytes; `value` 0: there is none. A value's quotes are not part of it. */
struct html_attr {
    uint16_t name, name_end, value, value_end;
};

/* A tag, or a part of one. Parts after the first begin with what was said before: the name and attributes
 * that are short, so that what depends on them can be decided. */
struct html_tag {
    struct view raw;  /* from '<', to '>' or to where the next part begins */
    size_t before;    /* so many bytes before `raw` are text that was not said yet */
    size_t said;      /* so much of `raw` was said in earlier parts */
    bool goes_on;     /* another part follows */
    bool is_cut;      /* and the last attribute's value goes on in HTML_OTHER */
    struct view name; /* as it is written */
    bool is_end, is_self_closing;
    bool is_foreign; /* an element of SVG or MathML; said of the last part */
    const struct html_attr *attrs;
    size_t attr_count;
};

struct html_handler {
    /* Borrowed until return. */
    void (*on_tag)(void *ctx, const struct html_tag *tag);
    /* A piece; `is_last`: the token ends with it (of text: never said). May be empty only when it is last. */
    void (*on_raw)(void *ctx, enum html_kind kind, struct view bytes, bool is_last);
    void *ctx;
};

enum html_model { MODEL_DATA, MODEL_RAW, MODEL_SCRIPT, MODEL_PLAIN };

struct html_tokens {
    struct html_handler handler;
    int state;
    enum html_model model;
    unsigned char escape; /* in a script: 1 escaped, 2 double escaped */
    unsigned run;         /* characters in a row of what the state counts */
    bool is_end, is_self_closing;
    bool passes;              /* a value of which the head was said */
    uint16_t said;            /* of the tag under way: see struct html_tag */
    unsigned char name_len;   /* of `name`; beyond HTML_NAME_MAX: too long to be one that matters */
    char name[HTML_NAME_MAX]; /* lower case: of the tag under way, else of the last start tag */
    uint16_t name_end;        /* in the tag */
    unsigned char foreign[HTML_FOREIGN_MAX]; /* open elements that matter to it */
    size_t foreign_count;
    const char *mark; /* what is not said yet of the bytes fed */
    struct html_attr attrs[HTML_ATTRS_MAX];
    size_t attr_count;
    struct html_attr *attr; /* the one under way, or NULL */
    size_t held;
    char hold[HTML_TAG_MAX]; /* of the token under way, what came in earlier pieces */
};

void html_tokens_init(struct html_tokens *tokens, const struct html_handler *handler);
/* Begins where only raw text can be: the text of such an element, whose name is lower case and short. */
void html_tokens_enter(struct html_tokens *tokens, enum html_model model, struct view element);
void html_tokens_feed(struct html_tokens *tokens, struct view bytes);
void html_tokens_end(struct html_tokens *tokens);

/* What is said with it for the first time. */
static inline struct view html_tag_said(const struct html_tag *tag) {
    return view_of(tag->raw.ptr + tag->said - tag->before, tag->raw.len - tag->said + tag->before);
}
static inline struct view html_tag_before(const struct html_tag *tag) {
    return view_of(tag->raw.ptr - tag->before, tag->before);
}
static inline struct view html_attr_name(const struct html_tag *tag, const struct html_attr *attr) {
    return view_slice(tag->raw, attr->name, attr->name_end);
}
static inline struct view html_attr_value(const struct html_tag *tag, const struct html_attr *attr) {
    return attr->value ? view_slice(tag->raw, attr->value, attr->value_end) : (struct view){NULL, 0};
}

#endif
