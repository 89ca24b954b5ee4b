/* A session: what it is made of, and its end. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/pages.h"
#include "base/quick.h"
#include "link/link_state.h"

#define LIFTED ((uint64_t)1 << 40)
#define OUTBOUND_ACKS 500
#define CONTINUATIONS 20  /* a head over our limit, but one that we could send, costs its stream only */
#define TABLE_BYTES 16384 /* of compression: some 30 visitors' headers; a larger one is slower to search */
#define IDLE_MS 10000
#define FRAME_BUFFER_BYTES ((size_t)16 * 1024) /* and a frame's head: nghttp2's */
#define SPARE_STREAMS 64
#define WINDOW_LIMIT ((uint32_t)1 << 30)

/* ---- failure ---- */

/* The reason may be the peer's: printable ASCII only. */
void session_failed(struct link_session *session, enum status status, const char *prefix,
                    struct view reason) {
    if (session->failed) return;
    session->failed = status;
    snprintf(session->error, sizeof(session->error), "%s%.*s", prefix, VIEW_ARG(view_slice(reason, 0, 100)));
    for (char *at = session->error; *at; at++)
        if (*at < ' ' || *at > '~') *at = '?';
}

void session_fail(struct link_session *session, enum status status, uint32_t code, const char *text) {
    if (session->failed) return;
    session_failed(session, status, "", view_from_cstr(text));
    nghttp2_session_terminate_session(session->h2, code);
}

const char *link_error(const struct link_session *session) {
    return session->error;
}

/* ---- rates ---- */

static void bucket_init(struct bucket *bucket, uint64_t at_once, uint64_t per_second) {
    bucket->millitokens = bucket->max_millitokens = at_once * 1000;
    bucket->per_second = per_second;
}

bool bucket_take(struct link_session *session, struct bucket *bucket) {
    if (!session->ticked) return true;
    if (bucket->millitokens < 1000) return false;
    bucket->millitokens -= 1000;
    return true;
}

static void bucket_fill(struct bucket *bucket, uint64_t elapsed_ms) {
    uint64_t missing = bucket->max_millitokens - bucket->millitokens;
    if (elapsed_ms > missing) elapsed_ms = missing; /* enough in any case, and no overflow */
    uint64_t more = elapsed_ms * bucket->per_second;
    bucket->millitokens += more < missing ? more : missing;
}

/* Between two frames nothing in it counts. A ping fills it again, and the next tick empties it. */
static void rest_frame_buffer(struct link_session *session) {
    struct frame_buffer *frame = &session->frame;
    if (!frame->is_touched || nghttp2_session_want_write(session->h2)) return;
    pages_rest(frame->block, frame->size);
    frame->is_touched = false;
}

static void give_memory_back(struct link_session *session) {
    if (session->live_count || session->now_ms - session->active_ms < IDLE_MS) return;
    spares_trim(&session->spare_streams);
    spares_trim(&session->spare_blocks);
    if (session->head.kept_count == 0) head_done(&session->head);
    rest_frame_buffer(session);
}

void link_tick(struct link_session *session, uint64_t now_ms) {
    uint64_t elapsed_ms = now_ms - session->now_ms;
    if (session->ticked && now_ms <= session->now_ms) return;
    session->ticked = true;
    session->now_ms = now_ms;
    bucket_fill(&session->resets, elapsed_ms);
    bucket_fill(&session->noise, elapsed_ms);
    give_memory_back(session);
}

/* ---- birth ---- */

static nghttp2_option *options_new(const struct link_session *session) {
    nghttp2_option *option;
    if (nghttp2_option_new(&option) != 0) return NULL;
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_deflate_dynamic_table_size(option, TABLE_BYTES);
    nghttp2_option_set_max_send_header_block_length(option, HEAD_SEND_MAX);
    nghttp2_option_set_max_outbound_ack(option, OUTBOUND_ACKS);
    nghttp2_option_set_peer_max_concurrent_streams(option, session->limits.streams_max + 1);
    nghttp2_option_set_max_continuations(option, CONTINUATIONS);
    nghttp2_option_set_max_reserved_remote_streams(option, 0);
    nghttp2_option_set_stream_reset_rate_limit(option, LIFTED, LIFTED); /* visitors who leave */
    return option;
}

static void *h2_malloc(size_t size, void *ctx) {
    struct frame_buffer *frame = ctx;
    void *block = size < PAGES_LEAST ? quick_alloc(size) : pages_alloc(size);
    bool is_it = !frame->is_known && size >= FRAME_BUFFER_BYTES && size < FRAME_BUFFER_BYTES + 64;
    if (block && is_it) *frame = (struct frame_buffer){.block = block, .size = size, .is_known = true};
    return block;
}

static void h2_free(void *block, void *ctx) {
    struct frame_buffer *frame = ctx;
    if (block && block == frame->block) frame->block = NULL;
    quick_free(block);
}

static void *h2_calloc(size_t count, size_t size, void *ctx) {
    (void)ctx;
    return calloc(count, size);
}

static void *h2_realloc(void *block, size_t size, void *ctx) {
    struct frame_buffer *frame = ctx;
    if (!block) return h2_malloc(size, ctx);
    if (block == frame->block) frame->block = NULL;
    return realloc(block, size);
}

static int h2_new(struct link_session *session) {
    nghttp2_mem mem = {.mem_user_data = &session->frame,
                       .malloc = h2_malloc,
                       .free = h2_free,
                       .calloc = h2_calloc,
                       .realloc = h2_realloc};
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = options_new(session);
    int rv = option ? nghttp2_session_callbacks_new(&callbacks) : NGHTTP2_ERR_NOMEM;
    if (rv != 0) goto out;
    send_callbacks(callbacks);
    receive_callbacks(callbacks);
    rv = session->role == LINK_OPENS
             ? nghttp2_session_client_new3(&session->h2, callbacks, session, option, &mem)
             : nghttp2_session_server_new3(&session->h2, callbacks, session, option, &mem);
out:
    nghttp2_session_callbacks_del(callbacks);
    if (option) nghttp2_option_del(option);
    return rv;
}

static bool submit_settings(struct link_session *session) {
    bool answers = session->role != LINK_OPENS, serves = session->role == LINK_SERVES;
    uint32_t window = session->limits.connection_bytes;
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, TABLE_BYTES},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, session->limits.window_bytes},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, serves ? FRAME_SERVED_BYTES : FRAME_MAX_BYTES},
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, answers ? session->limits.streams_max + !serves : 0},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)session->limits.headers_bytes},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
        {answers ? NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL : NGHTTP2_SETTINGS_ENABLE_PUSH, answers},
    };
    size_t count = sizeof(settings) / sizeof(settings[0]);
    return nghttp2_submit_settings(session->h2, NGHTTP2_FLAG_NONE, settings, count) == 0 &&
           nghttp2_session_set_local_window_size(session->h2, NGHTTP2_FLAG_NONE, 0,
                                                 window ? (int32_t)window : CONNECTION_WINDOW) == 0;
}

static uint32_t clamp(uint32_t value, uint32_t least, uint32_t most) {
    return value < least ? least : value > most ? most : value;
}

static void set_limits(struct link_session *session, const struct link_limits *limits) {
    session->limits = *limits;
    session->limits.window_bytes = clamp(limits->window_bytes, 1024, WINDOW_LIMIT);
    session->limits.window_max_bytes =
        clamp(limits->window_max_bytes, session->limits.window_bytes, WINDOW_LIMIT);
    session->limits.streams_max = clamp(limits->streams_max, 0, WINDOW_LIMIT);
    if (limits->requests_max == 0 || limits->requests_max > LINK_REQUESTS_MAX)
        session->limits.requests_max = LINK_REQUESTS_MAX;
    if (limits->unsent_bytes == 0) session->limits.unsent_bytes = session->limits.window_max_bytes;
    if (limits->message_bytes < FRAME_BYTES) session->limits.message_bytes = FRAME_BYTES;
}

static void lists_init(struct link_session *session) {
    list_init(&session->streams);
    list_init(&session->finished);
    list_init(&session->sent);
    list_init(&session->resting);
    blocks_init(session);
    session->spare_streams = (struct spares){.size = sizeof(struct link_stream), .most = SPARE_STREAMS};
    session->round = 1;
}

struct link_session *link_new(enum link_role role, const struct link_limits *limits,
                              struct link_budget *budget, const struct link_events *events) {
    struct link_session *session = calloc(1, sizeof(*session));
    if (!session) return NULL;
    session->role = role;
    session->budget = budget;
    session->events = *events;
    session->announced = true;
    session->loss = STREAM_LOST;
    session->walk.left = role != LINK_OPENS ? NGHTTP2_CLIENT_MAGIC_LEN : 0;
    set_limits(session, limits);
    lists_init(session);
    control_init(session);
    uint32_t at_once = clamp(session->limits.streams_max, limits->resets_per_second, UINT32_MAX);
    bucket_init(&session->resets, at_once, limits->resets_per_second);
    bucket_init(&session->noise, (uint64_t)limits->noise_per_second * 10, limits->noise_per_second);
    if (role == LINK_SERVES) session->gone = calloc(1, sizeof(*session->gone));
    if ((role == LINK_SERVES && !session->gone) || h2_new(session) != 0 || !submit_settings(session) ||
        (role == LINK_OPENS && !control_open(session))) {
        link_free(session);
        return NULL;
    }
    return session;
}

/* ---- death ---- */

void link_set_loss(struct link_session *session, enum stream_end why) {
    session->loss = why;
}

void link_free(struct link_session *session) {
    struct list *node;
    if (!session) return;
    assert(!session->busy);
    session->busy = true;
    session_failed(session, STATUS_GONE, "", VIEW("closed"));
    while ((node = list_pop(&session->streams))) stream_abandon(LIST_ENTRY(node, struct link_stream, node));
    control_done(session);
    nghttp2_session_del(session->h2);
    free(session->gone);
    head_done(&session->head);
    spares_trim(&session->spare_streams);
    spares_trim(&session->spare_blocks);
    free(session);
}

/* ---- the link as a whole ---- */

void session_wake(struct link_session *session) {
    if (session->busy || session->announced || !link_wants_send(session)) return;
    session->announced = true;
    session->events.writable(session->events.ctx);
}

void link_ping(struct link_session *session) {
    if (session->failed || session->pinging) return;
    session->pinging = nghttp2_submit_ping(session->h2, NGHTTP2_FLAG_NONE, NULL) == 0;
    session_wake(session);
}

void link_drain(struct link_session *session) {
    if (session->failed || session->draining) return;
    int32_t last = nghttp2_session_get_last_proc_stream_id(session->h2);
    session->draining = true;
    nghttp2_submit_goaway(session->h2, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0);
    session_wake(session);
}

size_t link_stream_count(const struct link_session *session) {
    return session->owned_count;
}

uint64_t link_work(const struct link_session *session) {
    return session->work;
}

bool link_awaits(const struct link_session *session) {
    if (session->role != LINK_OPENS) return false;
    for (const struct list *node = session->streams.next; node != &session->streams; node = node->next) {
        const struct link_stream *stream = LIST_ENTRY(node, const struct link_stream, node);
        if (!stream->headed && !stream->dead && !stream->closed) return true;
    }
    return false;
}

bool link_exhausted(const struct link_session *session) {
    uint32_t last = session->role == LINK_OPENS
                        ? nghttp2_session_get_next_stream_id(session->h2) - 2
                        : (uint32_t)nghttp2_session_get_last_proc_stream_id(session->h2);
    return last / 2 >= session->limits.requests_max; /* their ids are 3, 5, 7, … */
}

size_t link_head_most(const struct link_session *session) {
    uint32_t said = nghttp2_session_get_remote_settings(session->h2, NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE);
    return said == UINT32_MAX ? 0 : said;
}

const char *link_library(void) {
    static char text[32];
    snprintf(text, sizeof(text), "nghttp2 %.20s", nghttp2_version(0)->version_str);
    return text;
}
