/* A look at JSON before it is parsed, at the speed of memory: how much there is to parse, and where the one
 * long string is that need not be. What is JSON is for the parser to say; of text that is none this may say
 * anything. */
#ifndef PROTOCOL_JSON_SCAN_H
#define PROTOCOL_JSON_SCAN_H

#include "base/view.h"

#define JSON_MARKS_MAX 16384 /* commas, colons and brackets outside strings: what a parser allocates for */
#define JSON_DEPTH_MAX 64

/* *ret_value: what stands between the quotes of the first string that is the value of `key` in the outermost
 * object; absent where there is none, or where it has other escapes than "\/". False: there are more marks,
 * or brackets within brackets, than any message of ours has. */
bool json_scan(struct view text, struct view key, struct view *ret_value);

#endif
