/* Was the head of this request written as RFC 9112 has it? libmicrohttpd 0.9 hides what it forgives: it cuts
 * a value at a NUL byte, glues a folded line to the name before it, takes a bare LF for a line's end, and
 * takes a field without a name for the end of the head (what follows is then read as a body, or as the next
 * request). */
#ifndef APIGW_MHD_HEAD_H
#define APIGW_MHD_HEAD_H

#include <microhttpd.h>
#include <stdbool.h>

/* For the first call of an access handler; `method` and `version` as the handler got them. Versions from 1.0
 * on refuse all this themselves, and are believed. */
bool mhd_head_is_strict(struct MHD_Connection *connection, const char *method, const char *version);

#endif
