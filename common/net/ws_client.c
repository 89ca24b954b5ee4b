/* Dialing, the public calls, and the end. */
#include <stdlib.h>

#include "base/log.h"
#include "net/sockaddr.h"
#include "net/ws_client_state.h"

#define ATTEMPT_MS 3000 /* for one address, while there are others to try */
#define ANSWER_MAX ((size_t)20 * 1024)

static void try_next_address(struct ws_client *client);

/* ---- the end ---- */

static void destroy(struct ws_client *client) {
    buf_done(&client->request);
    buf_done(&client->incoming);
    buf_done(&client->filling);
    free(client);
}

static void drop_wire(struct ws_client *client) {
    wire_free(client->wire);
    client->wire = NULL;
}

static void drop_queue(struct ws_client *client) {
    struct list *node;
    while ((node = list_pop(&client->queue))) {
        struct ws_outgoing *outgoing = LIST_ENTRY(node, struct ws_outgoing, node);
        buf_done(&outgoing->message);
        free(outgoing);
    }
    client->queued_bytes = 0;
}

static void stop(struct ws_client *client) {
    client->phase = WS_PHASE_OVER;
    timer_stop(&client->settings.loop->timers, &client->deadline);
    timer_stop(&client->settings.loop->timers, &client->attempt);
    task_cancel(&client->push);
    drop_wire(client);
    drop_queue(client);
}

void ws_client_end(struct ws_client *client, const struct ws_client_end *end) {
    stop(client);
    client->events.on_end(client->ctx, end);
}

static void end(struct ws_client *client, enum ws_client_failure failure, int error, const char *why) {
    struct ws_client_end over = {.failure = failure, .error = error, .why = why};
    if (client->refused) { /* its reason was waited for */
        over.failure = WS_CLIENT_REFUSED;
        over.http_status = client->refused;
    }
    ws_client_end(client, &over);
}

void ws_client_free(struct ws_client *client) {
    if (!client || client->is_freed) return;
    stop(client);
    client->is_freed = true;
    if (!client->inside) destroy(client);
}

static void leave(struct ws_client *client) {
    if (--client->inside == 0 && client->is_freed) destroy(client);
}

/* ---- events of the wire, the loop and the clock ---- */

static void next_address_or_end(struct ws_client *client, int error) {
    timer_stop(&client->settings.loop->timers, &client->attempt);
    drop_wire(client);
    if (client->next_address < client->addresses.count)
        try_next_address(client);
    else
        end(client, WS_CLIENT_UNREACHABLE, error, NULL);
}

static void on_attempt_over(struct timer *timer) {
    struct ws_client *client = LIST_ENTRY(timer, struct ws_client, attempt);
    client->inside++;
    if (client->phase == WS_PHASE_DIALING) next_address_or_end(client, UV_ETIMEDOUT);
    leave(client);
}

static void on_deadline(struct timer *timer) {
    struct ws_client *client = LIST_ENTRY(timer, struct ws_client, deadline);
    client->inside++;
    if (client->phase == WS_PHASE_CLOSING)
        end(client, WS_CLIENT_CLOSED, 0, client->closing_why);
    else if (client->phase == WS_PHASE_DIALING)
        end(client, WS_CLIENT_UNREACHABLE, UV_ETIMEDOUT, NULL);
    else
        end(client, WS_CLIENT_SILENT, UV_ETIMEDOUT, "it does not answer in time");
    leave(client);
}

static void on_connected(void *ctx) {
    struct ws_client *client = ctx;
    timer_stop(&client->settings.loop->timers, &client->attempt);
    client->phase = WS_PHASE_SHAKING;
}

static void on_up(void *ctx) {
    struct ws_client *client = ctx;
    wire_write(client->wire, buf_view(&client->request));
    buf_done(&client->request);
}

static void on_bytes(void *ctx, struct view bytes) {
    struct ws_client *client = ctx;
    client->inside++;
    if (client->phase == WS_PHASE_SHAKING)
        ws_client_on_answer(client, bytes);
    else
        ws_client_on_frames(client, bytes);
    leave(client);
}

static void push(struct ws_client *client) {
    client->inside++;
    ws_client_push(client);
    leave(client);
}

static void on_drained(void *ctx) {
    struct ws_client *client = ctx;
    client->inside++;
    if (client->phase == WS_PHASE_OPEN && client->events.on_drained) client->events.on_drained(client->ctx);
    ws_client_push(client);
    leave(client);
}

static void on_push(struct task *task) {
    push(LIST_ENTRY(task, struct ws_client, push));
}

static void on_wire_end(void *ctx, const struct wire_end *over) {
    struct ws_client *client = ctx;
    client->inside++;
    if (over->failure == WIRE_UNREACHABLE)
        next_address_or_end(client, over->error);
    else if (over->failure == WIRE_PROXY)
        end(client, WS_CLIENT_PROXY, over->error, over->reason);
    else if (over->failure == WIRE_TLS)
        end(client, WS_CLIENT_TLS, over->error, over->reason);
    else if (client->phase == WS_PHASE_SHAKING)
        end(client, WS_CLIENT_CUT, over->error, "the connection was closed");
    else
        end(client, WS_CLIENT_CLOSED, over->error,
            client->phase == WS_PHASE_CLOSING ? client->closing_why : "the connection was cut");
    leave(client);
}

static const struct wire_events wire_events = {
    .on_connected = on_connected,
    .on_up = on_up,
    .on_bytes = on_bytes,
    .on_drained = on_drained,
    .on_end = on_wire_end,
};

/* ---- life ---- */

/* An address that cannot even be tried is the last one. */
static void try_next_address(struct ws_client *client) {
    const struct address *address = &client->addresses.list[client->next_address++];
    log_debug("websocket", "connecting to %s", address->text);
    if (client->next_address < client->addresses.count)
        timer_start(&client->settings.loop->timers, &client->attempt, ATTEMPT_MS);
    struct wire_events events = wire_events;
    events.intake = client->settings.intake;
    client->wire = wire_open(client->settings.loop, (const struct sockaddr *)&address->socket_address,
                             client->settings.way, client->settings.tls, &events, client);
    if (!client->wire && client->inside) end(client, WS_CLIENT_UNREACHABLE, UV_ENOMEM, NULL);
}

struct ws_client *ws_client_open(const struct ws_client_settings *settings, const struct addresses *addresses,
                                 const struct ws_client_request *request,
                                 const struct ws_client_events *events, void *ctx) {
    struct ws_client *client = calloc(1, sizeof(*client));
    if (!client) return NULL;
    client->settings = *settings;
    client->addresses = *addresses;
    client->events = *events;
    client->ctx = ctx;
    list_init(&client->queue);
    buf_init(&client->incoming, ANSWER_MAX);
    buf_init(&client->filling, WS_HEAD_MAX + WS_CLIENT_FILL_MAX);
    task_init(&client->push, on_push);
    timer_init(&client->deadline, on_deadline);
    timer_init(&client->attempt, on_attempt_over);
    if (addresses->count && ws_client_print_request(client, request) &&
        timer_start(&settings->loop->timers, &client->deadline, settings->timeout_ms))
        try_next_address(client);
    if (client->wire) return client;
    ws_client_free(client);
    return NULL;
}

/* ---- the public calls ---- */

bool ws_client_is_up(const struct ws_client *client) {
    return client->phase == WS_PHASE_OPEN || client->phase == WS_PHASE_CLOSING;
}

void ws_client_close(struct ws_client *client, int code, const char *why, uint64_t grace_ms) {
    if (client->phase != WS_PHASE_OPEN) return;
    client->phase = WS_PHASE_CLOSING;
    client->closing_why = why;
    drop_queue(client);
    ws_client_write_close(client, (unsigned)code);
    timer_start(&client->settings.loop->timers, &client->deadline, grace_ms);
}

bool ws_message_init(struct buf *message, size_t max) {
    static const char headroom[WS_HEAD_MAX];
    buf_init(message, max + WS_HEAD_MAX);
    return buf_append(message, headroom, WS_HEAD_MAX);
}

struct view ws_message_text(const struct buf *message) {
    return view_skip(buf_view(message), WS_HEAD_MAX);
}

bool ws_client_send(struct ws_client *client, struct buf *message) {
    struct ws_outgoing *outgoing = NULL;
    bool ok = !message->failed && message->len > WS_HEAD_MAX && client->phase == WS_PHASE_OPEN &&
              client->queued_bytes + message->len <= WS_CLIENT_QUEUE_MAX;
    if (ok) outgoing = calloc(1, sizeof(*outgoing));
    if (!outgoing) {
        buf_done(message);
        return false;
    }
    outgoing->message = *message;
    buf_init(message, message->max);
    client->queued_bytes += outgoing->message.len;
    list_append(&client->queue, &outgoing->node);
    tasks_post(&client->settings.loop->tasks, &client->push);
    return true;
}

size_t ws_client_queued_bytes(const struct ws_client *client) {
    return client->queued_bytes;
}

void ws_client_want_fill(struct ws_client *client) {
    if (client->fill_wanted || client->phase != WS_PHASE_OPEN) return;
    client->fill_wanted = true;
    if (!client->is_pushing) tasks_post(&client->settings.loop->tasks, &client->push);
}

void ws_client_allow_zero_keys(struct ws_client *client) {
    if (client->phase != WS_PHASE_OPEN) return;
    const struct address *address = &client->addresses.list[client->next_address - 1];
    client->zero_keys =
        client->settings.tls ||
        (!client->settings.way && sockaddr_is_loopback((const struct sockaddr *)&address->socket_address));
}

void ws_client_ping(struct ws_client *client) {
    if (client->phase != WS_PHASE_OPEN) return;
    client->ping_wanted = true;
    tasks_post(&client->settings.loop->tasks, &client->push);
}

void ws_client_look(struct ws_client *client) {
    if (client->wire) wire_look(client->wire);
}

bool ws_client_is_stranded(const struct ws_client *client) {
    return client->wire && wire_is_stranded(client->wire);
}

uint64_t ws_client_heard_ms(const struct ws_client *client) {
    return client->heard_ms;
}

uint64_t ws_client_moved_ms(const struct ws_client *client) {
    return client->wire ? wire_moved_ms(client->wire) : 0;
}
