/* See peer_link.h. The session is there from the beginning, and gathers what is to be sent. */
#include "cluster/peer_link.h"

#include "cluster/peer_protocol.h"

#include "auth/peer.h"
#include "auth/websocket.h"
#include "base/base64.h"
#include "base/ids.h"
#include "base/log.h"
#include "http/head.h"
#include "http/ws_frame.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#define DIAL_MS 3000 /* name, connection and handshake */
/* In ticks, which only a loop that runs counts: a peer is not taken for dead because we were paused. */
#define IDLE_TICKS 5    /* of silence, before it is asked for a sign of life, and as many to answer */
#define WAITING_TICKS 2 /* the same while somebody waits for an answer by this link */
#define HEAD_MAX ((size_t)16 * 1024)
#define KEY_LEN 24
#define MESSAGES_A_TURN 16

enum peer_link_phase {
    PEER_LINK_WAITING,   /* for its turn to dial */
    PEER_LINK_RESOLVING, /* the name */
    PEER_LINK_DIALING,
    PEER_LINK_SHAKING, /* until the handshake is answered */
    PEER_LINK_UP,
};

/* A look-up of its name; it may outlive the link. */
struct resolving {
    uv_getaddrinfo_t request;
    struct peer_link *link; /* NULL: gone */
};

struct peer_link {
    struct peer_link_world *world;
    struct peer_link_events events;
    const char *to;
    const struct peer_url *url;
    struct wire_tls *tls;
    enum peer_link_phase phase;
    struct timer timer; /* when to dial, then until when to be up */
    struct task flush;
    struct resolving *resolving;
    struct addrinfo *addresses, *next_address;
    struct wire *wire;
    struct link_session *session;
    struct buf head; /* of the handshake's answer */
    struct ws_decoder decoder;
    unsigned quiet_ticks, asked_ticks; /* since it was heard; since it was asked, 0: it was not */
    char key[KEY_LEN + 1], nonce[PEER_NONCE_LEN + 1];
    uint64_t greeted_ms;
    char why[200];
};

/* ---- the end ---- */

static void link_end(struct peer_link *link, enum peer_link_end how, const char *why) {
    char text[sizeof(link->why)];
    snprintf(text, sizeof(text), "%s", why);
    timer_stop(&link->world->loop->timers, &link->timer);
    task_cancel(&link->flush);
    wire_free(link->wire);
    if (link->resolving) link->resolving->link = NULL;
    if (link->addresses) uv_freeaddrinfo(link->addresses);
    link->events.ended(link->events.ctx, link, how, text);
    link_set_loss(link->session, how == PEER_LINK_BROKEN ? STREAM_SEVERED : STREAM_UNREACHED);
    link_free(link->session);
    buf_done(&link->head);
    free(link);
}

/* How an end that comes now is to be understood. */
static enum peer_link_end end_of(const struct peer_link *link) {
    return link->phase == PEER_LINK_UP ? PEER_LINK_BROKEN : PEER_LINK_UNREACHED;
}

/* ---- out ---- */

static bool write_frame(struct peer_link *link, struct view payload, enum ws_opcode opcode) {
    char bytes[WS_HEAD_MAX + WS_CONTROL_MAX];
    if (payload.len > WS_CONTROL_MAX) return false;
    if (payload.len) memcpy(bytes + WS_HEAD_MAX, payload.ptr, payload.len);
    wire_write(link->wire, ws_frame(bytes + WS_HEAD_MAX, payload.len, opcode, true));
    return true;
}

static enum status write_message(struct peer_link *link) {
    static const char headroom[WS_HEAD_MAX];
    struct buf *out = &link->world->message;
    buf_clear(out);
    if (!buf_append(out, headroom, WS_HEAD_MAX)) return STATUS_NO_MEMORY;
    enum status status = link_send(link->session, out);
    size_t len = out->len - WS_HEAD_MAX;
    if (len) wire_write(link->wire, ws_frame(out->ptr + out->start + WS_HEAD_MAX, len, WS_BINARY, true));
    return status;
}

static void on_flush(struct task *task) {
    struct peer_link *link = LIST_ENTRY(task, struct peer_link, flush);
    enum status status = STATUS_OK;
    if (link->phase != PEER_LINK_UP) return;
    for (int i = 0; status == STATUS_OK && i < MESSAGES_A_TURN; i++) {
        if (wire_is_full(link->wire) || !link_wants_send(link->session)) return;
        status = write_message(link);
    }
    if (status != STATUS_OK)
        link_end(link, PEER_LINK_BROKEN, link_error(link->session));
    else
        tasks_post(&link->world->loop->tasks, &link->flush);
}

static void flush_soon(struct peer_link *link) {
    if (link->phase == PEER_LINK_UP) tasks_post(&link->world->loop->tasks, &link->flush);
}

/* ---- in ---- */

/* False: the link has ended. */
static bool take_piece(struct peer_link *link, const struct ws_piece *piece) {
    switch (piece->opcode) {
    case WS_BINARY:
        if (link_receive(link->session, piece->payload) == STATUS_OK) return true;
        link_end(link, PEER_LINK_BROKEN, link_error(link->session));
        return false;
    case WS_PING: return write_frame(link, piece->payload, WS_PONG);
    case WS_PONG: return true;
    case WS_CLOSE: link_end(link, PEER_LINK_BROKEN, "it closed the link"); return false;
    default: link_end(link, PEER_LINK_BROKEN, "a text message on a peer link"); return false;
    }
}

static void take_frames(struct peer_link *link, struct view bytes) {
    struct ws_piece piece;
    link_tick(link->session, loop_now(link->world->loop));
    for (;;) {
        switch (ws_decode(&link->decoder, &bytes, &piece)) {
        case WS_MORE: return;
        case WS_BAD: link_end(link, PEER_LINK_BROKEN, link->decoder.detail); return;
        case WS_PIECE:
            if (!take_piece(link, &piece)) return;
        }
    }
}

/* ---- the handshake ---- */

static struct peer_greeting greeting_of(const struct peer_link *link) {
    return (struct peer_greeting){.from = view_from_cstr(link->world->from),
                                  .to = view_from_cstr(link->to),
                                  .time_ms = link->greeted_ms,
                                  .nonce = view_of(link->nonce, PEER_NONCE_LEN)};
}

static void make_numbers(struct peer_link *link) {
    unsigned char random[16];
    ids_random(random, sizeof(random));
    link->key[base64_encode(view_of(random, sizeof(random)), link->key)] = '\0';
    ids_random(random, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++) snprintf(link->nonce + 2 * i, 3, "%02x", random[i]);
    link->greeted_ms = loop_wall_ms(NULL);
}

static bool print_request(struct peer_link *link, struct buf *out) {
    make_numbers(link);
    struct peer_greeting greeting = greeting_of(link);
    buf_printf(out,
               "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n"
               "Sec-WebSocket-Protocol: " PEER_SUBPROTOCOL "\r\n" PEER_FROM ": %s\r\n" PEER_PROOF ": ",
               link->url->path, link->url->authority, link->key, link->world->from);
    return peer_proof_encode(out, &greeting, link->world->key) && buf_append_view(out, VIEW("\r\n\r\n"));
}

static void greet(struct peer_link *link) {
    struct buf out;
    buf_init(&out, HEAD_MAX);
    if (print_request(link, &out)) wire_write(link->wire, buf_view(&out));
    buf_done(&out);
}

/* NULL: it is a peer of ours. */
static const char *check_answer(struct peer_link *link, const struct response_head *head, struct view rest) {
    char accept[WEBSOCKET_ACCEPT_LEN + 1];
    struct peer_greeting greeting = greeting_of(link);
    if (head->status != 101) {
        struct view text = view_slice(rest, 0, view_find(rest, '\n'));
        snprintf(link->why, sizeof(link->why), "it answers %d: %.*s", head->status,
                 VIEW_ARG(view_slice(text, 0, 120)));
        return link->why;
    }
    websocket_accept(view_from_cstr(link->key), accept);
    if (!view_eq(headers_get(&head->headers, VIEW("sec-websocket-accept")), view_from_cstr(accept)) ||
        !view_eq(headers_get(&head->headers, VIEW("sec-websocket-protocol")), VIEW(PEER_SUBPROTOCOL)))
        return "it does not speak " PEER_SUBPROTOCOL;
    if (!peer_reply_check(headers_get(&head->headers, VIEW(PEER_REPLY)), &greeting, link->world->key))
        return "it does not prove that it has our TUNNEL_SECRET";
    return NULL;
}

static void come_up(struct peer_link *link) {
    link->phase = PEER_LINK_UP;
    timer_stop(&link->world->loop->timers, &link->timer);
    link->events.up(link->events.ctx, link);
    flush_soon(link);
}

/* A refusal's text may follow in a segment of its own: then it is left out. */
static void take_answer(struct peer_link *link, struct view bytes) {
    struct arena arena;
    struct response_head head;
    size_t len;
    if (!buf_append_view(&link->head, bytes)) {
        link_end(link, PEER_LINK_REFUSED, "its answer is too long");
        return;
    }
    arena_init(&arena, HEAD_MAX * 8);
    enum head_result result = response_head_parse(buf_view(&link->head), HEAD_MAX, &arena, &head, &len);
    if (result == HEAD_INCOMPLETE) {
        arena_done(&arena);
        return;
    }
    struct view rest = result == HEAD_COMPLETE ? view_skip(buf_view(&link->head), len) : (struct view){0};
    const char *wrong = result == HEAD_COMPLETE ? check_answer(link, &head, rest) : "its answer is malformed";
    arena_done(&arena);
    if (wrong) {
        link_end(link, PEER_LINK_REFUSED, wrong);
        return;
    }
    come_up(link);
    take_frames(link, rest);
}

/* ---- the wire ---- */

static void on_connected(void *ctx) {
    (void)ctx;
}

static void on_up(void *ctx) {
    struct peer_link *link = ctx;
    link->phase = PEER_LINK_SHAKING;
    greet(link);
}

static void on_bytes(void *ctx, struct view bytes) {
    struct peer_link *link = ctx;
    link->quiet_ticks = link->asked_ticks = 0;
    if (link->phase == PEER_LINK_UP)
        take_frames(link, bytes);
    else
        take_answer(link, bytes);
}

/* What was queued before the question has left; the question may not have. */
static void on_drained(void *ctx) {
    struct peer_link *link = ctx;
    if (link->asked_ticks) link->asked_ticks = 1;
    flush_soon(link);
}

static void dial_next(struct peer_link *link, const char *why);

static const char *end_text(const struct wire_end *end) {
    if (end->reason) return end->reason;
    return end->error ? uv_strerror(end->error) : "the connection was closed";
}

static void on_wire_end(void *ctx, const struct wire_end *end) {
    struct peer_link *link = ctx;
    struct wire *wire = link->wire;
    if (end->failure == WIRE_UNREACHABLE) {
        link->wire = NULL;
        dial_next(link, end_text(end));
        wire_free(wire);
    } else {
        link_end(link, end_of(link), end_text(end));
    }
}

static const struct wire_events wire_events = {.on_connected = on_connected,
                                               .on_up = on_up,
                                               .on_bytes = on_bytes,
                                               .on_drained = on_drained,
                                               .on_end = on_wire_end};

/* ---- dialing ---- */

/* The next address of the name; `why` is what was wrong with the last one. */
static void dial_next(struct peer_link *link, const char *why) {
    struct wire_loop loop = {&link->world->loop->uv, &link->world->loop->tasks};
    const struct addrinfo *address = link->next_address;
    if (!address) {
        link_end(link, PEER_LINK_UNREACHED, why);
        return;
    }
    link->next_address = address->ai_next;
    link->phase = PEER_LINK_DIALING;
    link->wire = wire_open(&loop, address->ai_addr, link->tls, &wire_events, link);
    if (!link->wire) link_end(link, PEER_LINK_UNREACHED, "out of memory");
}

static void on_resolved(uv_getaddrinfo_t *request, int error, struct addrinfo *addresses) {
    struct resolving *resolving = request->data;
    struct peer_link *link = resolving->link;
    free(resolving);
    if (!link) {
        uv_freeaddrinfo(addresses);
        return;
    }
    link->resolving = NULL;
    link->addresses = link->next_address = addresses;
    dial_next(link, error ? uv_strerror(error) : "its name has no address");
}

static void dial(struct peer_link *link) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct resolving *resolving = calloc(1, sizeof(*resolving));
    link->phase = PEER_LINK_RESOLVING;
    if (!resolving || !timer_start(&link->world->loop->timers, &link->timer, DIAL_MS) ||
        uv_getaddrinfo(&link->world->loop->uv, &resolving->request, on_resolved, link->url->host,
                       link->url->port, &hints) != 0) {
        free(resolving);
        link_end(link, PEER_LINK_UNREACHED, "its name cannot be looked up");
        return;
    }
    resolving->request.data = resolving;
    resolving->link = link;
    link->resolving = resolving;
}

static void on_timer(struct timer *timer) {
    struct peer_link *link = LIST_ENTRY(timer, struct peer_link, timer);
    if (link->phase != PEER_LINK_WAITING)
        link_end(link, PEER_LINK_UNREACHED, "it takes too long to answer");
    else if (link_stream_count(link->session) == 0)
        link_end(link, PEER_LINK_UNREACHED, "nobody wants it any more");
    else
        dial(link);
}

/* ---- the session ---- */

static void on_request(void *ctx, struct link_stream *stream, const struct stream_head *head, bool has_body) {
    (void)ctx, (void)stream, (void)head, (void)has_body; /* never comes to the side that asks */
}

static void on_control(void *ctx, struct view line) {
    (void)ctx, (void)line; /* nothing is said there yet */
}

static void on_writable(void *ctx) {
    flush_soon(ctx);
}

static void on_draining(void *ctx) {
    struct peer_link *link = ctx;
    link->events.draining(link->events.ctx, link);
}

struct peer_link *peer_link_new(struct peer_link_world *world, const char *to, const struct peer_url *url,
                                struct wire_tls *tls, uint64_t delay_ms,
                                const struct peer_link_events *events) {
    struct peer_link *link = calloc(1, sizeof(*link));
    if (!link) return NULL;
    struct link_limits limits = PEER_LINK_LIMITS;
    struct link_events session_events = {.ctx = link,
                                         .request = on_request,
                                         .control = on_control,
                                         .writable = on_writable,
                                         .draining = on_draining};
    *link = (struct peer_link){.world = world, .events = *events, .to = to, .url = url, .tls = tls};
    buf_init(&link->head, HEAD_MAX);
    timer_init(&link->timer, on_timer);
    task_init(&link->flush, on_flush);
    link->session = link_new(LINK_OPENS, &limits, world->budget, &session_events);
    if (link->session && timer_start(&world->loop->timers, &link->timer, delay_ms)) return link;
    link_free(link->session);
    free(link);
    return NULL;
}

struct link_session *peer_link_session(const struct peer_link *link) {
    return link->session;
}

void peer_link_tick(struct peer_link *link, uint64_t now_ms) {
    link_tick(link->session, now_ms);
    if (link->phase != PEER_LINK_UP) return;
    unsigned patience = link_stream_count(link->session) > 0 ? WAITING_TICKS : IDLE_TICKS;
    link->quiet_ticks++;
    if (link->asked_ticks) link->asked_ticks++;
    if (link->asked_ticks > patience) {
        link_end(link, PEER_LINK_BROKEN, "it has gone silent");
    } else if (!link->asked_ticks && link->quiet_ticks > patience) {
        link->asked_ticks = 1;
        link_ping(link->session);
    }
}

void peer_link_close(struct peer_link *link) {
    static const char going_away[] = {3, (char)0xe9}; /* 1001 */
    if (link->phase == PEER_LINK_UP) write_frame(link, view_of(going_away, 2), WS_CLOSE);
    link_end(link, end_of(link), "closed");
}
