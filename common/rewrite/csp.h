/* A Content Security Policy of the application (CSP level 3), in a field or a <meta>. */
#ifndef REWRITE_CSP_H
#define REWRITE_CSP_H

#include "rewrite/url.h"

/* Copies the policies to the sink: sources of our own origin that have a path get the prefix, the service's
 * own origin becomes the visitor's, and with `allow_script` the page's script is allowed by its hash where it
 * would not be, and `base-uri` allows what that sets. A policy that allows all inline scripts stays so: a
 * hash would forbid them. */
void csp_rewrite(const struct rewrite_site *site, struct view policies, bool allow_script,
                 const struct edit_sink *sink);

#endif
