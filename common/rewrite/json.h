/* URLs in JSON's strings. Absolute ones are looked at everywhere; paths ("/x") only where it is known that
 * they are URLs, since most strings that begin with '/' are something else. Streaming; holds back one string.
 */
#ifndef REWRITE_JSON_H
#define REWRITE_JSON_H

#include "rewrite/url_found.h"

enum json_mode {
    JSON_PLAIN,   /* in OpenAPI and Swagger documents: servers[].url, basePath, host, addresses of OAuth */
    JSON_API,     /* the same, of a document that is known to be one before it says so */
    JSON_PATHS,   /* asked for: also what is under /api and its like, or ends in .json, .yaml, .yml */
    JSON_ESCAPED, /* in a page: those whose slashes are escaped */
    JSON_URLS,    /* import maps and speculation rules: every string, names of members too */
    JSON_MANIFEST /* web app manifests: start_url, scope, id, action, src, url */
};

/* Deeper members are not told apart. */
#define JSON_DEPTH_MAX 256

struct json {
    struct url_found found;
    enum json_mode mode;
    int state;
    bool is_key; /* of the string that is read */
    bool expects_key;
    bool is_openapi; /* a member of the document itself said so */
    bool holds;
    unsigned char key; /* the member whose value is read */
    size_t depth;
    unsigned char
        within[JSON_DEPTH_MAX]; /* each open container: the member it is the value of; objects have a bit */
    const char *mark;
    struct url_hold hold;
};

/* `found` is copied. */
void json_init(struct json *json, enum json_mode mode, const struct url_found *found);
void json_feed(struct json *json, struct view bytes);
void json_end(struct json *json);

#endif
