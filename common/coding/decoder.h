/* Decodes a content coding as more is asked for: little may become very much, and no more is made than there
 * is room for.
 *
 * Memory is the libraries', and counted (coding_memory.h): gzip and deflate 40 KiB; br its window, whose size
 * the sender chooses, 16 MiB at most; zstd likewise, 8 MiB at most (RFC 9659), beyond which a stream is
 * refused. Where a tunnel has used its share, what needs more fails. */
#ifndef CODING_DECODER_H
#define CODING_DECODER_H

#include "coding/coding.h"
#include "coding/coding_memory.h"

struct decoder;

/* Of a coding other than identity; takes of `memory` until it is freed. NULL without any. */
struct decoder *decoder_new(enum coding coding, struct coding_memory *memory);
void decoder_free(struct decoder *decoder); /* NULL is fine */

/* Takes bytes off the front of *rest and writes to `out`; *ret_len says how many. As long as that is `room`
 * there may be more to be had, also of an empty rest. What stands behind a stream's end is thrown away,
 * unless it is another stream. False: what came is no such stream, or there is no memory. */
bool decoder_read(struct decoder *decoder, struct view *rest, char *out, size_t room, size_t *ret_len);

/* Has all of it come? Also of nothing at all. */
bool decoder_is_whole(const struct decoder *decoder);

/* The libraries that do it, and their versions: "zlib 1.2.13, brotli 1.0.9, zstd 1.5.4". NULL in a program
 * that was built without. */
const char *decoder_libraries(void);

#endif
