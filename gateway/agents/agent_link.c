/* See agent_link.h. */
#include "agents/agent_link.h"

#include <stdlib.h>

#include "agents/agent_streams.h"
#include "agents/agent_turn.h"
#include "base/log.h"
#include "protocol/v1.h"
#include "sockets/tcp.h"

#define OUTGOING_MAX_BYTES ((size_t)16 * 1024 * 1024)
#define KEPT_BYTES ((size_t)64 * 1024) /* of a message's buffer */
#define FRAGMENTS_MAX 65536
/* While a request waits: asked after so long a silence, and given up so long after that; 5 s with our own
 * ticks. */
#define WAITS_ASK_MS 1500
#define WAITS_LOST_MS 2500
#define REST_MS 2000
#define CLOCK_LOOK_MS 60000 /* who waits by a clock that can be set looks at it so often */

/* The wall clock decides, which may have been set meanwhile. */
static bool wait_for_token(struct agent_link *link) {
    uint64_t now = loop_wall_ms(NULL), left = link->until_ms > now ? link->until_ms - now : 0;
    return timer_start(&link->ws->loop->timers, &link->end_of_token,
                       left < CLOCK_LOOK_MS ? left : CLOCK_LOOK_MS);
}

static void on_end_of_token(struct timer *timer) {
    struct agent_link *link = LIST_ENTRY(timer, struct agent_link, end_of_token);
    if (loop_wall_ms(NULL) >= link->until_ms || !wait_for_token(link))
        core_expire(link->ws->core, view_from_cstr(link->id), link->card.shown);
}

static bool make_card(struct agent_link *link, const struct agent_socket *socket) {
    struct agent_card said = socket->card;
    if (link->is_peer) return true;
    said.number = ++link->ws->last_number;
    said.protocol = socket->protocol;
    said.since_ms = loop_wall_ms(NULL);
    said.rated_ms = loop_now(link->ws->loop);
    return agent_card_init(&link->card, &said);
}

/* It has not begun. */
static struct agent_link *give_up(struct agent_link *link) {
    agent_card_done(&link->card);
    free(link);
    return NULL;
}

struct agent_link *agent_link_new(struct agent_ws *ws, const struct agent_socket *socket) {
    struct agent_link *link = calloc(1, sizeof(*link));
    if (!link) return NULL;
    ws_end_init(&link->end, ws->server, &socket->socket.conn);
    link->ws = ws;
    link->is_peer = socket->peer_reply.ptr != NULL;
    vigil_init(&link->vigil, loop_now(ws->loop));
    link->until_ms = socket->until_ms;
    timer_init(&link->end_of_token, on_end_of_token);
    buf_init(&link->message, core_message_max(ws->core));
    agent_turn_init(link);
    if (!make_card(link, socket) || !view_copy_to(socket->connection_id, link->id, sizeof(link->id)) ||
        !table_put(&ws->links, &link->node, view_from_cstr(link->id)))
        return give_up(link);
    if (socket->protocol == LINK_V2 && !agent_streams_start(link)) {
        table_remove(&ws->links, &link->node);
        return give_up(link);
    }
    if (link->until_ms && !wait_for_token(link)) {
        agent_streams_stop(link);
        table_remove(&ws->links, &link->node);
        return give_up(link);
    }
    link->client = socket->socket.client;
    link->behind = socket->behind;
    list_append(&ws->all, &link->all);
    ++*(link->is_peer ? &ws->peer_count : &ws->count);
    if (!link->session) ws->v1_count++;
    return link;
}

void agent_link_free(struct agent_link *link) {
    struct agent_ws *ws = link->ws;
    table_remove(&ws->links, &link->node);
    list_remove(&link->all);
    --*(link->is_peer ? &ws->peer_count : &ws->count);
    if (!link->session) ws->v1_count--;
    agent_streams_stop(link);
    agent_turn_done(link);
    timer_stop(&ws->loop->timers, &link->end_of_token);
    if (!link->is_peer) core_disconnect(ws->core, view_from_cstr(link->id), NULL, NULL);
    ws_end_done(&link->end);
    agent_card_done(&link->card);
    buf_done(&link->message);
    client_release(link->client);
    if (link->behind) client_release(link->behind);
    free(link);
}

/* ---- in ---- */

void agent_link_refuse(struct agent_link *link, unsigned code, const char *why) {
    log_from(LOG_LEVEL_WARN, "agent", view_from_cstr(link->id), "closed with %u: %s", code, why);
    buf_done(&link->message);
    agent_turn_count(link);
    ws_end_close(&link->end, code);
    ws_end_drop(&link->end);
}

void agent_link_heard(struct agent_link *link) {
    vigil_heard(&link->vigil, loop_now(link->ws->loop));
    link->has_sent = false;
    link->work++;
}

static void receive_streams(struct agent_link *link, const struct ws_piece *piece) {
    if (piece->opcode != WS_BINARY)
        agent_link_refuse(link, WS_CODE_UNSUPPORTED, "a text frame on a v2 link");
    else if (agent_streams_receive(link, piece->payload) != STATUS_OK)
        agent_link_refuse(link, WS_CODE_PROTOCOL_ERROR, link_error(link->session));
}

/* Pieces of a message are put together; one that comes whole is not copied. */
static void receive_message(struct agent_link *link, const struct ws_piece *piece) {
    if (piece->is_first) {
        buf_clear(&link->message);
        link->fragments = 0;
        if (piece->is_last && piece->payload.len <= link->message.max) {
            agent_turn_message(link, piece->payload);
            return;
        }
    }
    if (++link->fragments > FRAGMENTS_MAX) {
        agent_link_refuse(link, WS_CODE_POLICY, "a message in too many pieces");
        return;
    }
    if (!buf_append_view(&link->message, piece->payload)) {
        agent_link_refuse(link, WS_CODE_TOO_LARGE, "a message that is too large");
        return;
    }
    if (!piece->is_last) {
        if (!agent_turn_holds(link))
            agent_link_refuse(link, WS_CODE_POLICY,
                              "too much memory is held by messages that are not complete");
        return;
    }
    agent_turn_message(link, buf_view(&link->message));
    if (link->message.cap > KEPT_BYTES)
        buf_done(&link->message);
    else
        buf_clear(&link->message);
    agent_turn_count(link);
}

void agent_link_receive(struct agent_link *link, const struct ws_piece *piece) {
    agent_link_heard(link);
    link->is_resting = false;
    link->card.answer_bytes += piece->payload.len;
    if (link->end.closing_ms) return;
    if (link->session)
        receive_streams(link, piece);
    else if (piece->opcode == WS_BINARY)
        agent_link_refuse(link, WS_CODE_UNSUPPORTED, "a binary frame on a v1 link");
    else
        receive_message(link, piece);
}

/* ---- out ---- */

enum status agent_link_send(struct agent_link *link, struct view message) {
    if (!link->session) link->card.request_bytes += message.len;
    if (link->session && !link->end.closing_ms) return link_control(link->session, message);
    link->has_sent = true;
    size_t max = link->message.max * 2 > OUTGOING_MAX_BYTES ? link->message.max * 2 : OUTGOING_MAX_BYTES;
    return ws_end_send(&link->end, message, max);
}

/* True: there is more. */
static bool write_streams(struct agent_link *link) {
    bool is_sound = ws_end_is_full(&link->end) || agent_streams_write(link);
    if (!is_sound && !link->end.closing_ms)
        agent_link_refuse(link, WS_CODE_PROTOCOL_ERROR, link_error(link->session));
    return is_sound && link_wants_send(link->session);
}

/* In front of everything that is still to be written. */
static void write_ping(struct agent_link *link) {
    struct tcp_state tcp = tcp_look(link->end.conn.fd);
    link->ping_due = false;
    vigil_place(&link->vigil, &tcp);
    if (link->session)
        link_ping(link->session);
    else
        ws_end_write_ping(&link->end);
}

void agent_link_write(struct agent_link *link) {
    bool more = false;
    if (link->ping_due) write_ping(link);
    if (link->session)
        more = write_streams(link);
    else
        ws_end_write_messages(&link->end);
    ws_end_write_done(&link->end, more);
}

void agent_link_tell_draining(struct agent_link *link) {
    struct buf text;
    buf_init(&text, 64);
    if (v1_encode_draining(&text)) agent_link_send(link, buf_view(&text));
    buf_done(&text);
}

void agent_link_kick(struct agent_link *link, const char *why) {
    struct buf text;
    buf_init(&text, 1024);
    if (v1_encode_error(&text, (struct view){0}, VIEW(V1_CODE_KICKED), view_from_cstr(why), (struct view){0}))
        agent_link_send(link, buf_view(&text));
    buf_done(&text);
    ws_end_close(&link->end, WS_CODE_POLICY);
}

/* Long before its stream ids run out; what it carries ends on it. */
static void replace(struct agent_link *link) {
    if (link->is_leaving && link_stream_count(link->session) == 0) ws_end_close(&link->end, 1000);
    if (link->is_replaced || link->is_peer || !link_exhausted(link->session)) return;
    log_from(LOG_LEVEL_INFO, "agent", view_from_cstr(link->id),
             "has carried its share of requests, and is to be replaced");
    link->is_replaced = true;
    agent_link_tell_draining(link);
}

static void cut(struct agent_link *link, const char *why) {
    log_from(LOG_LEVEL_INFO, "agent", view_from_cstr(link->id), "cut, %s", why);
    ws_end_cut(&link->end);
}

static void rest(struct agent_link *link) {
    if (link->message.len == 0) buf_done(&link->message);
    agent_turn_count(link);
    link->is_resting = true;
}

static bool is_waited_for(const struct agent_link *link) {
    if (link->is_peer) return false; /* it is its own side that waits */
    return link->session ? link_awaits(link->session) : link->has_sent;
}

static void ping(struct agent_link *link, const struct tcp_state *tcp, uint64_t now_ms) {
    vigil_count(&link->vigil, link->end.written_bytes, now_ms);
    vigil_ask(&link->vigil, tcp, now_ms);
    link->ping_due = true;
    ws_end_ask_writable(&link->end);
}

/* It had time for an answer, and there is none, also not among what we have not come to yet. */
static bool is_lost(const struct agent_link *link, uint64_t now_ms, bool waits) {
    uint64_t interval = link->ws->ping_interval_ms, silent = now_ms - link->vigil.heard_ms;
    uint64_t late = vigil_late_ms(&link->vigil, now_ms);
    bool is_late = (silent > 2 * interval && late >= interval) || (waits && late >= WAITS_LOST_MS);
    return is_late && !ws_end_has_unread(&link->end);
}

/* Asked sooner while a request waits for it, and given up sooner. */
static void watch(struct agent_link *link, uint64_t now_ms, uint64_t silent) {
    uint64_t interval = link->ws->ping_interval_ms;
    bool waits = silent >= WAITS_ASK_MS && is_waited_for(link);
    uint64_t patience = waits && WAITS_ASK_MS < interval ? WAITS_ASK_MS : interval;
    if (silent < patience) return;
    struct tcp_state tcp = tcp_look(link->end.conn.fd);
    if (!link->vigil.asked_ms) {
        ping(link, &tcp, now_ms);
        return;
    }
    vigil_look(&link->vigil, &tcp, now_ms);
    if (is_lost(link, now_ms, waits)) cut(link, "it has gone silent");
}

void agent_link_tick(struct agent_link *link, uint64_t now_ms) {
    uint64_t silent = now_ms - link->vigil.heard_ms;
    agent_card_tick(&link->card, now_ms);
    vigil_count(&link->vigil, link->end.written_bytes, now_ms);
    if (link->session) {
        link_tick(link->session, now_ms);
        replace(link);
    }
    if (!link->is_resting && link->end.is_established && silent >= REST_MS) rest(link);
    if (link->end.closing_ms) {
        if (ws_end_is_stuck(&link->end, now_ms)) cut(link, "it does not take its close");
    } else {
        watch(link, now_ms, silent);
    }
}
