/* What this product takes for requests: run by differential.py, which compares it with another parser. Each
 * input on stdin is four bytes of length (little-endian), then the bytes of a connection. For each a line a
 * request, "METHOD TARGET FIELDS BODY STATE" in hexadecimal ("-": empty; a field is "NAME=VALUE;"), whose
 * state is `whole`, `part` (more is awaited), `cut` (refused within), or `other` (another protocol's from
 * there); then "refused" or "more", and an empty line. */
#include <stdio.h>
#include <stdlib.h>

#include "http/gate.h"
#include "http/request_reader.h"

#define INPUT_MAX ((size_t)64 * 1024)

static const struct http_limits limits = {.target_bytes = 8192,
                                          .v1_path_bytes = 8192,
                                          .header_value_bytes = 8192,
                                          .headers_bytes = 32768,
                                          .headers_count = 100};

static void print_hex(struct view v) {
    if (v.len == 0) putchar('-');
    for (size_t i = 0; i < v.len; i++) printf("%02x", (unsigned char)v.ptr[i]);
}

static void print_head(const struct request_head *head) {
    print_hex(head->method);
    putchar(' ');
    print_hex(head->target);
    putchar(' ');
    for (size_t i = 0; i < head->headers.count; i++) {
        print_hex(head->headers.fields[i].name);
        putchar('=');
        print_hex(head->headers.fields[i].value);
        putchar(';');
    }
    printf("%s ", head->headers.count ? "" : "-");
}

static bool is_let_in(const struct request_head *head, struct arena *arena, struct gate_verdict *verdict) {
    char version[] = "HTTP/1.x";
    version[7] = (char)('0' + head->minor_version);
    struct gate_request request = {.method = head->method,
                                   .raw_target = head->target,
                                   .version = view_of(version, 8),
                                   .headers = &head->headers};
    return gate_check_request(&request, &limits, arena, verdict) == HTTP_ERROR_NONE;
}

/* True: a further request may follow. */
static bool print_request(struct request_reader *reader, struct view *bytes, struct arena *arena) {
    struct gate_verdict verdict;
    struct view data;
    size_t body = 0;
    enum request_step step = request_reader_next(reader, bytes, SIZE_MAX, arena, &data);
    if (step == REQUEST_MORE) puts("more");
    if (step == REQUEST_REFUSED || (step == REQUEST_HEAD && !is_let_in(&reader->head, arena, &verdict)))
        puts("refused");
    if (step != REQUEST_HEAD || !is_let_in(&reader->head, arena, &verdict)) return false;
    print_head(&reader->head);
    while ((step = request_reader_next(reader, bytes, SIZE_MAX, arena, &data)) == REQUEST_DATA) {
        for (size_t i = 0; i < data.len; i++) printf("%02x", (unsigned char)data.ptr[i]);
        body += data.len;
    }
    if (body == 0) putchar('-');
    bool is_other = step == REQUEST_END && verdict.is_upgrade;
    puts(step == REQUEST_MORE ? " part" : step == REQUEST_REFUSED ? " cut" : is_other ? " other" : " whole");
    if (step != REQUEST_END) puts(step == REQUEST_MORE ? "more" : "refused");
    if (is_other) puts("more");
    return step == REQUEST_END && !is_other;
}

static void print_requests(struct view bytes) {
    struct request_reader reader;
    struct arena arena;
    arena_init(&arena, (size_t)1024 * 1024);
    request_reader_init(&reader, limits.headers_bytes);
    while (print_request(&reader, &bytes, &arena)) {
        request_reader_begin(&reader);
        arena_clear(&arena);
    }
    request_reader_begin(&reader);
    arena_done(&arena);
    puts("");
    fflush(stdout);
}

int main(void) {
    unsigned char head[4];
    while (fread(head, 1, sizeof(head), stdin) == sizeof(head)) {
        size_t len = (size_t)head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
        char *bytes = len <= INPUT_MAX ? malloc(len + !len) : NULL; /* exact: what is read beyond is seen */
        if (!bytes || fread(bytes, 1, len, stdin) != len) return 1;
        print_requests(view_of(bytes, len));
        free(bytes);
    }
    return 0;
}
