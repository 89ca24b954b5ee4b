/* See stdlines.h. */
#include "mcp/stdlines.h"

#include <unistd.h>

#define WAITING_MAX ((size_t)128 * 1024 * 1024)
#define ENOUGH_WAITS ((size_t)1024 * 1024) /* no more is read */

/* ---- out ---- */

static void on_written(uv_fs_t *request);

static void break_off(struct stdlines *lines) {
    if (lines->is_broken) return;
    lines->is_broken = true;
    lines->events->on_output_end(lines->ctx);
}

static void write_more(struct stdlines *lines) {
    if (!lines->writing.len) {
        struct buf empty = lines->writing;
        lines->writing = lines->waiting;
        lines->waiting = empty;
        buf_clear(&lines->waiting);
    }
    struct view bytes = buf_view(&lines->writing);
    uv_buf_t piece =
        uv_buf_init((char *)(uintptr_t)bytes.ptr, (unsigned)(bytes.len > 1 << 20 ? 1 << 20 : bytes.len));
    lines->is_writing = true;
    if (uv_fs_write(&lines->loop->uv, &lines->write, STDOUT_FILENO, &piece, 1, -1, on_written) == 0) return;
    lines->is_writing = false;
    break_off(lines);
}

static void read_more(struct stdlines *lines);

static void on_written(uv_fs_t *request) {
    struct stdlines *lines = request->data;
    ssize_t written = request->result;
    uv_fs_req_cleanup(request);
    lines->is_writing = false;
    if (written == UV_EINTR || written == UV_EAGAIN) written = 0;
    if (written < 0) {
        break_off(lines);
        return;
    }
    buf_consume(&lines->writing, (size_t)written);
    if (!stdlines_is_drained(lines)) {
        write_more(lines);
    } else {
        lines->events->on_drained(lines->ctx);
    }
    read_more(lines);
}

void stdlines_write(struct stdlines *lines, struct view text) {
    if (lines->is_broken) return;
    if (!buf_append_view(&lines->waiting, text))
        break_off(lines);
    else if (!lines->is_writing)
        write_more(lines);
}

bool stdlines_is_drained(const struct stdlines *lines) {
    return lines->is_broken || (!lines->writing.len && !lines->waiting.len);
}

/* ---- in ---- */

static void line_ends(struct stdlines *lines) {
    struct view line = buf_view(&lines->line);
    if (view_ends_with(line, VIEW("\r"))) line = view_slice(line, 0, line.len - 1);
    if (line.len) lines->events->on_line(lines->ctx, line);
    buf_clear(&lines->line);
    lines->skips_line = false;
}

/* Of a line that is too long one byte more than may be is kept, so that it is seen. */
static void take(struct stdlines *lines, struct view piece) {
    size_t room = lines->line_max + 1 - lines->line.len;
    if (!lines->skips_line) buf_append_view(&lines->line, view_slice(piece, 0, room));
    if (piece.len >= room) lines->skips_line = true;
}

static void take_bytes(struct stdlines *lines, struct view bytes) {
    while (bytes.len) {
        size_t end = view_find(bytes, '\n');
        take(lines, view_slice(bytes, 0, end));
        if (end < bytes.len) line_ends(lines);
        bytes = view_skip(bytes, end + 1);
    }
}

static void on_read(uv_fs_t *request) {
    struct stdlines *lines = request->data;
    ssize_t got = request->result;
    uv_fs_req_cleanup(request);
    lines->is_reading = false;
    if (got > 0) take_bytes(lines, view_of(lines->block, (size_t)got));
    if (got > 0 || got == UV_EINTR) {
        read_more(lines);
        return;
    }
    line_ends(lines);
    lines->has_ended = true;
    lines->events->on_input_end(lines->ctx);
}

static void read_more(struct stdlines *lines) {
    uv_buf_t room = uv_buf_init(lines->block, sizeof(lines->block));
    if (lines->is_reading || lines->has_ended || lines->is_broken) return;
    if (lines->waiting.len > ENOUGH_WAITS) return;
    lines->is_reading = uv_fs_read(&lines->loop->uv, &lines->read, STDIN_FILENO, &room, 1, -1, on_read) == 0;
    if (lines->is_reading) return;
    lines->has_ended = true;
    lines->events->on_input_end(lines->ctx);
}

void stdlines_init(struct stdlines *lines, struct loop *loop, size_t line_max,
                   const struct stdlines_events *events, void *ctx) {
    *lines = (struct stdlines){.loop = loop, .events = events, .ctx = ctx, .line_max = line_max};
    lines->read.data = lines->write.data = lines;
    buf_init(&lines->line, line_max + 1);
    buf_init(&lines->waiting, WAITING_MAX);
    buf_init(&lines->writing, WAITING_MAX);
    read_more(lines);
}

void stdlines_done(struct stdlines *lines) {
    buf_done(&lines->line);
    buf_done(&lines->waiting);
    buf_done(&lines->writing);
}
