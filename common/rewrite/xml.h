/* URLs in XML: where an element's text or an attribute's value begins with an absolute one, and the text of
 * an element whose name is `href`, of whatever namespace, where it is a path, too (WebDAV, RFC 4918 14.7).
 * Streaming; holds back one URL. */
#ifndef REWRITE_XML_H
#define REWRITE_XML_H

#include "rewrite/url_found.h"

#define XML_NAME_MAX 8

struct xml {
    struct url_found found;
    int state;
    char quote;      /* of the value that is read */
    const char *end; /* of what is passed over: "-->" */
    unsigned run;    /* so much of it has come */
    unsigned char name_len;
    char name[XML_NAME_MAX]; /* of the tag, behind its colon; longer ones are none that matter */
    bool is_end_tag, holds;
    const char *mark;
    struct url_hold hold;
};

/* `found` is copied. */
void xml_init(struct xml *xml, const struct url_found *found);
void xml_feed(struct xml *xml, struct view bytes);
void xml_end(struct xml *xml);

#endif
