/* How fast bodies pass through path mode's chain, in pieces as they come from a socket: pages that need few
 * changes, as they are and in gzip, and what zlib alone takes for the same. `rewrite_bodies [seconds]`, of
 * each. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <zlib.h>

#include "rewrite/chain.h"
#include "rewrite/encoder.h"
#include "rewrite/html.h"
#include "rewrite/text.h"

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

static const struct rewrite_site site = {.tunnel_id = {"abc", 3},
                                         .prefix = {"/abc", 4},
                                         .scheme = {"https", 5},
                                         .host = {"tunnel.example", 14},
                                         .service = {"localhost:3000", 14}};

static struct filter *page_filter(void) {
    return html_filter_new(&site, true, NULL, NULL);
}

static struct filter *json_filter(void) {
    return text_filter_new(TEXT_JSON, &site, NULL, NULL);
}

/* Passes what it gets: what the codings alone cost. */
static void pass(struct filter *filter, struct view bytes) {
    filter->out(filter->out_ctx, bytes);
}
static void pass_end(struct filter *filter) {
    (void)filter;
}
static struct filter *pass_filter(void) {
    static const struct filter_ops ops = {.data = pass, .end = pass_end};
    struct filter *filter = calloc(1, sizeof(*filter));
    if (filter) filter->ops = &ops;
    return filter;
}

static struct coding_memory memory;

static struct chain *chain_of(struct filter *(*make)(void), enum coding from, enum coding to) {
    struct chain *chain = chain_new(from == CODING_IDENTITY ? NULL : decoder_new(from, &memory));
    struct filter *filter = make();
    if (!chain || !filter) abort();
    chain_append(chain, filter);
    if (to != CODING_IDENTITY) chain_append(chain, encoder_filter_new(to, &memory, NULL, NULL));
    return chain;
}

static void go(struct chain *chain, bool at_end) {
    while (chain_step(chain, at_end) == CHAIN_MORE) buf_clear(&chain->output);
    buf_clear(&chain->output);
    if (chain->failed) abort();
}

static void pass_once(struct chain *chain, struct view body) {
    for (size_t at = 0; at < body.len; at += PIECE) {
        chain_feed(chain, view_slice(body, at, at + PIECE));
        go(chain, false);
    }
    go(chain, true);
    chain_free(chain);
}

/* `plain`: how long the body is when it is decoded, which is what counts. */
static void measure(const char *what, double seconds, struct view body, size_t plain,
                    struct filter *(*make)(void), enum coding from, enum coding to) {
    double started = now();
    size_t sum = 0;
    for (; now() - started < seconds; sum += plain) pass_once(chain_of(make, from, to), body);
    printf("%-28s %5.0f MB/s\n", what, (double)sum / (now() - started) / 1e6);
}

static struct view gzip(struct view plain) {
    z_stream zlib = {0};
    if (deflateInit2(&zlib, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) != Z_OK) abort();
    size_t room = deflateBound(&zlib, plain.len);
    char *out = malloc(room);
    zlib.next_in = (unsigned char *)(uintptr_t)plain.ptr;
    zlib.avail_in = (unsigned)plain.len;
    zlib.next_out = (unsigned char *)out;
    zlib.avail_out = (unsigned)room;
    if (!out || deflate(&zlib, Z_FINISH) != Z_STREAM_END) abort();
    deflateEnd(&zlib);
    return view_of(out, zlib.total_out);
}

static void make_page(struct buf *page) {
    for (int i = 0; i < 2000; i++) {
        buf_append(page, row, sizeof(row) - 1);
        if (i % 10 == 9) buf_append(page, link_row, sizeof(link_row) - 1);
    }
}

int main(int argc, char **argv) {
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 2;
    struct buf page;
    buf_init(&page, 64 * 1024 * 1024);
    make_page(&page);
    struct view plain = buf_view(&page), encoded = gzip(plain);
    measure("HTML", seconds, plain, plain.len, page_filter, CODING_IDENTITY, CODING_IDENTITY);
    measure("JSON", seconds, plain, plain.len, json_filter, CODING_IDENTITY, CODING_IDENTITY);
    measure("gzip decoded", seconds, encoded, plain.len, pass_filter, CODING_GZIP, CODING_IDENTITY);
    measure("gzip decoded, HTML", seconds, encoded, plain.len, page_filter, CODING_GZIP, CODING_IDENTITY);
    measure("gzip decoded, HTML, gzip", seconds, encoded, plain.len, page_filter, CODING_GZIP, CODING_GZIP);
    measure("gzip decoded, HTML, br", seconds, encoded, plain.len, page_filter, CODING_GZIP, CODING_BR);
    measure("gzip decoded, HTML, zstd", seconds, encoded, plain.len, page_filter, CODING_GZIP, CODING_ZSTD);
    free((char *)(uintptr_t)encoded.ptr);
    buf_done(&page);
    return 0;
}
