/* The text of an attribute's value: character references decoded, and edits of the decoded text applied to
 * the raw one. Only references to ASCII characters are read as such, by number or by name; all others stay
 * as they are written, which is right as long as nobody looks for what they mean. */
#ifndef REWRITE_HTML_TEXT_H
#define REWRITE_HTML_TEXT_H

#include "rewrite/edit.h"

/* The character at `at`, which is in the value; returns how many bytes it takes there. */
size_t html_text_char(struct view value, size_t at, char *ret_char);

/* The decoded value: the value itself where there is no reference in it, else in `room` (value.len bytes). */
struct view html_text_decode(struct view value, char *room);

/* A sink for edits of the decoded value, which passes them to `to` as edits of the raw one. What is put is
 * written so that it stands for itself between these quotes (0: none). */
struct html_text_sink {
    const struct edit_sink *to;
    struct view value; /* raw */
    size_t at;
    bool is_plain;
    char quote;
    struct edit_sink sink; /* to be handed to whoever edits */
};

void html_text_sink_init(struct html_text_sink *text, struct view value, bool is_plain, char quote,
                         const struct edit_sink *to);

#endif
