/* Parsing of the values that a setting may have. */
#ifndef GATEWAY_CONFIG_VALUE_H
#define GATEWAY_CONFIG_VALUE_H

#include "base/units.h"

/* "512", "64KiB" or "64k", "2MiB" or "2m", "1GiB" or "1g". */
bool size_parse(struct view text, size_t *ret_bytes);
/* true, yes, on, 1; false, no, off, 0. */
bool bool_parse(struct view text, bool *ret_value);

#endif
