/* URLs in CSS (css-syntax-3): in url(), behind @import, and in image-set(). Streaming; holds back one URL. */
#ifndef REWRITE_CSS_H
#define REWRITE_CSS_H

#include "rewrite/url_found.h"

#define CSS_NAME_MAX 24

struct css {
    struct url_found found;
    int state, after_escape;
    char quote;
    bool is_url; /* of the string that is read */
    bool import, is_namespace;
    bool spaced, broken; /* of the unquoted URL */
    unsigned digits;     /* of an escape */
    unsigned number;
    unsigned char name_len;
    char name[CSS_NAME_MAX]; /* lower case, unescaped; what begins it ("@", "#") too */
    size_t depth, image_set; /* open parentheses; those of an image-set(), 0: none */
    const char *mark;
    struct url_hold hold;
};

/* `found` is copied. */
void css_init(struct css *css, const struct url_found *found);
void css_feed(struct css *css, struct view bytes);
void css_end(struct css *css);

#endif
