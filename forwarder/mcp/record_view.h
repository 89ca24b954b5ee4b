/* What the agent's API says of requests, made shorter and plainer for a model that reads it: bodies decoded,
 * cut, and secrets hidden. */
#ifndef FORWARDER_MCP_RECORD_VIEW_H
#define FORWARDER_MCP_RECORD_VIEW_H

#include <jansson.h>

#include "base/buf.h"

struct record_wish {
    size_t offset, limit; /* of the bodies, in bytes */
    bool reveal;
};

/* An entry of a list. NULL without memory. */
json_t *record_view_line(const json_t *line, bool reveal);
/* The array of all entries of the API's list, the newest first. */
json_t *record_view_lines(const json_t *answer, bool reveal);
/* The request and its answer. NULL without memory. */
json_t *record_view(const json_t *record, const struct record_wish *wish);

/* ---- parts, for who compares ---- */

/* A target or the value of a field, to be shown. */
json_t *record_view_target(const char *target, bool reveal);
json_t *record_view_field(const char *name, const char *value, bool reveal);
/* The body's bytes as far as they are kept, without their content coding where the API could decode it; in
 * `out`. False: there are none. */
bool record_view_body(const json_t *message, struct buf *out);
/* The value of a field of a message; NULL: it has none. The name is in lower case. */
const char *record_view_get(const json_t *message, const char *name);
bool record_view_is_text(struct view body, bool may_be_cut);
/* Appends the text of a message's body with its secrets hidden. */
bool record_view_mask(const json_t *message, struct view text, struct buf *out);

#endif
