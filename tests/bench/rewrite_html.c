/* How fast HTML passes through its filter: pages that need few changes, in pieces as they come from a socket.
 * `rewrite_html [seconds]` */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "rewrite/html.h"

#define PIECE ((size_t)16 * 1024)

static const char row[] =
    "<tr class=\"row\" id=\"r1\"><td class=\"name\"><a class=\"link\" href=\"item?id=1\" title=\"An item\">A "
    "name of it</a></td>\n"
    "<td>Some text that says what this is about, as long as such texts are in a table of items; it may well "
    "take two "
    "lines and more, and it has <em>words</em> that stand out.</td>\n"
    "<td><img src=\"https://cdn.example/a.png\" alt=\"\" width=\"32\" height=\"32\"><!-- end --></td></tr>\n";
static const char link_row[] = "<p><a href=\"/next\">Next</a> <a href=\"/last\">Last</a></p>\n";

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void count(void *ctx, struct view bytes) {
    *(size_t *)ctx += bytes.len;
}

int main(int argc, char **argv) {
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 2, started = now();
    struct rewrite_site site = {
        VIEW("abc"), VIEW("/abc"), VIEW("https"), VIEW("tunnel.example"), VIEW("localhost:3000"), false};
    struct buf page;
    size_t in = 0, out = 0;
    buf_init(&page, 64 * 1024 * 1024);
    for (int i = 0; i < 2000; i++) {
        buf_append(&page, row, sizeof row - 1);
        if (i % 10 == 9) buf_append(&page, link_row, sizeof link_row - 1);
    }
    while (now() - started < seconds) {
        struct filter *filter = html_filter_new(&site, true, count, &out);
        if (!filter) return 1;
        struct view text = buf_view(&page);
        for (size_t at = 0; at < text.len; at += PIECE) filter_data(filter, view_slice(text, at, at + PIECE));
        filter_end(filter);
        filter_free(filter);
        in += text.len;
    }
    printf("html: %.0f MB/s (%zu bytes in, %zu out)\n", (double)in / (now() - started) / 1e6, in, out);
    buf_done(&page);
    return 0;
}
