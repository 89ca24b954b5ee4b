/* The content codings that we know (RFC 9110 8.4.1), and which of them a visitor gets. */
#ifndef CODING_CODING_H
#define CODING_CODING_H

#include "base/view.h"

enum coding { CODING_IDENTITY, CODING_GZIP, CODING_DEFLATE, CODING_BR, CODING_ZSTD };

/* Content-Encoding's value; absent: none was applied. False: one that we cannot decode, or several. */
bool coding_parse(struct view value, enum coding *ret_coding);

/* "gzip" */
struct view coding_name(enum coding coding);

/* With what to encode, for a visitor who sent this Accept-Encoding (RFC 9110 12.5.3; absent: none), an answer
 * that came in this coding: with the same if he takes it, else with gzip, deflate, zstd, br, or not at all.
 * `is_short`: there is little memory, and neither zstd nor br, which need much. */
enum coding coding_choose(struct view accepted, enum coding came, bool is_short);

#endif
