/* Mutations of HTTP/1.1 messages: of lines, each with its end. */
#ifndef FUZZ_MUTATE_HTTP_H
#define FUZZ_MUTATE_HTTP_H

#include "fuzz_mutate.h"

static inline size_t http_line_len(struct view rest) {
    size_t end = view_find(rest, '\n');
    return end < rest.len ? end + 1 : rest.len;
}

/* What stands before its end, or behind its colon. */
static inline void http_change(struct dice *dice, struct view piece, struct buf *out) {
    size_t end = piece.len, colon = view_find(piece, ':');
    while (end && (piece.ptr[end - 1] == '\n' || piece.ptr[end - 1] == '\r')) end--;
    size_t begin = colon < end && roll(dice, 2) ? colon + 1 : 0;
    buf_append_view(out, view_slice(piece, 0, begin));
    mutate_bytes(view_slice(piece, begin, end), out);
    buf_append_view(out, view_skip(piece, end));
}

static inline void http_fresh(struct dice *dice, struct buf *out) {
    static const char *const lines[] = {
        "\r\n",
        "Host: a\r\n",
        "Content-Length: 5\r\n",
        "Content-Length: 0\r\n",
        "Content-Length: 5, 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Connection: close\r\n",
        "Connection: upgrade\r\nUpgrade: websocket\r\n",
        "Expect: 100-continue\r\n",
        "Trailer: x\r\n",
        " folded\r\n",
        "5\r\nabcde\r\n",
        "a;x=\"y\"\r\n0123456789\r\n",
        "0\r\n\r\n",
        "0\r\nx: y\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /b?c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        "PUT * HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
        "HTTP/1.1 103 Early\r\n\r\n",
        "HTTP/1.0 204 No\r\n\r\n",
    };
    buf_append_view(out, view_from_cstr(lines[roll(dice, sizeof(lines) / sizeof(lines[0]))]));
}

#define HTTP_GRAMMAR(lead_bytes)                                                                             \
    { .lead = (lead_bytes), .piece_len = http_line_len, .change = http_change, .fresh = http_fresh }

#endif
