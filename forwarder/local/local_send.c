/* The request on its way out: head, framing and body leave in as few writes as can be. What cannot leave
 * waits in `body`, unframed, so that each byte's leaving can be told and a chunk is as large as what waits.
 */
#include <stdio.h>

#include "local/local_state.h"

#define CORK_MAX ((size_t)16 * 1024)

/* One write, and of what it is made, in order. */
struct outgoing {
    struct iovec pieces[4];
    int count;
    size_t head, lead, body, tail;
    const char *tail_bytes;
};

static struct view waiting(const struct local_request *request) {
    return view_skip(buf_view(&request->body), request->body_kept);
}

static void add_piece(struct outgoing *out, struct view bytes) {
    if (!bytes.len) return;
    out->pieces[out->count++] =
        (struct iovec){.iov_base = (void *)(uintptr_t)bytes.ptr, .iov_len = bytes.len};
}

static void begin_chunk(struct local_request *request, size_t len) {
    int line = snprintf(request->lead + request->lead_len, sizeof(request->lead) - request->lead_len,
                        "%zx\r\n", len);
    request->lead_len += (size_t)line;
    request->chunk_left = len;
}

/* What follows the piece of the body in this write, for chunked. */
static struct view tail_of(const struct local_request *request, size_t piece, size_t all) {
    bool last = request->body_ended && piece == all && request->chunking != CHUNKED_ENDED;
    if (piece && piece == request->chunk_left) return last ? VIEW("\r\n0\r\n\r\n") : VIEW("\r\n");
    return last && request->chunk_left == 0 ? VIEW("0\r\n\r\n") : (struct view){"", 0};
}

static void plan(struct local_request *request, struct view body, struct outgoing *out) {
    *out = (struct outgoing){.count = 0};
    struct view head = view_skip(buf_view(&request->head), request->head_sent), tail = {"", 0};
    bool frames = request->chunking != CHUNKED_NOT && !request_holds_body(request);
    if (request_holds_body(request)) body.len = 0;
    if (frames && request->chunk_left == 0 && body.len) begin_chunk(request, body.len);
    size_t all = body.len;
    if (frames && body.len > request->chunk_left) body.len = (size_t)request->chunk_left;
    if (frames) tail = tail_of(request, body.len, all);
    add_piece(out, head);
    add_piece(out, view_of(request->lead, request->lead_len));
    add_piece(out, body);
    add_piece(out, tail);
    out->head = head.len;
    out->lead = request->lead_len;
    out->body = body.len;
    out->tail = tail.len;
    out->tail_bytes = tail.ptr;
}

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

static void forget_kept(struct local_request *request) {
    if (!request->body_kept) return;
    buf_consume(&request->body, request->body_kept);
    request->body_kept = 0;
    request->memory = SENT_LOST;
}

void request_keep_no_body(struct local_request *request) {
    if (request->memory == SENT_KEPT) request->memory = SENT_LET_GO;
    forget_kept(request);
}

/* `len` bytes of the body have left: they are at the front of what waits, or of *direct. */
static void body_has_left(struct local_request *request, size_t len, struct view *direct) {
    request->sent += len;
    if (request->chunking != CHUNKED_NOT) request->chunk_left -= len;
    if (direct->len) {
        *direct = view_skip(*direct, len);
        request->memory = SENT_LOST;
        return;
    }
    request->body_kept += len;
    if (request->memory != SENT_KEPT || request->body_kept > LOCAL_REPLAY_MAX) request_keep_no_body(request);
}

static void tail_has_left(struct local_request *request, const struct outgoing *out, size_t len) {
    if (out->tail > 2) request->chunking = CHUNKED_ENDED;
    memcpy(request->lead, out->tail_bytes + len, out->tail - len);
    request->lead_len = out->tail - len;
}

static void account(struct local_request *request, const struct outgoing *out, size_t len,
                    struct view *direct) {
    request->wire_bytes += len;
    size_t head = least(len, out->head), lead = least(len - head, out->lead);
    size_t body = least(len - head - lead, out->body), tail = len - head - lead - body;
    request->head_sent += head;
    request->lead_len -= lead;
    if (lead && request->lead_len) memmove(request->lead, request->lead + lead, request->lead_len);
    if (body) body_has_left(request, body, direct);
    if (out->tail && body == out->body && request->lead_len == 0) tail_has_left(request, out, tail);
}

static bool may_send(const struct local_request *request) {
    const struct local_connection *connection = request->connection;
    if (!connection || connection->stage != CONNECTION_UP) return false;
    if (connection->blocked || connection->broken || request->way == BODY_DROPPED) return false;
    return request->way != BODY_CORKED || request->body_ended;
}

/* After the head, a service is given some time to say what it thinks of it. */
static void await_continue(struct local_request *request) {
    struct local_client *client = request->client;
    if (request->way != BODY_AWAITS_100 || !list_empty(&request->expecting_node)) return;
    request->continue_deadline_ms = loop_now(client->loop) + LOCAL_CONTINUE_MAX_MS;
    list_append(&client->expecting, &request->expecting_node);
    client_want_tick(client, request->continue_deadline_ms);
}

static void request_send_direct(struct local_request *request, struct view *direct) {
    while (may_send(request)) {
        struct outgoing out;
        plan(request, direct->len ? *direct : waiting(request), &out);
        if (!out.count) break;
        ssize_t len = connection_write(request->connection, out.pieces, out.count);
        if (len > 0) account(request, &out, (size_t)len, direct);
    }
    if (!may_send(request)) return;
    await_continue(request);
    if (request->upgrading == UPGRADE_DONE && request->body_ended) connection_shut_write(request->connection);
}

void request_send(struct local_request *request) {
    struct view nothing = {NULL, 0};
    request_send_direct(request, &nothing);
    if (request->sent > request->told && request->events.on_sent) client_want_chores(request);
}

bool request_is_sent(const struct local_request *request) {
    if (request->way == BODY_DROPPED || request->head_sent < request->head.len) return false;
    if (request->upgrading)
        return request->given == (request->body_bytes > 0 ? (uint64_t)request->body_bytes : 0) &&
               waiting(request).len == 0;
    return request->body_ended && request->lead_len == 0 && waiting(request).len == 0 &&
           request->chunking != CHUNKED_OPEN;
}

void request_drop_body(struct local_request *request) {
    request->way = BODY_DROPPED;
    request->body_kept = 0;
    request->memory = SENT_LOST;
    buf_done(&request->body);
    request->sent = request->given;
    client_want_chores(request);
}

/* ---- what the owner gives ---- */

/* One that offers to switch and has no body may be given what is for the other protocol before it has. */
static bool has_length(const struct local_request *request) {
    return request->upgrading ? request->body_bytes > 0 : request->body_bytes >= 0;
}

/* Its bytes go nowhere, and count as sent. */
static bool is_of_no_use(const struct local_request *request) {
    return request->way == BODY_DROPPED || request->life == REQUEST_FAILED;
}

static void uncork(struct local_request *request) {
    if (request->way == BODY_CORKED) request->way = BODY_FLOWS;
}

static bool takes_more(const struct local_request *request, size_t len) {
    if (request->life == REQUEST_ENDED || request->body_ended) return len == 0;
    if (has_length(request) && len > (uint64_t)request->body_bytes - request->given) return false;
    return is_of_no_use(request) || request->body.len + len <= LOCAL_BODY_HELD_MAX;
}

bool local_request_body(struct local_request *request, struct view data) {
    if (!takes_more(request, data.len)) return false;
    if (!data.len) return true;
    request->given += data.len;
    if (has_length(request) && !request->upgrading && request->given == (uint64_t)request->body_bytes)
        request->body_ended = true;
    if (is_of_no_use(request)) {
        request->sent = request->given;
        client_want_chores(request);
        return true;
    }
    if (request->body.len - request->body_kept + data.len >= CORK_MAX) uncork(request);
    bool directly = request->memory != SENT_KEPT && !request_holds_body(request) && waiting(request).len == 0;
    if (directly) request_send_direct(request, &data);
    if (data.len && !buf_append_view(&request->body, data)) {
        request_fail_soon(request, LOCAL_NO_MEMORY, "no memory for the request's body");
        return false;
    }
    if (directly && request->sent > request->told && request->events.on_sent) client_want_chores(request);
    if (!directly) request_send(request);
    return true;
}

void local_request_body_end(struct local_request *request) {
    if (request->life != REQUEST_RUNS || request->body_ended) return;
    if (has_length(request) && request->given < (uint64_t)request->body_bytes) {
        request_fail_soon(request, LOCAL_BROKEN, "the request's body is shorter than announced");
        return;
    }
    request->body_ended = true;
    request_send(request);
}

size_t local_request_body_waiting(const struct local_request *request) {
    return (size_t)(request->given - request->sent);
}
