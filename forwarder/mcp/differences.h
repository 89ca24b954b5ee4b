/* What differs between two recorded requests and their answers. */
#ifndef FORWARDER_MCP_DIFFERENCES_H
#define FORWARDER_MCP_DIFFERENCES_H

#include <jansson.h>
#include <stdbool.h>

#define DIFFERENCES_MAX 100 /* listed; that there are more is said */

/* {"a":id,"b":id,"same":…,"differences":[{"where","a","b"}]}; of both the API's JSON. Secrets are compared,
 * and hidden unless `reveal`. NULL without memory. */
json_t *differences_of(const json_t *a, const json_t *b, bool reveal);

#endif
