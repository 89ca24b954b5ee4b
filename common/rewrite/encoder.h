/* The filter that encodes: gzip (RFC 1952) or deflate (RFC 1950), in 40 KiB of zlib's. What is held is given
 * when the service is silent (filter_flush), so a page that comes in pieces is seen in pieces. */
#ifndef REWRITE_ENCODER_H
#define REWRITE_ENCODER_H

#include "rewrite/coding.h"
#include "rewrite/filter.h"

/* CODING_GZIP or CODING_DEFLATE. NULL without memory. */
struct filter *encoder_filter_new(enum coding coding, filter_out_fn out, void *out_ctx);

#endif
