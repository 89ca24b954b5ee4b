/* The reason phrases that follow a status in HTTP/1.1 (RFC 9110 15, and IANA's registry). */
#ifndef HTTP_REASON_H
#define HTTP_REASON_H

#include "base/view.h"

/* "Unknown" for a status that has none. */
struct view http_reason(int status);

#endif
