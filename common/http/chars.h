/* Character classes of RFC 9110 and RFC 3986. */
#ifndef HTTP_CHARS_H
#define HTTP_CHARS_H

#include "base/view.h"

/* RFC 9110 5.6.2: one or more tchar. */
bool http_is_token(struct view v);
/* RFC 9110 5.5: no CR, LF, NUL or other control byte except HTAB; 0x80-0xff are allowed; no white space at
 * the ends. */
bool http_is_field_value(struct view v);
/* RFC 5234 VCHAR, any number of them: 0x21 to 0x7e, so nothing that could end a line or a word. */
bool http_is_visible(struct view v);
static inline char http_lower(char byte) {
    return (char)(byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte);
}
/* Copies, in lower case. */
void http_lower_copy(char *to, struct view from);

#endif
