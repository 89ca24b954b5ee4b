/* A start tag's attributes, rewritten. */
#ifndef REWRITE_HTML_ATTRS_H
#define REWRITE_HTML_ATTRS_H

#include "rewrite/html_tokens.h"
#include "rewrite/url.h"

/* Copies what is said with the tag to the sink, rewritten:
 *   href src action formaction poster manifest background data-src data-href xlink:href, and an <object>'s
 * data; ping; srcset imagesrcset; style; srcdoc; content of <meta http-equiv=refresh> and of its policies.
 * `integrity` goes where the element's target is ours, since what it names may be rewritten as well. */
void html_attrs_rewrite(const struct rewrite_site *site, const struct html_tag *tag,
                        const struct edit_sink *sink);

/* The decoded value of the first attribute of that name (lower case), in `room`; absent when there is none or
 * it is too long. */
struct view html_attrs_value(const struct html_tag *tag, struct view name, char *room, size_t room_size);

#endif
