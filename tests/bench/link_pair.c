/* How much a link costs: two sessions in one process and one thread, joined in memory, so that a figure is
 * what both ends pay together. `link_pair` runs all; `link_pair NAME [seconds]` runs one (main() has the
 * names). */
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "link/link.h"

#define CONCURRENT 32
#define BODY_BYTES ((size_t)13)
#define CHUNK ((size_t)64 * 1024)

struct pair {
    struct link_budget budget;
    struct link_session *opens, *answers;
    struct buf wire;
    struct arena arena;
    struct headers request_headers, answer_headers;
    struct stream_head request, answer;
    size_t answer_bytes, request_bytes; /* of a body */
    uint64_t done, bytes;
    char *chunk;
};

struct exchange {
    struct pair *pair;
    struct link_stream *stream;
    size_t left, unsent;
};

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void must(bool ok, const char *what) {
    if (ok) return;
    fprintf(stderr, "link_pair: %s\n", what);
    exit(1);
}

static void refill(struct exchange *exchange) {
    while (exchange->left && exchange->unsent < 4 * CHUNK) {
        size_t len = exchange->left < CHUNK ? exchange->left : CHUNK;
        must(link_stream_write(exchange->stream, view_of(exchange->pair->chunk, len)) == STATUS_OK, "write");
        exchange->left -= len;
        exchange->unsent += len;
        if (exchange->left == 0) link_stream_end(exchange->stream, NULL);
    }
}

static void on_sent(void *ctx, size_t bytes) {
    struct exchange *exchange = ctx;
    exchange->unsent -= bytes;
    refill(exchange);
}

static void on_data(void *ctx, struct view data) {
    struct exchange *exchange = ctx;
    exchange->pair->bytes += data.len;
    link_stream_consumed(exchange->stream, data.len);
}

static void on_head(void *ctx, const struct stream_head *head) {
    (void)ctx;
    must(head->status == 200, "status");
}

static void on_end(void *ctx, const struct headers *trailers) {
    (void)ctx, (void)trailers;
}

static void on_lost(void *ctx, enum stream_end why) {
    (void)ctx;
    must(why == STREAM_LOST, "reset"); /* when the run is over */
}

/* ---- the answering side ---- */

static void answer(struct exchange *exchange) {
    struct pair *pair = exchange->pair;
    exchange->left = pair->answer_bytes;
    must(link_stream_answer(exchange->stream, &pair->answer, exchange->left > 0) == STATUS_OK, "answer");
    refill(exchange);
}

static void on_request_end(void *ctx, const struct headers *trailers) {
    (void)trailers;
    answer(ctx);
}

static void on_answered(void *ctx) {
    free(ctx);
}

static const struct stream_events answer_events = {
    .data = on_data, .end = on_request_end, .sent = on_sent, .done = on_answered, .lost = on_lost};

static void on_request(void *ctx, struct link_stream *stream, const struct stream_head *head, bool has_body) {
    struct exchange *exchange = calloc(1, sizeof(*exchange));
    (void)head, (void)has_body;
    must(exchange, "memory");
    *exchange = (struct exchange){.pair = ctx, .stream = stream};
    link_stream_attach(stream, &answer_events, exchange);
}

/* ---- the opening side ---- */

static void on_done(void *ctx) {
    struct exchange *exchange = ctx;
    exchange->pair->done++;
    exchange->stream = NULL;
}

static const struct stream_events open_events = {
    .head = on_head, .data = on_data, .end = on_end, .sent = on_sent, .done = on_done, .lost = on_lost};

static void start(struct exchange *exchange) {
    struct pair *pair = exchange->pair;
    enum status status;
    exchange->left = pair->request_bytes;
    exchange->stream =
        link_open(pair->opens, &pair->request, exchange->left > 0, &open_events, exchange, &status);
    must(exchange->stream, status_text(status));
    refill(exchange);
}

static void on_control(void *ctx, struct view line) {
    (void)ctx, (void)line;
}

static void on_writable(void *ctx) {
    (void)ctx;
}

static void carry(struct pair *pair, struct link_session *from, struct link_session *to) {
    if (!link_wants_send(from)) return;
    must(link_send(from, &pair->wire) == STATUS_OK, link_error(from));
    must(link_receive(to, buf_view(&pair->wire)) == STATUS_OK, link_error(to));
    buf_clear(&pair->wire);
}

static void turn(struct pair *pair) {
    uint64_t ms = (uint64_t)(now() * 1000);
    link_tick(pair->opens, ms);
    link_tick(pair->answers, ms);
    carry(pair, pair->opens, pair->answers);
    carry(pair, pair->answers, pair->opens);
}

static void pair_init(struct pair *pair) {
    struct link_limits limits = LINK_LIMITS_DEFAULT;
    struct link_events events = {
        .ctx = pair, .request = on_request, .control = on_control, .writable = on_writable};
    pair->budget = (struct link_budget){.max_bytes = 32 * 1024 * 1024};
    pair->opens = link_new(LINK_OPENS, &limits, &pair->budget, &events);
    pair->answers = link_new(LINK_ANSWERS, &limits, &pair->budget, &events);
    must(pair->opens && pair->answers, "memory");
}

static void pair_done(struct pair *pair) {
    link_free(pair->opens);
    link_free(pair->answers);
}

static void heads_init(struct pair *pair) {
    arena_init(&pair->arena, 64 * 1024);
    headers_init(&pair->request_headers, &pair->arena);
    headers_init(&pair->answer_headers, &pair->arena);
    static const char *const request[][2] = {{"user-agent", "Mozilla/5.0 (X11; Linux x86_64) Chrome/120.0"},
                                             {"accept", "*/*"},
                                             {"accept-encoding", "gzip, deflate, br"},
                                             {"x-forwarded-for", "203.0.113.7"},
                                             {"x-forwarded-proto", "http"},
                                             {"x-forwarded-host", "k3j9x0q2m1ab.localhost:8080"}};
    static const char *const response[][2] = {{"content-type", "text/plain; charset=utf-8"},
                                              {"content-length", "13"},
                                              {"date", "Tue, 01 Jul 2025 12:00:00 GMT"},
                                              {"server", "uvicorn"}};
    for (size_t i = 0; i < sizeof(request) / sizeof(request[0]); i++)
        headers_add(&pair->request_headers, view_from_cstr(request[i][0]), view_from_cstr(request[i][1]));
    for (size_t i = 0; i < sizeof(response) / sizeof(response[0]); i++)
        headers_add(&pair->answer_headers, view_from_cstr(response[i][0]), view_from_cstr(response[i][1]));
    pair->request = (struct stream_head){.method = VIEW("GET"),
                                         .scheme = VIEW("http"),
                                         .authority = VIEW("k3j9x0q2m1ab.localhost:8080"),
                                         .path = VIEW("/hello?name=world"),
                                         .headers = &pair->request_headers};
    pair->answer = (struct stream_head){.status = 200, .headers = &pair->answer_headers};
}

/* ---- the runs ---- */

static void run(const char *name, double seconds, size_t request_bytes, size_t answer_bytes,
                size_t concurrent) {
    struct pair pair = {.request_bytes = request_bytes, .answer_bytes = answer_bytes};
    struct exchange exchanges[CONCURRENT] = {0};
    pair.chunk = calloc(1, CHUNK);
    buf_init(&pair.wire, 1024 * 1024);
    heads_init(&pair);
    if (answer_bytes != BODY_BYTES) headers_remove(&pair.answer_headers, VIEW("content-length"));
    pair_init(&pair);
    turn(&pair);
    double begin = now(), end = begin;
    clock_t cpu = clock();
    for (unsigned turns = 0; end - begin < seconds; turns++) {
        for (size_t i = 0; i < concurrent; i++) {
            exchanges[i].pair = &pair;
            if (!exchanges[i].stream) start(&exchanges[i]);
        }
        turn(&pair);
        if (turns % 64 == 0) end = now();
    }
    double elapsed = now() - begin, used = (double)(clock() - cpu) / CLOCKS_PER_SEC;
    printf("%-6s %2zu at once  %9.0f exchanges/s  %6.2f us each  %8.1f MB/s\n", name, concurrent,
           (double)pair.done / elapsed, used / (double)(pair.done ? pair.done : 1) * 1e6,
           (double)pair.bytes / elapsed / 1e6);
    pair_done(&pair);
}

static size_t resident(void) {
    char line[128] = "";
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && !fgets(line, sizeof(line), file)) line[0] = '\0';
    if (file) fclose(file);
    const char *second = strchr(line, ' ');
    return second ? (size_t)strtoull(second, NULL, 10) * 4096 : 0;
}

static void run_idle(size_t count) {
    struct pair *pairs = calloc(count, sizeof(*pairs));
    must(pairs, "memory");
    memset(pairs, 0, count * sizeof(*pairs));
    size_t resident_before = resident();
    struct mallinfo2 before = mallinfo2();
    for (size_t i = 0; i < count; i++) {
        buf_init(&pairs[i].wire, 1024 * 1024);
        pair_init(&pairs[i]);
        for (int turns = 0; turns < 3; turns++) turn(&pairs[i]);
        buf_done(&pairs[i].wire);
    }
    struct mallinfo2 after = mallinfo2();
    size_t bytes = after.uordblks + after.hblkhd - before.uordblks - before.hblkhd;
    printf("idle   %zu pairs: a session has %zu bytes allocated, %zu of them resident\n", count,
           bytes / count / 2, (resident() - resident_before) / count / 2);
    for (size_t i = 0; i < count; i++) pair_done(&pairs[i]);
    free(pairs);
}

int main(int argc, char **argv) {
    const char *only = argc > 1 ? argv[1] : "";
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 2;
    bool all = !*only;
    if (all || !strcmp(only, "tiny")) run("tiny", seconds, 0, BODY_BYTES, CONCURRENT);
    if (all || !strcmp(only, "one")) run("one", seconds, 0, BODY_BYTES, 1);
    if (all || !strcmp(only, "post")) run("post", seconds, BODY_BYTES, BODY_BYTES, CONCURRENT);
    if (all || !strcmp(only, "64k")) run("64k", seconds, 0, 64 * 1024, 8);
    if (all || !strcmp(only, "down")) run("down", seconds, 0, (size_t)1 << 30, 1);
    if (all || !strcmp(only, "up")) run("up", seconds, (size_t)1 << 30, BODY_BYTES, 1);
    if (all || !strcmp(only, "down8")) run("down8", seconds, 0, (size_t)1 << 30, 8);
    if (all || !strcmp(only, "idle")) run_idle(1000);
    return 0;
}
