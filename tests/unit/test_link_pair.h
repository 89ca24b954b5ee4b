/* Two link sessions joined by pipes in memory, whose bytes arrive in pieces of random size, and a recorder
 * that plays the owner of a stream on either side. */
#ifndef TEST_LINK_PAIR_H
#define TEST_LINK_PAIR_H

#include <stdlib.h>

#include "cmocka_setup.h"
#include "link/link.h"

#define TAPS_MAX 6000
#define HASH_START UINT64_C(1469598103934665603)

struct pair;
struct side;

/* The owner of a stream. */
struct tap {
    struct side *side;
    struct link_stream *stream; /* NULL once it is gone */
    /* what to do */
    bool hold;       /* consume nothing */
    bool quiet;      /* answer nothing by itself */
    size_t to_write; /* of a pattern, then end */
    uint64_t written_hash;
    size_t written, unsent;
    uint64_t seed;
    int reset_in;        /* one of enum event: reset the stream inside it */
    bool answered_early; /* answer at once, not after the request's end */
    /* what has happened */
    int status, informational;
    size_t received, held;
    uint64_t hash;
    bool has_body, headed, ended, done, lost;
    enum stream_end why;
    char method[16], scheme[16], path[64], protocol[32], authority[64];
    struct arena arena;
    struct headers headers, trailers;
};

enum event { IN_NOTHING, IN_REQUEST, IN_HEAD, IN_DATA, IN_END, IN_SENT };

struct side {
    struct pair *pair;
    enum link_role role;
    struct link_session *session;
    struct link_budget budget;
    struct buf pipe; /* what it has sent and the other side not yet received */
    struct buf control;
    bool writable, draining, refuse;
    unsigned pongs;
    enum status status; /* the first failure */
    size_t largest_message;
    struct tap *taps[TAPS_MAX];
    size_t tap_count;
    struct tap next; /* how a tap of a request begins */
};

struct pair {
    struct side opens, answers;
    struct link_limits limits;
    uint64_t random;
    size_t piece_max;
    uint64_t now_ms;
};

static inline uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Goes over every byte that every test sends, twice: with sanitizers and without optimisation that alone took
 * most of the time of a run, which on a busy machine became longer than a test may take. */
#if defined(__GNUC__) && !defined(__clang__)
__attribute__((optimize("O2"), no_sanitize("address", "undefined")))
#endif
static inline uint64_t
hash_bytes(uint64_t hash, struct view data) {
    for (size_t i = 0; i < data.len; i++)
        hash = (hash ^ (unsigned char)data.ptr[i]) * UINT64_C(1099511628211);
    return hash;
}

/* ---- taps ---- */

static inline struct tap *tap_new(struct side *side) {
    assert_true(side->tap_count < TAPS_MAX);
    struct tap *tap = calloc(1, sizeof(*tap));
    assert_non_null(tap);
    *tap = side->next;
    tap->side = side;
    tap->hash = tap->written_hash = HASH_START;
    tap->seed = next_random(&side->pair->random) | 1;
    arena_init(&tap->arena, 512 * 1024);
    headers_init(&tap->headers, &tap->arena);
    headers_init(&tap->trailers, &tap->arena);
    side->taps[side->tap_count++] = tap;
    return tap;
}

static inline bool tap_reset_in(struct tap *tap, enum event event) {
    if (tap->reset_in != (int)event || !tap->stream) return false;
    struct link_stream *stream = tap->stream;
    tap->stream = NULL;
    link_stream_reset(stream, event == IN_REQUEST);
    return true;
}

static inline void tap_write(struct tap *tap, size_t len) {
    char bytes[4096];
    for (size_t i = 0; i < len; i += 8) {
        uint64_t word = next_random(&tap->seed);
        memcpy(bytes + i, &word, 8);
    }
    assert_int_equal(link_stream_write(tap->stream, view_of(bytes, len)), STATUS_OK);
    tap->written_hash = hash_bytes(tap->written_hash, view_of(bytes, len));
    tap->written += len;
    tap->unsent += len;
    tap->to_write -= len;
}

static inline void tap_say(struct tap *tap, struct view data) {
    assert_int_equal(link_stream_write(tap->stream, data), STATUS_OK);
    tap->unsent += data.len;
}

/* So many bytes of the pattern, at most 4096, and no end. */
static inline void tap_put(struct tap *tap, size_t len) {
    tap->to_write = len;
    tap_write(tap, len);
}

static inline void tap_refill(struct tap *tap) {
    if (!tap->to_write) return;
    while (tap->to_write && tap->unsent < 256 * 1024)
        tap_write(tap, tap->to_write < 4096 ? tap->to_write : 4096);
    if (!tap->to_write) link_stream_end(tap->stream, NULL);
}

static inline void tap_answer(struct tap *tap, int status) {
    struct stream_head head = {.status = status, .headers = &tap->trailers}; /* none */
    assert_int_equal(link_stream_answer(tap->stream, &head, tap->to_write > 0), STATUS_OK);
    tap_refill(tap);
}

static inline void on_informational(void *ctx, int status) {
    struct tap *tap = ctx;
    assert_non_null(tap->stream);
    assert_false(tap->headed);
    tap->informational = status;
}

static inline void tap_head(struct tap *tap, const struct stream_head *head) {
    assert_false(tap->headed);
    tap->headed = true;
    tap->status = head->status;
    assert_true(headers_copy(&tap->headers, head->headers));
    view_copy_to(head->method, tap->method, sizeof(tap->method));
    view_copy_to(head->scheme, tap->scheme, sizeof(tap->scheme));
    view_copy_to(head->path, tap->path, sizeof(tap->path));
    view_copy_to(head->protocol, tap->protocol, sizeof(tap->protocol));
    view_copy_to(head->authority, tap->authority, sizeof(tap->authority));
    for (size_t i = 0; i < head->headers->count; i++) {
        assert_int_equal(head->headers->fields[i].name.ptr[head->headers->fields[i].name.len], 0);
        assert_int_equal(head->headers->fields[i].value.ptr[head->headers->fields[i].value.len], 0);
    }
}

static inline void on_head(void *ctx, const struct stream_head *head) {
    struct tap *tap = ctx;
    assert_non_null(tap->stream);
    assert_true(head->status >= 200);
    tap_head(tap, head);
    tap_reset_in(tap, IN_HEAD);
}

static inline void on_data(void *ctx, struct view data) {
    struct tap *tap = ctx;
    assert_non_null(tap->stream);
    assert_true(tap->headed && !tap->ended && data.len > 0);
    tap->received += data.len;
    tap->hash = hash_bytes(tap->hash, data);
    if (tap_reset_in(tap, IN_DATA)) return;
    if (tap->hold)
        tap->held += data.len;
    else
        link_stream_consumed(tap->stream, data.len);
}

static inline void on_end(void *ctx, const struct headers *trailers) {
    struct tap *tap = ctx;
    assert_non_null(tap->stream);
    assert_true(tap->headed && !tap->ended);
    tap->ended = true;
    assert_true(headers_copy(&tap->trailers, trailers));
    if (tap_reset_in(tap, IN_END)) return;
    if (tap->side->role == LINK_ANSWERS && !tap->quiet && !tap->answered_early) {
        tap->trailers.count = 0;
        tap_answer(tap, 200);
    }
}

static inline void on_sent(void *ctx, size_t bytes) {
    struct tap *tap = ctx;
    assert_non_null(tap->stream);
    assert_true(bytes > 0 && bytes <= tap->unsent);
    tap->unsent -= bytes;
    if (!tap_reset_in(tap, IN_SENT)) tap_refill(tap);
}

static inline void on_done(void *ctx) {
    struct tap *tap = ctx;
    assert_non_null(tap->stream);
    assert_false(tap->done || tap->lost);
    link_stream_reset(tap->stream, false); /* harmless */
    tap->done = true;
    tap->stream = NULL;
}

static inline void on_lost(void *ctx, enum stream_end why) {
    struct tap *tap = ctx;
    assert_non_null(tap->stream);
    assert_false(tap->done || tap->lost);
    if (tap->side->role == LINK_OPENS) assert_false(tap->ended);
    link_stream_reset(tap->stream, false); /* harmless */
    tap->lost = true;
    tap->why = why;
    tap->stream = NULL;
}

static const struct stream_events tap_events = {.informational = on_informational,
                                                .head = on_head,
                                                .data = on_data,
                                                .end = on_end,
                                                .sent = on_sent,
                                                .done = on_done,
                                                .lost = on_lost};

/* ---- sides ---- */

static inline void on_request(void *ctx, struct link_stream *stream, const struct stream_head *head,
                              bool has_body) {
    struct side *side = ctx;
    assert_int_equal(side->role, LINK_ANSWERS);
    assert_int_equal(head->status, 0);
    if (side->refuse) return;
    struct tap *tap = tap_new(side);
    tap->stream = stream;
    tap->has_body = has_body;
    tap_head(tap, head);
    link_stream_attach(stream, &tap_events, tap);
    if (tap_reset_in(tap, IN_REQUEST)) return;
    if (tap->answered_early) tap_answer(tap, 200);
}

static inline void on_control(void *ctx, struct view line) {
    struct side *side = ctx;
    assert_true(line.len > 0);
    assert_int_equal(view_find(line, '\n'), line.len);
    buf_append_view(&side->control, line);
    buf_append_byte(&side->control, '|');
}

static inline void on_writable(void *ctx) {
    struct side *side = ctx;
    assert_false(side->writable); /* once */
    side->writable = true;
}

static inline void on_draining(void *ctx) {
    struct side *side = ctx;
    assert_false(side->draining);
    side->draining = true;
}

static inline void on_pong(void *ctx) {
    struct side *side = ctx;
    side->pongs++;
}

static inline void side_init(struct side *side, struct pair *pair, enum link_role role) {
    struct link_events events = {.ctx = side,
                                 .request = on_request,
                                 .control = on_control,
                                 .writable = on_writable,
                                 .draining = on_draining,
                                 .pong = on_pong};
    *side = (struct side){.pair = pair, .role = role, .budget = {.max_bytes = 32 * 1024 * 1024}};
    buf_init(&side->pipe, 64 * 1024 * 1024);
    buf_init(&side->control, 1024 * 1024);
    side->session = link_new(role, &pair->limits, &side->budget, &events);
    assert_non_null(side->session);
    assert_true(link_wants_send(side->session));
    side->writable = true;
}

static inline void side_close(struct side *side) {
    link_free(side->session);
    side->session = NULL;
    assert_int_equal(side->budget.held_bytes, 0);
    assert_int_equal(side->budget.granted_bytes, 0);
    for (size_t i = 0; i < side->tap_count; i++) assert_null(side->taps[i]->stream);
}

static inline void side_done(struct side *side) {
    if (side->session) side_close(side);
    for (size_t i = 0; i < side->tap_count; i++) {
        arena_done(&side->taps[i]->arena);
        free(side->taps[i]);
    }
    buf_done(&side->pipe);
    buf_done(&side->control);
}

static inline void note_status(struct side *side, enum status status) {
    if (status != STATUS_OK && side->status == STATUS_OK) side->status = status;
}

static inline bool side_send(struct side *side) {
    struct buf message;
    if (!side->session || !side->writable) {
        if (side->session) assert_false(link_wants_send(side->session) && !link_error(side->session)[0]);
        return false;
    }
    side->writable = false;
    buf_init(&message, 1024 * 1024);
    note_status(side, link_send(side->session, &message));
    assert_true(message.len <= side->pair->limits.message_bytes);
    if (message.len > side->largest_message) side->largest_message = message.len;
    assert_true(buf_append_view(&side->pipe, buf_view(&message)));
    bool sent = message.len > 0;
    buf_done(&message);
    return sent;
}

static inline bool side_receive(struct side *side, struct side *from) {
    bool received = from->pipe.len > 0;
    while (from->pipe.len > 0 && side->session) {
        size_t most = side->pair->piece_max, len = 1 + next_random(&side->pair->random) % most;
        if (len > from->pipe.len) len = from->pipe.len;
        /* a copy of its own, so that a view that outlives its time is found out */
        char *copy = malloc(len);
        assert_non_null(copy);
        memcpy(copy, buf_view(&from->pipe).ptr, len);
        buf_consume(&from->pipe, len);
        enum status status = link_receive(side->session, view_of(copy, len));
        free(copy);
        note_status(side, status);
        if (status == STATUS_OK) assert_int_equal(side->status, STATUS_OK);
    }
    return received;
}

/* ---- pairs ---- */

static inline void pair_begin(struct pair *pair, const struct link_limits *limits) {
    *pair = (struct pair){.limits = LINK_LIMITS_DEFAULT, .random = 88172645463325252, .piece_max = 20000};
    if (limits) pair->limits = *limits;
    side_init(&pair->opens, pair, LINK_OPENS);
    side_init(&pair->answers, pair, LINK_ANSWERS);
}

/* One message each way. */
static inline bool pair_step(struct pair *pair) {
    bool moved = side_send(&pair->opens);
    moved |= side_receive(&pair->answers, &pair->opens);
    moved |= side_send(&pair->answers);
    moved |= side_receive(&pair->opens, &pair->answers);
    if (pair->now_ms) {
        pair->now_ms++;
        if (pair->opens.session) link_tick(pair->opens.session, pair->now_ms);
        if (pair->answers.session) link_tick(pair->answers.session, pair->now_ms);
    }
    return moved || pair->opens.writable || pair->answers.writable;
}

static inline void pair_run(struct pair *pair) {
    for (int i = 0; i < 100000; i++)
        if (!pair_step(pair)) return;
    fail_msg("the pair does not come to rest");
}

static inline void pair_end(struct pair *pair) {
    side_done(&pair->opens);
    side_done(&pair->answers);
}

static inline struct stream_head get_head(const struct headers *headers) {
    return (struct stream_head){.method = VIEW("GET"),
                                .scheme = VIEW("http"),
                                .authority = VIEW("id.localhost:8080"),
                                .path = VIEW("/"),
                                .headers = headers};
}

static inline struct tap *pair_open_head(struct pair *pair, const struct stream_head *head,
                                         bool body_follows) {
    struct tap *tap = tap_new(&pair->opens);
    enum status status;
    tap->stream = link_open(pair->opens.session, head, body_follows, &tap_events, tap, &status);
    assert_int_equal(status, STATUS_OK);
    assert_non_null(tap->stream);
    return tap;
}

/* A request with a body of so many bytes of a pattern. */
static inline struct tap *pair_open(struct pair *pair, size_t body_bytes) {
    struct headers none = {0};
    struct stream_head head = get_head(&none);
    if (body_bytes) head.method = VIEW("POST");
    struct tap *tap = pair_open_head(pair, &head, body_bytes > 0);
    tap->to_write = body_bytes;
    tap_refill(tap);
    return tap;
}

/* The other end of the opening side's last stream, or the n-th last. */
static inline struct tap *last_tap(struct side *side) {
    assert_true(side->tap_count > 0);
    return side->taps[side->tap_count - 1];
}

static inline void tap_drain(struct tap *tap, size_t bytes) {
    assert_true(bytes <= tap->held);
    tap->held -= bytes;
    if (tap->stream) link_stream_consumed(tap->stream, bytes);
}

static inline void assert_all_done(const struct pair *pair) {
    const struct side *sides[] = {&pair->opens, &pair->answers};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sides[i]->status, STATUS_OK);
        assert_int_equal(link_stream_count(sides[i]->session), 0);
        for (size_t j = 0; j < sides[i]->tap_count; j++) assert_true(sides[i]->taps[j]->done);
        assert_int_equal(sides[i]->budget.held_bytes, 0);
        assert_int_equal(sides[i]->budget.granted_bytes, 0);
    }
}

#endif
