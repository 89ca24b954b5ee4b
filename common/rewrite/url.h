/* URLs of an application that was written for "/" and is served under a prefix. Only those that lead to this
 * application by themselves are touched: root-relative paths, and absolute URLs of the visitor's own origin
 * or of the local service's. Everything else (relative paths, other hosts, other schemes, fragments) stays as
 * it is. The visitor's own host counts with any scheme at that scheme's own port: an application behind TLS
 * often does not know of it, and writes "http". */
#ifndef REWRITE_URL_H
#define REWRITE_URL_H

#include "rewrite/edit.h"

/* Where the application is served. All is borrowed for as long as something rewrites by it. */
struct rewrite_site {
    struct view tunnel_id; /* what the page's script tells */
    struct view prefix;  /* "/abcdefghijkl", of characters that stand for themselves in HTML, CSS, JavaScript
                            and JSON; empty: nothing is changed */
    struct view scheme;  /* the visitor's: "https" or "http" */
    struct view host;    /* the visitor's: "name" or "name:port" */
    struct view service; /* the local service's "localhost:3000"; absent where it is not known */
    struct view cookie_path; /* of cookies that are set without one; absent: the browser finds it itself */
    struct view referrer_policy; /* the page's, of letters and hyphens, for its script; absent: the default */
    bool is_elsewhere;           /* a <base> of another origin: paths without an origin are not ours */
    unsigned char depth;         /* of the document: within so many attributes (srcdoc) */
};

enum url_kind {
    URL_FOREIGN,  /* leads elsewhere, or is no URL that a server answers */
    URL_RELATIVE, /* relative to the page's own address, which has the prefix */
    URL_INSIDE,   /* ours, and under the prefix already */
    URL_CHANGED   /* ours: here is the edit */
};

#define URL_PUTS 5
/* Bytes from which url_look() can always tell, of any URL (white space before it aside). */
#define URL_HEAD_MAX ((size_t)1024)

struct url_edit {
    size_t at, drop;
    struct view put[URL_PUTS]; /* the unused ones are empty */
};

/* Reads `url` as browsers do (WHATWG URL): white space before it and tabs and line ends within do not count,
 * '\' is '/'. `url` may be cut off behind URL_HEAD_MAX. */
enum url_kind url_look(const struct rewrite_site *site, struct view url, struct url_edit *ret_edit);

/* Looks, and copies the URL to the sink with what is to be changed. */
enum url_kind url_rewrite(const struct rewrite_site *site, struct view url, const struct edit_sink *sink);
void url_apply(const struct url_edit *edit, struct view url, const struct edit_sink *sink);

/* Is this authority ("host[:port]", of a URL of this scheme) the visitor's own, or the service's? */
bool url_is_host(const struct rewrite_site *site, struct view scheme, struct view authority);
bool url_is_service(const struct rewrite_site *site, struct view scheme, struct view authority);

/* Does it begin with one '/', not two? What leads elsewhere when the page's base does. */
bool url_is_rooted(struct view url);

/* "host:port" without the port that the scheme has by itself. */
struct view url_without_port(struct view scheme, struct view authority);

#endif
