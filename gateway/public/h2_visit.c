/* See h2_visit.h. It lives until both its stream and its exchange have ended. What comes of the body waits in
 * the stream's window until the core has granted it. */
#include "public/h2_visit.h"

#include <inttypes.h>
#include <stdlib.h>

#include "handler/access_log.h"
#include "http/error_page.h"
#include "public/visit.h"
#include "sockets/behind_proxy.h"

#define ARENA_BYTES ((size_t)1024 * 1024)
#define METHOD_SHOWN_MAX 23

struct h2_visit {
    struct list node;
    struct h2_conn *conn;
    struct link_stream *stream; /* NULL: ended */
    struct exchange *exchange;  /* likewise */
    struct client *counted;     /* whose it is: who a trusted proxy names, else the connection's */
    struct access access;
    struct visit_pace pace;
    struct arena arena;
    struct buf waiting;      /* of the body: come, and not granted yet */
    struct task task;        /* what was granted is handed on, outside the core's call */
    size_t credit;           /* granted, and not come yet */
    uint64_t written, sent;  /* of the answer's body */
    uint64_t content_length; /* that its head has said; LENGTH_UNKNOWN */
    bool has_ended, is_told; /* the body; and the core of that */
    bool expects_continue;
    bool switches, is_switched; /* a CONNECT; the service has done it */
    bool has_answer, may_idle, is_broken;
};

static struct visitors *side_of(const struct h2_visit *visit) {
    return visit->conn->side;
}

static uint64_t now_of(const struct h2_visit *visit) {
    return loop_now(side_of(visit)->loop);
}

/* ---- the end ---- */

static void settle(struct h2_visit *visit, bool is_whole) {
    if (visit->stream || visit->exchange) return;
    access_end(&visit->access, is_whole && !visit->is_broken, now_of(visit));
    list_remove(&visit->node);
    task_cancel(&visit->task);
    if (visit->counted) client_release(visit->counted);
    buf_done(&visit->waiting);
    h2_count(visit->conn, -1);
    arena_done(&visit->arena);
    free(visit);
}

/* The stream has ended: nobody waits for the answer any more. */
static void let_go(struct h2_visit *visit, bool is_whole) {
    visit->stream = NULL;
    if (visit->exchange) exchange_cancel(visit->exchange);
    visit->exchange = NULL;
    settle(visit, is_whole);
}

static void give_up(struct h2_visit *visit) {
    if (visit->stream) link_stream_reset(visit->stream, false);
    visit->is_broken = true;
    let_go(visit, false);
}

/* ---- the body, to the core ---- */

static void drop_body(struct h2_visit *visit) {
    size_t len = visit->waiting.len;
    buf_done(&visit->waiting);
    if (visit->stream && len) link_stream_consumed(visit->stream, len);
}

static void pump(struct h2_visit *visit) {
    size_t len = visit->waiting.len < visit->credit ? visit->waiting.len : visit->credit;
    if (!visit->exchange) {
        drop_body(visit);
        return;
    }
    if (len) {
        visit->credit -= len;
        access_received(&visit->access, len);
        exchange_body(visit->exchange, view_slice(buf_view(&visit->waiting), 0, len));
        buf_consume(&visit->waiting, len);
        if (!visit->waiting.len) buf_done(&visit->waiting);
        if (visit->stream) link_stream_consumed(visit->stream, len);
    }
    bool may_end = !visit->switches || visit->is_switched; /* the request itself has ended before */
    if (!visit->has_ended || visit->is_told || visit->waiting.len || !may_end) return;
    visit->is_told = true;
    exchange_body_end(visit->exchange);
}

static void on_task(struct task *task) {
    struct h2_visit *visit = LIST_ENTRY(task, struct h2_visit, task);
    if (visit->is_broken)
        give_up(visit);
    else
        pump(visit);
}

static void on_grant(void *ctx, size_t bytes) {
    struct h2_visit *visit = ctx;
    visit->credit += bytes;
    if (visit->expects_continue && visit->stream && !visit->has_answer)
        link_stream_informational(visit->stream, 100);
    visit->expects_continue = false;
    if (visit->waiting.len || visit->has_ended) tasks_post(&side_of(visit)->loop->tasks, &visit->task);
}

/* ---- the answer, from the core ---- */

/* The head's own fields, and those that a head for a host has elsewhere. */
static bool make_headers(struct h2_visit *visit, const struct answer_head *head, struct headers *out) {
    const struct headers *from = head->headers;
    struct header *fields = arena_alloc(&visit->arena, (from->count + 2) * sizeof(*fields));
    if (!fields) return false;
    if (from->count) memcpy(fields, from->fields, from->count * sizeof(*fields));
    *out = (struct headers){.fields = fields, .count = from->count, .bytes = from->bytes};
    if (!headers_get(from, VIEW("date")).ptr)
        fields[out->count++] = (struct header){VIEW("date"), visitors_date(side_of(visit))};
    bool says_length = head->content_length != LENGTH_UNKNOWN && !head->upgrade.ptr &&
                       !headers_get(from, VIEW("content-length")).ptr;
    if (!says_length) return true;
    struct view length = arena_printf(&visit->arena, "%" PRIu64, head->content_length);
    fields[out->count++] = (struct header){VIEW("content-length"), length};
    return length.ptr;
}

/* An answer of 2xx to a CONNECT would say that what was asked for begins (RFC 8441 5): that the service has
 * not switched is an error. */
static int status_of(const struct h2_visit *visit, const struct answer_head *head) {
    if (head->upgrade.ptr) return 200;
    return visit->switches && head->status < 300 ? 502 : head->status;
}

static bool has_body(const struct h2_visit *visit, const struct answer_head *head) {
    return head->upgrade.ptr || (head->has_body && http_answer_has_body(visit->access.method, head->status));
}

static void switch_to(struct h2_visit *visit) {
    link_stream_switched(visit->stream);
    visit->is_switched = true;
    if (visit->has_ended) tasks_post(&side_of(visit)->loop->tasks, &visit->task);
}

static void on_head(void *ctx, const struct answer_head *head) {
    struct h2_visit *visit = ctx;
    struct headers headers;
    struct stream_head out = {.status = status_of(visit, head), .headers = &headers};
    visit->has_answer = true;
    visit->may_idle = head->may_idle || head->upgrade.ptr;
    visit->content_length =
        has_body(visit, head) && !head->upgrade.ptr ? head->content_length : LENGTH_UNKNOWN;
    access_head(&visit->access, visit->exchange, head, &visit->arena, now_of(visit));
    if (!visit->stream) return;
    if (head->upgrade.ptr) switch_to(visit);
    if (make_headers(visit, head, &headers) &&
        link_stream_answer(visit->stream, &out, has_body(visit, head)) == STATUS_OK)
        return;
    visit->is_broken = true;
    tasks_post(&side_of(visit)->loop->tasks, &visit->task);
}

/* Where it cannot be written the stream's last event follows. */
static void on_data(void *ctx, struct view data) {
    struct h2_visit *visit = ctx;
    visit->written += data.len;
    if (visit->stream) link_stream_write(visit->stream, data);
}

static void on_end(void *ctx, const struct headers *trailers) {
    struct h2_visit *visit = ctx;
    bool fits = visit->content_length == LENGTH_UNKNOWN || visit->content_length == visit->written;
    visit->exchange = NULL;
    if (!fits) {
        give_up(visit);
        return;
    }
    if (visit->stream) link_stream_end(visit->stream, trailers);
    drop_body(visit);
    settle(visit, false);
}

static void on_abort(void *ctx) {
    struct h2_visit *visit = ctx;
    visit->exchange = NULL;
    give_up(visit);
}

/* ---- the stream ---- */

static void on_body(void *ctx, struct view data) {
    struct h2_visit *visit = ctx;
    if (!visit->exchange)
        link_stream_consumed(visit->stream, data.len);
    else if (buf_append_view(&visit->waiting, data))
        pump(visit);
    else
        give_up(visit);
}

static void on_body_end(void *ctx, const struct headers *trailers) {
    struct h2_visit *visit = ctx;
    (void)trailers; /* of a request: dropped, as in HTTP/1.1 */
    visit->has_ended = true;
    pump(visit);
}

static void on_sent(void *ctx, size_t bytes) {
    struct h2_visit *visit = ctx;
    visit->sent += bytes;
    access_passed(&visit->access, bytes);
    if (visit->exchange) exchange_drained(visit->exchange, bytes);
}

static void on_done(void *ctx) {
    struct h2_visit *visit = ctx;
    let_go(visit, !visit->exchange);
}

static void on_lost(void *ctx, enum stream_end why) {
    (void)why;
    let_go(ctx, false);
}

static const struct stream_events stream_events = {
    .data = on_body, .end = on_body_end, .sent = on_sent, .done = on_done, .lost = on_lost};

/* ---- the beginning ---- */

static struct h2_visit *visit_make(struct h2_conn *conn, struct link_stream *stream) {
    struct h2_visit *visit = calloc(1, sizeof(*visit));
    if (!visit) return NULL;
    visit->conn = conn;
    visit->stream = stream;
    visit->content_length = LENGTH_UNKNOWN;
    buf_init(&visit->waiting, 2 * (size_t)H2_STREAM_WINDOW);
    arena_init(&visit->arena, ARENA_BYTES);
    task_init(&visit->task, on_task);
    access_begin(&visit->access, now_of(visit));
    visit->access.client = view_from_cstr(conn->client->text);
    list_append(&conn->visits, &visit->node);
    h2_count(conn, 1);
    return visit;
}

static void note(struct h2_visit *visit, const struct forward_event *event) {
    bool is_shown = event->method.len <= METHOD_SHOWN_MAX;
    visit->access.method = is_shown ? arena_copy(&visit->arena, event->method) : VIEW("?");
    visit->access.target = arena_copy(&visit->arena, event->target);
    visit->access.version = VIEW("HTTP/2.0");
    if (!access_log_wants_fields()) return;
    visit->access.referer = headers_get(event->headers, VIEW("referer"));
    visit->access.agent = headers_get(event->headers, VIEW("user-agent"));
}

/* Each counts for its address, as those do that come behind a proxy. False: that one has too many. */
static bool count_visitor(struct h2_visit *visit, struct forward_event *event) {
    const struct h2_conn *conn = visit->conn;
    struct sockaddr_storage address;
    bool is_behind =
        conn->client->is_proxy && behind_proxy(event->headers, conn->client->clients, &address, &event->hops);
    const struct sockaddr_storage *whose = is_behind ? &address : &conn->address;
    visit->counted = clients_take(side_of(visit)->proxied, (const struct sockaddr *)whose);
    if (!visit->counted) return false;
    visit->access.client = view_from_cstr(visit->counted->text);
    event->client = view_from_cstr(conn->client->text);
    event->client_is_proxy = conn->client->is_proxy;
    event->visitor = (is_behind ? visit->counted : conn->client)->number;
    return true;
}

static void refuse(struct h2_visit *visit, enum http_error error) {
    struct headers headers;
    struct view body = error_page(error, false, &visit->arena, &headers);
    struct answer_head head = {.status = http_error_status(error),
                               .headers = &headers,
                               .content_length = body.len,
                               .has_body = true,
                               .error = error};
    on_head(visit, &head);
    on_data(visit, body);
    if (visit->stream) link_stream_end(visit->stream, NULL);
}

static void ask_core(struct h2_visit *visit, struct forward_event *event, bool has_body) {
    struct body_source source = {.ctx = visit, .grant = on_grant};
    struct answer_sink sink = {
        .ctx = visit, .head = on_head, .data = on_data, .end = on_end, .abort = on_abort};
    visit->expects_continue = has_body && headers_count(event->headers, VIEW("expect")) > 0;
    visit->exchange = core_forward(side_of(visit)->core, event, &source, &sink, VISIT_WINDOW_BYTES);
    if (!visit->exchange) {
        give_up(visit);
        return;
    }
    struct h2_conn *conn = visit->conn;
    unsigned share = turns_share(exchange_tunnel_key(visit->exchange));
    if (share) conn->share = share; /* else what runs already would have no bound any more */
    turns_spend(&conn->side->turns, conn->share, TURN_IN, 0);
    if (visit->switches || !has_body) exchange_body_end(visit->exchange);
    visit->is_told = !visit->switches && !has_body;
}

void h2_visit_begin(struct h2_conn *conn, struct link_stream *stream, const struct stream_head *head,
                    bool has_body) {
    struct forward_event event;
    struct headers headers;
    struct h2_visit *visit = visit_make(conn, stream);
    if (!visit) return; /* unattached: refused */
    link_stream_attach(stream, &stream_events, visit);
    enum http_error error = h2_request_read(head, has_body, &visit->arena, &event, &headers);
    note(visit, &event);
    visit->switches = head->protocol.ptr != NULL;
    if (error == HTTP_ERROR_NONE && !count_visitor(visit, &event)) error = HTTP_ERROR_OVERLOADED;
    if (error != HTTP_ERROR_NONE)
        refuse(visit, error);
    else
        ask_core(visit, &event, has_body);
}

/* ---- how fast ---- */

static void end_slow(struct h2_visit *visit) {
    if (visit->has_answer) {
        give_up(visit);
        return;
    }
    if (visit->exchange) exchange_cancel(visit->exchange);
    visit->exchange = NULL;
    refuse(visit, HTTP_ERROR_REQUEST_TIMEOUT);
}

static bool has_stalled_for_long(const struct h2_visit *visit, uint64_t now_ms) {
    uint64_t since_ms = visit->pace.stalled_ms;
    return since_ms && now_ms - since_ms > side_of(visit)->settings.body_idle_timeout_ms;
}

static void look(struct h2_visit *visit, uint64_t now_ms) {
    bool owes_reading = visit->stream && visit->sent < visit->written;
    bool owes_body = !visit->has_answer && visit->credit && !visit->has_ended && !visit->switches;
    uint64_t stalled_ms = visit->pace.stalled_ms;
    const struct pace_owed owed = {.is_owed = !visit->may_idle && (owes_reading || owes_body),
                                   .is_blocked = owes_reading,
                                   .bytes = owes_reading ? visit->sent : visit->access.bytes_in};
    bool goes_on = pace_look(&visit->pace, &side_of(visit)->settings, &owed, now_ms);
    if (visit->exchange && visit->pace.stalled_ms != stalled_ms)
        exchange_stalled(visit->exchange, visit->pace.stalled_ms);
    if (!goes_on || has_stalled_for_long(visit, now_ms)) end_slow(visit);
}

void h2_visits_look(struct h2_conn *conn, uint64_t now_ms) {
    for (struct list *node = conn->visits.next, *next; node != &conn->visits; node = next) {
        next = node->next;
        look(LIST_ENTRY(node, struct h2_visit, node), now_ms);
    }
}

size_t h2_visits_unsent(const struct h2_conn *conn) {
    size_t bytes = conn->out.len;
    for (const struct list *node = conn->visits.next; node != &conn->visits; node = node->next) {
        const struct h2_visit *visit = LIST_ENTRY(node, const struct h2_visit, node);
        bytes += (size_t)(visit->written - visit->sent);
    }
    return bytes;
}

bool h2_visits_have_stalled(const struct h2_conn *conn, uint64_t now_ms, uint64_t least_ms) {
    for (const struct list *node = conn->visits.next; node != &conn->visits; node = node->next) {
        uint64_t since_ms = LIST_ENTRY(node, const struct h2_visit, node)->pace.stalled_ms;
        if (!since_ms || now_ms - since_ms < least_ms) return false;
    }
    return conn->count;
}
