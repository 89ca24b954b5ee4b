/* libFuzzer target: a peer that sends anything. Byte 0 chooses the role of the session under test (bit 0),
 * whether the peer begins as it should (bit 1), and how its owner behaves (the rest); byte 1 the size of the
 * pieces in which what follows arrives. What the session sends is drained, and at the end no byte may be left
 * on the account. Mutations are of frames. */
#include <assert.h>
#include <stdlib.h>

#include "fuzz_mutate.h"
#include "link/link.h"

#define STREAMS 4

/* SETTINGS, its ACK, and the control stream: what a peer begins with. */
#define SETTINGS                                                                                             \
    "\0\0\0\4\0\0\0\0\0"                                                                                     \
    "\0\0\0\4\1\0\0\0\0"
static const char client_begin[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" SETTINGS "\0\0\x17\1\4\0\0\0\1"
                                   "\x83\x86\x41\1a\x44\x10/.tunnel/control";
static const char server_begin[] = SETTINGS "\0\0\1\1\4\0\0\0\1"
                                            "\x88";

struct owner {
    struct fuzz *fuzz;
    struct link_stream *stream;
    size_t held, unsent;
    bool answered, local_ended;
};

struct fuzz {
    enum link_role role;
    struct link_session *session;
    struct link_budget budget;
    struct buf message;
    unsigned behaviour; /* stirred by everything that happens */
    struct owner owners[512];
    size_t owner_count;
    uint64_t now_ms;
};

static unsigned stir(struct fuzz *fuzz) {
    fuzz->behaviour = fuzz->behaviour * 1103515245u + 12345u;
    return fuzz->behaviour >> 16;
}

static bool gave_up(struct owner *owner) {
    unsigned choice = stir(owner->fuzz) % 64;
    struct link_stream *stream = owner->stream;
    if (choice > 1) return false;
    owner->stream = NULL;
    if (choice == 0)
        link_stream_reset(stream, choice & 1);
    else
        link_stream_attach(stream, NULL, NULL);
    return true;
}

static void write_some(struct owner *owner) {
    static const char bytes[100000];
    struct fuzz *fuzz = owner->fuzz;
    if (owner->local_ended || owner->unsent > 200000) return;
    size_t len = stir(fuzz) % (fuzz->behaviour & 0x800 ? sizeof(bytes) : 100);
    if (link_stream_write(owner->stream, view_of(bytes, len)) == STATUS_OK) owner->unsent += len;
    if (stir(fuzz) % 4) return;
    struct header field = {VIEW("x-trailer"), VIEW(" y ")};
    struct headers trailers = {.fields = &field, .count = 1, .bytes = 16};
    owner->local_ended = true;
    link_stream_end(owner->stream, stir(fuzz) % 2 ? &trailers : NULL);
}

static void answer(struct owner *owner) {
    static const int statuses[] = {200, 204, 304, 404, 99, 600, 101, 100};
    struct fuzz *fuzz = owner->fuzz;
    struct header field = {VIEW("content-length"), VIEW("5")};
    struct headers headers = {.fields = &field, .count = stir(fuzz) % 8 == 0, .bytes = 19};
    struct stream_head head = {.status = statuses[stir(fuzz) % 8], .headers = &headers};
    bool body = stir(fuzz) % 4;
    if (stir(fuzz) % 4 == 0) link_stream_informational(owner->stream, 100);
    if (link_stream_answer(owner->stream, &head, body) != STATUS_OK) return;
    owner->answered = true;
    owner->local_ended = !body;
    write_some(owner);
}

/* Something an owner could do at any time. */
static void act(struct owner *owner) {
    struct fuzz *fuzz = owner->fuzz;
    if (!owner->stream || gave_up(owner)) return;
    if (owner->held && stir(fuzz) % 2) {
        size_t part = 1 + stir(fuzz) % owner->held;
        owner->held -= part;
        link_stream_consumed(owner->stream, part);
    }
    if (fuzz->role == LINK_ANSWERS && !owner->answered && stir(fuzz) % 2) answer(owner);
    if (owner->answered && stir(fuzz) % 2) write_some(owner);
}

static void on_informational(void *ctx, int status) {
    assert(status == 100);
    gave_up(ctx);
}

static void read_headers(const struct headers *headers) {
    for (size_t i = 0; i < headers->count; i++) {
        assert(headers->fields[i].name.ptr[headers->fields[i].name.len] == '\0');
        assert(headers->fields[i].value.ptr[headers->fields[i].value.len] == '\0');
    }
}

static void on_head(void *ctx, const struct stream_head *head) {
    assert(head->status >= 200 && head->method.len == 0);
    read_headers(head->headers);
    gave_up(ctx);
}

static void on_data(void *ctx, struct view data) {
    struct owner *owner = ctx;
    assert(owner->stream && data.len);
    owner->held += data.len;
    act(owner);
}

static void on_end(void *ctx, const struct headers *trailers) {
    read_headers(trailers);
    act(ctx);
}

static void on_sent(void *ctx, size_t bytes) {
    struct owner *owner = ctx;
    assert(bytes && bytes <= owner->unsent);
    owner->unsent -= bytes;
    act(owner);
}

static void on_last(struct owner *owner) {
    assert(owner->stream);
    if (stir(owner->fuzz) % 2) link_stream_reset(owner->stream, false);
    owner->stream = NULL;
}

static void on_done(void *ctx) {
    on_last(ctx);
}

static void on_lost(void *ctx, enum stream_end why) {
    assert(why <= STREAM_BROKEN);
    on_last(ctx);
}

static const struct stream_events events = {.informational = on_informational,
                                            .head = on_head,
                                            .data = on_data,
                                            .end = on_end,
                                            .sent = on_sent,
                                            .done = on_done,
                                            .lost = on_lost};

static struct owner *owner_new(struct fuzz *fuzz) {
    if (fuzz->owner_count == sizeof(fuzz->owners) / sizeof(fuzz->owners[0])) return NULL;
    struct owner *owner = &fuzz->owners[fuzz->owner_count++];
    owner->fuzz = fuzz;
    return owner;
}

static void on_request(void *ctx, struct link_stream *stream, const struct stream_head *head, bool has_body) {
    struct fuzz *fuzz = ctx;
    (void)has_body;
    assert(fuzz->role == LINK_ANSWERS && head->method.len && !head->status);
    read_headers(head->headers);
    struct owner *owner = stir(fuzz) % 16 ? owner_new(fuzz) : NULL;
    if (!owner) return;
    owner->stream = stream;
    link_stream_attach(stream, &events, owner);
    act(owner);
}

static void on_control(void *ctx, struct view line) {
    struct fuzz *fuzz = ctx;
    assert(line.len && view_find(line, '\n') == line.len);
    if (stir(fuzz) % 4 == 0) link_control(fuzz->session, line);
}

static void on_writable(void *ctx) {
    (void)ctx;
}

static void on_draining(void *ctx) {
    struct fuzz *fuzz = ctx;
    if (stir(fuzz) % 2) link_drain(fuzz->session);
}

static void open_one(struct fuzz *fuzz) {
    struct headers none = {0};
    bool body = stir(fuzz) % 2, upgrade = stir(fuzz) % 4 == 0;
    struct stream_head head = {.method = upgrade ? VIEW("CONNECT") : VIEW("POST"),
                               .protocol = upgrade ? VIEW("websocket") : (struct view){NULL, 0},
                               .authority = VIEW("a"),
                               .path = VIEW("/"),
                               .headers = &none};
    struct owner *owner = owner_new(fuzz);
    enum status status;
    if (!owner) return;
    owner->answered = true;
    owner->local_ended = !body;
    owner->stream = link_open(fuzz->session, &head, body, &events, owner, &status);
    assert((owner->stream != NULL) == (status == STATUS_OK));
    if (owner->stream) write_some(owner);
}

static bool drain(struct fuzz *fuzz) {
    enum status status = STATUS_OK;
    for (int i = 0; i < 20 && link_wants_send(fuzz->session) && status == STATUS_OK; i++) {
        status = link_send(fuzz->session, &fuzz->message);
        buf_clear(&fuzz->message);
    }
    return status == STATUS_OK;
}

static void between(struct fuzz *fuzz) {
    for (size_t i = 0; i < fuzz->owner_count; i++) act(&fuzz->owners[i]);
    if (fuzz->role == LINK_OPENS && stir(fuzz) % 8 == 0) open_one(fuzz);
    if (stir(fuzz) % 16 == 0) link_ping(fuzz->session);
    if (stir(fuzz) % 128 == 0) link_drain(fuzz->session);
    if (stir(fuzz) % 4 == 0) link_tick(fuzz->session, fuzz->now_ms += stir(fuzz) % 3000);
}

/* A copy each time, so that reading beyond a piece is seen. */
static bool deliver(struct fuzz *fuzz, struct view piece) {
    char *copy = malloc(piece.len);
    assert(copy);
    memcpy(copy, piece.ptr, piece.len);
    enum status status = link_receive(fuzz->session, view_of(copy, piece.len));
    free(copy);
    return status == STATUS_OK;
}

static void play(struct fuzz *fuzz, struct view bytes, size_t piece_max) {
    while (bytes.len) {
        struct view piece = view_slice(bytes, 0, piece_max);
        bytes = view_skip(bytes, piece.len);
        if (!deliver(fuzz, piece) || !drain(fuzz)) break;
        between(fuzz);
    }
    drain(fuzz);
}

static struct view begin(enum link_role role) {
    return role == LINK_OPENS ? view_of(server_begin, sizeof(server_begin) - 1)
                              : view_of(client_begin, sizeof(client_begin) - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    struct fuzz *fuzz = calloc(1, sizeof(*fuzz));
    assert(fuzz);
    struct link_limits limits = LINK_LIMITS_DEFAULT;
    struct link_events link_events = {.ctx = fuzz,
                                      .request = on_request,
                                      .control = on_control,
                                      .writable = on_writable,
                                      .draining = on_draining};
    fuzz->role = data[0] & 1 ? LINK_ANSWERS : LINK_OPENS;
    fuzz->behaviour = data[0];
    fuzz->budget.max_bytes = 1024 * 1024;
    limits.streams_max = 100;
    limits.window_bytes = 70000;
    buf_init(&fuzz->message, 4 * 1024 * 1024);
    fuzz->session = link_new(fuzz->role, &limits, &fuzz->budget, &link_events);
    assert(fuzz->session);
    if (fuzz->role == LINK_OPENS)
        for (int i = 0; i < STREAMS; i++) open_one(fuzz);
    drain(fuzz);
    if (data[0] & 2) {
        play(fuzz, begin(fuzz->role), 1000);
        assert(!link_error(fuzz->session)[0]);
    }
    play(fuzz, view_of(data + 2, size - 2), 1 + (size_t)data[1] * data[1]);
    link_free(fuzz->session);
    for (size_t i = 0; i < fuzz->owner_count; i++) assert(!fuzz->owners[i].stream);
    assert(fuzz->budget.held_bytes == 0 && fuzz->budget.granted_bytes == 0);
    buf_done(&fuzz->message);
    free(fuzz);
    return 0;
}

/* ---- frames (RFC 9113 4.1) ---- */

#define FRAME_HEAD 9
#define PREFACE_LEN 24

static size_t frame_len(struct view rest) {
    const unsigned char *at = (const unsigned char *)rest.ptr;
    if (view_starts_with(rest, VIEW("PRI * HTTP/2.0")))
        return rest.len < PREFACE_LEN ? rest.len : PREFACE_LEN;
    if (rest.len < FRAME_HEAD) return rest.len;
    size_t len = FRAME_HEAD + ((size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2]);
    return len < rest.len ? len : rest.len;
}

static void put_frame(unsigned type, unsigned flags, uint32_t id, struct view payload, struct buf *out) {
    char head[FRAME_HEAD] = {
        (char)(payload.len >> 16), (char)(payload.len >> 8), (char)payload.len, (char)type, (char)flags,
        (char)(id >> 24),          (char)(id >> 16),         (char)(id >> 8),   (char)id};
    buf_append(out, head, sizeof(head));
    buf_append_view(out, payload);
}

/* Of streams that there may be, ones that nobody has opened, and the connection. */
static uint32_t some_id(struct dice *dice) {
    static const uint32_t odd[] = {0, 2, 101, 0x7fffffff, 0x80000001};
    return roll(dice, 8) ? 1 + 2 * roll(dice, 8) : odd[roll(dice, 5)];
}

static void change_frame(struct dice *dice, struct view piece, struct buf *out) {
    const unsigned char *at = (const unsigned char *)piece.ptr;
    if (piece.len < FRAME_HEAD || at[0] == 'P') {
        mutate_bytes(piece, out);
        return;
    }
    uint32_t id = (uint32_t)at[5] << 24 | (uint32_t)at[6] << 16 | (uint32_t)at[7] << 8 | at[8];
    struct view payload = view_skip(piece, FRAME_HEAD);
    struct buf changed;
    buf_init(&changed, 65536);
    switch (roll(dice, 4)) {
    case 0: put_frame(at[3], at[4] ^ 1u << roll(dice, 8), id, payload, out); break;
    case 1: put_frame(at[3], at[4], some_id(dice), payload, out); break;
    case 2: put_frame(roll(dice, 11), at[4], id, payload, out); break;
    default: mutate_bytes(payload, &changed); put_frame(at[3], at[4], id, buf_view(&changed), out);
    }
    buf_done(&changed);
}

static void fresh_frame(struct dice *dice, struct buf *out) {
    static const struct {
        unsigned type, flags;
        struct view payload;
    } frames[] = {
        {0, 0, {"data", 4}},
        {0, 1, {"", 0}},
        {0, 9, {"\2da\0\0", 5}},
        {1, 4, {"\x88", 1}},                /* :status 200 */
        {1, 5, {"\x82\x86\x84\x41\1a", 6}}, /* GET http / a */
        {1, 4, {"\x83\x86\x84\x41\1a", 6}}, /* POST */
        {1, 0, {"\x83\x86", 2}},            /* more in a CONTINUATION */
        {9, 4, {"\x84\x41\1a", 4}},
        {1, 5, {"\0\3x-t\1y", 7}},           /* trailers */
        {1, 4, {"\x48\003100", 5}},          /* :status 100 */
        {2, 0, {"\0\0\0\0\20", 5}},          /* PRIORITY */
        {3, 0, {"\0\0\0\x8", 4}},            /* RST_STREAM, CANCEL */
        {4, 0, {"\0\4\0\0\0\1", 6}},         /* a window of 1 */
        {4, 0, {"\0\4\x7f\xff\xff\xff", 6}}, /* of the most */
        {4, 1, {"", 0}},
        {6, 0, {"12345678", 8}},
        {6, 1, {"12345678", 8}},
        {7, 0, {"\0\0\0\3\0\0\0\0", 8}}, /* GOAWAY */
        {8, 0, {"\0\0\0\1", 4}},
        {8, 0, {"\x7f\xff\xff\xff", 4}},
    };
    size_t which = roll(dice, sizeof(frames) / sizeof(frames[0]));
    uint32_t id = frames[which].type >= 4 && frames[which].type <= 7 ? 0 : some_id(dice);
    put_frame(frames[which].type, frames[which].flags, id, frames[which].payload, out);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
    static const struct grammar grammar = {
        .lead = 2, .piece_len = frame_len, .change = change_frame, .fresh = fresh_frame};
    return mutate_pieces(&grammar, data, size, max_size, seed);
}
