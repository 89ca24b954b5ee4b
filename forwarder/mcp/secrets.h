/* What is shown as *** unless the client asks for it: values whose names look like a secret's (log.h). What
 * hides elsewhere, in free text, is not found. */
#ifndef FORWARDER_MCP_SECRETS_H
#define FORWARDER_MCP_SECRETS_H

#include "base/buf.h"

#define SECRET_SHOWN "***"

/* A field of a message; `name` in any case. */
bool secrets_is_field(struct view name);
/* A field whose value is a URL, which may hold secrets in its query. */
bool secrets_is_url_field(struct view name);
/* Appends a body's text; in it, strings of JSON members with such names are hidden, whether the text is
 * whole, cut or no JSON at all. */
bool secrets_mask_text(struct buf *out, struct view text);
/* Appends a body of application/x-www-form-urlencoded. */
bool secrets_mask_form(struct buf *out, struct view text);

#endif
