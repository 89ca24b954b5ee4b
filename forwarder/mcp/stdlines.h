/* Lines on standard input and output, as the transport "stdio" of the Model Context Protocol has them. Both
 * are read and written by libuv's threads, for a terminal's or a file's descriptor cannot be polled, and
 * O_NONBLOCK would change it for whoever shares it. Input waits while much output does. */
#ifndef FORWARDER_MCP_STDLINES_H
#define FORWARDER_MCP_STDLINES_H

#include "base/buf.h"
#include "net/loop.h"

struct stdlines_events {
    void (*on_line)(void *ctx,
                    struct view line); /* without its end; one byte more than the bound: too long */
    void (*on_input_end)(void *ctx);   /* once */
    void (*on_output_end)(void *ctx);  /* nobody takes our lines any more; once */
    void (*on_drained)(void *ctx);     /* all is written */
};

struct stdlines {
    struct loop *loop;
    const struct stdlines_events *events;
    void *ctx;
    uv_fs_t read, write;
    struct buf line, waiting, writing;
    size_t line_max;
    char block[64 * 1024];
    bool is_reading, is_writing, skips_line, has_ended, is_broken;
};

/* Begins to read. Lines have `line_max` bytes at most. */
void stdlines_init(struct stdlines *lines, struct loop *loop, size_t line_max,
                   const struct stdlines_events *events, void *ctx);
/* Lines with their ends. Beyond 128 MiB that nobody takes it breaks. */
void stdlines_write(struct stdlines *lines, struct view text);
bool stdlines_is_drained(const struct stdlines *lines);
/* After the loop has let go, or the process leaves by _exit(). */
void stdlines_done(struct stdlines *lines);

#endif
