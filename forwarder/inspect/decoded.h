/* A body without its content coding (RFC 9110 8.4), for people and tools that read it. What is kept, and what
 * is sent again, stays as it came. */
#ifndef FORWARDER_INSPECT_DECODED_H
#define FORWARDER_INSPECT_DECODED_H

#include "base/buf.h"

#define DECODED_MAX ((size_t)1024 * 1024) /* made of one body; little may be meant to become very much */

/* `coding` is Content-Encoding's value, `body` what is kept. Into `out`, which is not initialised yet and is
 * the caller's to buf_done() in any case. False: there is no coding, or one that is not known, or several, or
 * it is no such stream from its first byte on. *ret_is_whole: nothing lacks, neither by DECODED_MAX nor
 * because the end of the body is not there or broken. */
bool decoded_body(struct view coding, struct view body, struct buf *out, bool *ret_is_whole);

#endif
