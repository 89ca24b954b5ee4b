/* What the body of an answer passes on its way: a decoder where the service has encoded it, and filters one
 * behind the other, with what waits before the first of them and behind the last. Nothing happens by itself:
 * its owner feeds, asks for steps as he has room for what comes out, and takes that. */
#ifndef REWRITE_CHAIN_H
#define REWRITE_CHAIN_H

#include "base/buf.h"
#include "coding/decoder.h"
#include "rewrite/filter.h"

/* A step takes so many bytes at most, of those that were decoded. What comes of it is as much with prefixes
 * put in, and what the filters held. */
#define CHAIN_STEP_BYTES ((size_t)4 * 1024)
/* And so many of what is to be decoded: nothing may come of it, and blocks of "deflate" that hold nothing but
 * new codes take 50 ns a byte. */
#define CHAIN_STEP_ENCODED_BYTES ((size_t)2 * 1024)
/* More waits before it: the windows of those who send are smaller. */
#define CHAIN_INPUT_MAX ((size_t)16 * 1024 * 1024)
/* More cannot come of one step: a tag of lists of the shortest URLs, each with a prefix. */
#define CHAIN_OUTPUT_MAX ((size_t)4 * 1024 * 1024)

struct chain {
    struct decoder *decoder;     /* NULL: there is nothing to decode */
    bool is_full;                /* the decoder may have more */
    struct filter *first, *last; /* NULL: none */
    struct buf input, output;
    bool is_flushed; /* nothing has been fed since */
    bool is_ended, failed;
};

/* `decoder` is moved, NULL: none. NULL without memory; the decoder is freed then, too. */
struct chain *chain_new(struct decoder *decoder);
void chain_free(struct chain *chain);

/* Another filter behind those that there are. Moved; its output becomes the chain's. */
void chain_append(struct chain *chain, struct filter *filter);

/* Copied; waits for its steps. */
void chain_feed(struct chain *chain, struct view bytes);

enum chain_step {
    CHAIN_MORE,  /* something was done */
    CHAIN_IDLE,  /* nothing to do until more is fed */
    CHAIN_DONE,  /* behind the end: all is in the output */
    CHAIN_FAILED /* no memory, more than the maximum, or it cannot be decoded: nothing whole can follow */
};

/* Takes the next piece of what was fed, or, when there is none, makes what is held for better compression
 * come out. `at_end`: nothing more will be fed. */
enum chain_step chain_step(struct chain *chain, bool at_end);

#endif
