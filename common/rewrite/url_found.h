/* What finds URLs in a language (CSS, JavaScript, JSON) says of its text: in order, each byte once, as text
 * that passes or as the inside of something that is a URL. What is found is as it is written, with its
 * escapes, and may be cut off at URL_FOUND_MAX (the rest then passes as text), which is far behind what
 * decides. */
#ifndef REWRITE_URL_FOUND_H
#define REWRITE_URL_FOUND_H

#include "rewrite/url.h"

#define URL_FOUND_MAX ((size_t)4096)

enum url_role {
    URL_WHOLE,
    URL_BASE, /* paths are appended to it, so it gets no '/' at its end that it did not have */
    URL_HOST  /* "host:port" alone */
};

/* Borrowed until return; never empty. */
struct url_found {
    void (*on_text)(void *ctx, struct view text);
    void (*on_url)(void *ctx, struct view raw, enum url_role role);
    void *ctx;
};

/* Reads the character at `at` in a language's way; returns how many bytes it takes. *ret_char is -1 where it
 * stands for none (a line that goes on) and 0x80 for all beyond ASCII. */
typedef size_t (*url_char_fn)(struct view raw, size_t at, int *ret_char);

size_t css_char(struct view raw, size_t at, int *ret_char);
size_t js_char(struct view raw, size_t at, int *ret_char);
size_t json_char(struct view raw, size_t at, int *ret_char);
size_t xml_char(struct view raw, size_t at, int *ret_char); /* no escapes: references to ASCII are not read */

/* Copies `raw` to the sink, with the URL that it is rewritten. */
void url_found_rewrite(const struct rewrite_site *site, struct view raw, enum url_role role, url_char_fn read,
                       const struct edit_sink *sink);

/* A string of JSON (as it is written) whose every slash is escaped, and that is a path or an address: PHP
 * writes them so, and nobody writes anything else so. */
bool url_found_is_escaped(struct view raw);

/* Where a finder keeps a URL until it is whole. */
struct url_hold {
    size_t len;
    char raw[URL_FOUND_MAX];
};

/* False: it is full. */
static inline bool url_hold_add(struct url_hold *hold, char byte) {
    if (hold->len == URL_FOUND_MAX) return false;
    hold->raw[hold->len++] = byte;
    return true;
}

#endif
