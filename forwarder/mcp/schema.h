/* Whether a value is what a JSON schema says, as far as tools.json uses that: type, enum, minimum, maximum,
 * maxLength, properties, required, additionalProperties. */
#ifndef FORWARDER_MCP_SCHEMA_H
#define FORWARDER_MCP_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* False: `error` says what is wrong with what, for who made the value. */
bool schema_check(const json_t *schema, const json_t *value, char *error, size_t error_size);

#endif
