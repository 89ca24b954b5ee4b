/* See peer_link.h. The session is there from the beginning, and gathers what is to be sent. */
#include "cluster/peer_link.h"

#include <stdio.h>
#include <stdlib.h>

#include "agents/peer_protocol.h"
#include "auth/peer.h"
#include "base/hex.h"
#include "base/ids.h"
#include "net/resolver.h"
#include "net/ws_client.h"

#define DIAL_MS 3000 /* for its name, and as much for connection and handshake */
/* In ticks, which only a loop that runs counts: a peer is not taken for dead because we were paused. */
#define IDLE_TICKS 5    /* of silence, before it is asked for a sign of life, and as many to answer */
#define WAITING_TICKS 2 /* the same while somebody waits for an answer by this link */
#define TEXT_MAX ((size_t)4 * 1024) /* there is none */
#define GREETING_MAX ((size_t)4 * 1024)
#define CODE_GOING_AWAY 1001 /* RFC 6455 7.4.1 */

enum peer_link_phase {
    PEER_LINK_WAITING,   /* for its turn to dial */
    PEER_LINK_RESOLVING, /* the name */
    PEER_LINK_DIALING,   /* until the handshake is answered */
    PEER_LINK_UP,
};

struct peer_link {
    struct peer_link_world *world;
    struct peer_link_events events;
    const char *to;
    const struct ws_url *url;
    struct wire_tls *tls;
    enum peer_link_phase phase;
    struct timer timer; /* when to dial, then until when to know the addresses */
    struct resolver_job *job;
    struct ws_client *socket;
    struct link_session *session;
    uint64_t heard_ms;                 /* as of the last tick */
    unsigned quiet_ticks, asked_ticks; /* since then; since it was asked, 0: it was not */
    char nonce[PEER_NONCE_LEN + 1];
    uint64_t greeted_ms;
};

/* ---- the end ---- */

static void link_end(struct peer_link *link, enum peer_link_end how, const char *why) {
    char text[200];
    snprintf(text, sizeof(text), "%s", why);
    timer_stop(&link->world->loop->timers, &link->timer);
    resolver_cancel(link->job);
    ws_client_free(link->socket);
    link->events.ended(link->events.ctx, link, how, text);
    link_set_loss(link->session, how == PEER_LINK_BROKEN ? STREAM_SEVERED : STREAM_UNREACHED);
    link_free(link->session);
    free(link);
}

/* How an end that comes now is to be understood. */
static enum peer_link_end end_of(const struct peer_link *link) {
    return link->phase == PEER_LINK_UP ? PEER_LINK_BROKEN : PEER_LINK_UNREACHED;
}

/* ---- the handshake ---- */

static struct peer_greeting greeting_of(const struct peer_link *link) {
    return (struct peer_greeting){.from = view_from_cstr(link->world->from),
                                  .to = view_from_cstr(link->to),
                                  .time_ms = link->greeted_ms,
                                  .nonce = view_of(link->nonce, PEER_NONCE_LEN)};
}

static bool print_greeting(struct peer_link *link, struct buf *out) {
    unsigned char random[16];
    ids_random(random, sizeof(random));
    *hex_print(link->nonce, random, sizeof(random)) = '\0';
    link->greeted_ms = loop_wall_ms(NULL);
    struct peer_greeting greeting = greeting_of(link);
    buf_printf(out, PEER_FROM ": %s\r\n" PEER_PROOF ": ", link->world->from);
    return peer_proof_encode(out, &greeting, link->world->key) && buf_append_view(out, VIEW("\r\n"));
}

/* Is it a peer of ours? */
static const char *on_open(void *ctx, const struct headers *fields) {
    struct peer_link *link = ctx;
    struct peer_greeting greeting = greeting_of(link);
    if (!headers_get(fields, VIEW("sec-websocket-protocol")).ptr)
        return "it does not speak " PEER_SUBPROTOCOL;
    if (!peer_reply_check(headers_get(fields, VIEW(PEER_REPLY)), &greeting, link->world->key))
        return "it does not prove that it has our TUNNEL_SECRET";
    link->phase = PEER_LINK_UP;
    ws_client_allow_zero_keys(link->socket);
    link->events.up(link->events.ctx, link);
    ws_client_want_fill(link->socket);
    return NULL;
}

/* ---- what it carries ---- */

static bool fill(void *ctx, struct buf *message) {
    struct peer_link *link = ctx;
    if (link_send(link->session, message) != STATUS_OK) {
        link_end(link, PEER_LINK_BROKEN, link_error(link->session));
        return false;
    }
    if (link_wants_send(link->session)) ws_client_want_fill(link->socket);
    return true;
}

static bool on_bytes(void *ctx, struct view bytes) {
    struct peer_link *link = ctx;
    link_tick(link->session, loop_now(link->world->loop));
    if (link_receive(link->session, bytes) == STATUS_OK) return true;
    link_end(link, PEER_LINK_BROKEN, link_error(link->session));
    return false;
}

/* What was queued before the question has left; the question may not have. */
static void on_drained(void *ctx) {
    struct peer_link *link = ctx;
    if (link->asked_ticks) link->asked_ticks = 1;
}

static void on_text(void *ctx, struct view text) {
    (void)text;
    link_end(ctx, PEER_LINK_BROKEN, "a text message on a peer link");
}

/* ---- the end of its connection ---- */

static void on_refused(struct peer_link *link, const struct ws_client_end *end) {
    char why[160];
    snprintf(why, sizeof(why), "it answers %d: %.*s", end->http_status,
             VIEW_ARG(view_slice(end->said, 0, view_find(view_slice(end->said, 0, 120), '\n'))));
    link_end(link, PEER_LINK_REFUSED, why);
}

static void on_end(void *ctx, const struct ws_client_end *end) {
    struct peer_link *link = ctx;
    if (end->failure == WS_CLIENT_REFUSED)
        on_refused(link, end);
    else if (end->failure == WS_CLIENT_BAD_ANSWER)
        link_end(link, PEER_LINK_REFUSED, end->why);
    else if (end->why)
        link_end(link, end_of(link), end->why);
    else
        link_end(link, end_of(link), end->error ? uv_strerror(end->error) : "it closed the link");
}

/* ---- dialing ---- */

static void connect_to(struct peer_link *link, const struct addresses *addresses) {
    static const struct ws_client_events events = {.on_open = on_open,
                                                   .on_text = on_text,
                                                   .on_bytes = on_bytes,
                                                   .on_drained = on_drained,
                                                   .fill = fill,
                                                   .on_end = on_end};
    struct ws_client_settings settings = {
        .loop = link->world->loop, .tls = link->tls, .timeout_ms = DIAL_MS, .message_max = TEXT_MAX};
    struct buf greeting;
    buf_init(&greeting, GREETING_MAX);
    bool ok = print_greeting(link, &greeting);
    struct ws_client_request request = {.target = link->url->path,
                                        .authority = link->url->authority,
                                        .protocol = PEER_SUBPROTOCOL,
                                        .fields = buf_view(&greeting)};
    link->phase = PEER_LINK_DIALING;
    if (ok) link->socket = ws_client_open(&settings, addresses, &request, &events, link);
    buf_done(&greeting);
    if (!link->socket) link_end(link, PEER_LINK_UNREACHED, "out of memory");
}

static void on_addresses(void *ctx, int error, const struct addresses *addresses) {
    struct peer_link *link = ctx;
    link->job = NULL;
    timer_stop(&link->world->loop->timers, &link->timer);
    if (error)
        link_end(link, PEER_LINK_UNREACHED, uv_strerror(error));
    else
        connect_to(link, addresses);
}

static void look_up(struct peer_link *link) {
    struct loop *loop = link->world->loop;
    link->phase = PEER_LINK_RESOLVING;
    link->job = resolver_lookup(&loop->uv, link->url->host, link->url->port, on_addresses, link);
    if (!link->job || !timer_start(&loop->timers, &link->timer, DIAL_MS))
        link_end(link, PEER_LINK_UNREACHED, "its name cannot be looked up");
}

static void on_timer(struct timer *timer) {
    struct peer_link *link = LIST_ENTRY(timer, struct peer_link, timer);
    if (link->phase != PEER_LINK_WAITING)
        link_end(link, PEER_LINK_UNREACHED, "it takes too long to look its name up");
    else if (link_stream_count(link->session) == 0)
        link_end(link, PEER_LINK_UNREACHED, "nobody wants it any more");
    else
        look_up(link);
}

/* ---- the session ---- */

static void on_request(void *ctx, struct link_stream *stream, const struct stream_head *head, bool has_body) {
    (void)ctx, (void)stream, (void)head, (void)has_body; /* never comes to the side that asks */
}

static void on_control(void *ctx, struct view line) {
    (void)ctx, (void)line; /* nothing is said there yet */
}

static void on_writable(void *ctx) {
    const struct peer_link *link = ctx;
    if (link->socket) ws_client_want_fill(link->socket);
}

static void on_draining(void *ctx) {
    struct peer_link *link = ctx;
    link->events.draining(link->events.ctx, link);
}

struct peer_link *peer_link_new(struct peer_link_world *world, const char *to, const struct ws_url *url,
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
    timer_init(&link->timer, on_timer);
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
    uint64_t heard_ms = ws_client_heard_ms(link->socket);
    if (heard_ms != link->heard_ms) link->quiet_ticks = link->asked_ticks = 0;
    link->heard_ms = heard_ms;
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
    if (link->socket) ws_client_close(link->socket, CODE_GOING_AWAY, "closed", 0);
    link_end(link, end_of(link), "closed");
}
