/* One request over https, and all of its answer: for commands of ttf that do nothing else meanwhile. */
#ifndef FORWARDER_HTTPS_ASK_H
#define FORWARDER_HTTPS_ASK_H

#include "base/buf.h"

#define HTTPS_ANSWER_MAX ((size_t)64 * 1024)
#define HTTPS_URL_MAX 1024

/* https://host[:port][/path][?query], of visible ASCII. */
bool https_url_is_sane(struct view url);

/* POST with that form, or GET where it is absent. `ca_file` (may be NULL) names authorities beside the
 * system's. 15 s at most; redirects are not followed. The status, with the body appended to `body`
 * (initialised, bounded by HTTPS_ANSWER_MAX); 0, and a line for people in `error`. */
int https_ask(const char *url, struct view form, const char *ca_file, struct buf *body, char *error,
              size_t error_size);

#endif
