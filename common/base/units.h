/* Numbers with a unit behind them. */
#ifndef BASE_UNITS_H
#define BASE_UNITS_H

#include "base/view.h"

struct unit {
    const char *name;
    uint64_t factor;
};

/* Digits, then the name of one of the units (in any case); false for anything else, and where it overflows.
 */
bool units_parse(struct view text, const struct unit *units, size_t count, uint64_t *ret_value);

/* "250ms", "25s", "5m", "2h", "1d"; a bare number counts seconds. */
bool duration_parse(struct view text, uint64_t *ret_ms);

#endif
