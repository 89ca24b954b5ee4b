/* How a request comes to be made, as its fields and those of its answer tell. */
#ifndef FORWARDER_CALL_KIND_H
#define FORWARDER_CALL_KIND_H

#include "display/board.h"
#include "http/headers.h"

/* By the request's Sec-Fetch-Dest, which browsers send (Fetch Metadata Request Headers, 2.1); BOARD_CALL
 * where it says nothing. */
enum board_kind call_kind_asked(const struct headers *request);
/* By the answer as well. Only a GET is a page or an asset. */
enum board_kind call_kind_answered(enum board_kind asked, struct view method, int status,
                                   const struct headers *answer);

#endif
