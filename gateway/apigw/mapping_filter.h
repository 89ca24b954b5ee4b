/* The filter of an event source mapping ("Control which events Lambda sends to your function", Lambda
 * Developer Guide): a pattern of objects, and at their leaves lists of which one has to fit: a text, number,
 * true, false or null, or {"prefix":"a"}, {"suffix":"z"}, {"equals-ignore-case":"a"}, {"exists":true} or
 * {"anything-but":["a"]}. No I/O. */
#ifndef GATEWAY_APIGW_MAPPING_FILTER_H
#define GATEWAY_APIGW_MAPPING_FILTER_H

#include <jansson.h>
#include <stdbool.h>

/* NULL: we understand it. Else what is wrong (static). */
const char *mapping_filter_problem(const json_t *pattern);
/* Of a pattern without a problem: is the record let through? */
bool mapping_filter_matches(const json_t *pattern, const json_t *record);

#endif
