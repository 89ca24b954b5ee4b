/* One request from its start to its end: what comes back, when it is sent once more, and who is told. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "http/gate.h"
#include "local/local_state.h"
#include "net/error_text.h"

#define HEAD_KEPT ((size_t)16 * 1024) /* larger memory is not kept for the next request */
#define BODY_KEPT ((size_t)64 * 1024)
#define SHOWN_MAX ((size_t)32) /* bytes of what is no HTTP */

/* ---- the end ---- */

static void leave_lists(struct local_request *request) {
    list_remove(&request->node);
    list_remove(&request->waiting_node);
    list_remove(&request->expecting_node);
    list_remove(&request->restless_node);
}

/* From now on nothing leads to the request but its owner's pointer, and that only while an event is under
 * way. */
static void request_detach(struct local_request *request, bool connection_usable) {
    struct local_connection *connection = request->connection;
    leave_lists(request);
    request->life = REQUEST_ENDED;
    request->connection = NULL;
    if (!connection) return;
    connection->request = NULL;
    if (connection_usable)
        connection_release(connection);
    else
        connection_close(connection);
}

static void request_bury(struct local_request *request) {
    struct local_client *client = request->client;
    if (client->depth)
        list_append(&client->grave, &request->node);
    else
        client_request_reuse(request);
}

/* ---- events ---- */

static void tell_sent(struct local_request *request) {
    if (request->sent <= request->told) return;
    size_t bytes = (size_t)(request->sent - request->told);
    request->told = request->sent;
    if (request->events.on_sent) request->events.on_sent(request->ctx, bytes);
}

void request_end(struct local_request *request, enum local_error error, const char *detail,
                 bool connection_usable) {
    assert(request->client->depth);
    tell_sent(request);
    if (request->life != REQUEST_ENDED && error == LOCAL_OK && request->answer.trailers.count &&
        request->events.on_trailers)
        request->events.on_trailers(request->ctx, &request->answer.trailers);
    if (request->life == REQUEST_ENDED) return;
    request_detach(request, connection_usable);
    request->events.on_end(request->ctx, error, detail);
    request_bury(request);
}

void request_fail_soon(struct local_request *request, enum local_error error, const char *detail) {
    struct local_connection *connection = request->connection;
    list_remove(&request->waiting_node);
    list_remove(&request->expecting_node);
    if (request->life == REQUEST_RUNS) {
        request->life = REQUEST_FAILED;
        request->failure = error;
        snprintf(request->detail, sizeof(request->detail), "%s", detail);
        client_want_chores(request);
    }
    if (connection) connection_close(connection);
}

void request_chores(struct local_request *request) {
    if (request->life == REQUEST_FAILED) {
        request_end(request, request->failure, request->detail, false);
        return;
    }
    if (request->way == BODY_CORKED) {
        request->way = BODY_FLOWS;
        request_send(request);
    }
    tell_sent(request);
    if (request->life == REQUEST_ENDED || request->reading != READS_SOON) return;
    request->reading = READS;
    struct local_connection *connection = request->connection;
    if (connection && connection->stage == CONNECTION_UP) connection_resume(connection);
}

void request_on_writable(struct local_request *request) {
    request_send(request);
    tell_sent(request);
}

/* ---- the answer ---- */

/* The service wants the body, or says nothing to the contrary. */
static void go_on(struct local_request *request) {
    list_remove(&request->expecting_node);
    if (request->way != BODY_AWAITS_100) return;
    request->way = BODY_FLOWS;
    if (request->events.on_informational) request->events.on_informational(request->ctx, 100);
    if (request->life != REQUEST_ENDED) request_send(request);
}

void request_on_continue_deadline(struct local_request *request) {
    go_on(request);
}

static void on_head(struct local_request *request) {
    const struct local_connection *connection = request->connection;
    list_remove(&request->expecting_node);
    bool wants_no_body = request_holds_body(request) || connection->broken;
    if (wants_no_body && !request_is_sent(request)) request_drop_body(request);
    request->client->answered = true;
    request->events.on_head(request->ctx, request->answer.head.status, &request->answer.head.headers);
}

static void on_switched(struct local_request *request) {
    request->upgrading = UPGRADE_DONE;
    if (request_holds_body(request)) request->way = BODY_FLOWS;
    request->body_bytes = LOCAL_BODY_NONE; /* what follows has no length */
    if (request->events.on_switched) request->events.on_switched(request->ctx, &request->answer.head.headers);
    if (request->life != REQUEST_ENDED) request_send(request);
}

static void on_answer_end(struct local_request *request, bool bytes_left) {
    const struct local_connection *connection = request->connection;
    bool usable =
        request->answer.keep_alive && !bytes_left && !connection->broken && request_is_sent(request);
    request_end(request, LOCAL_OK, "", usable);
}

/* What is no HTTP is shown: it says best what it is. */
static void on_bad(struct local_request *request, struct view bytes) {
    struct view first = request->answer.held.len ? buf_view(&request->answer.held) : bytes;
    char *out = request->detail;
    if (!request->answer.not_http) {
        request_end(request, LOCAL_BROKEN, request->answer.detail, false);
        return;
    }
    if (view_starts_with(first, VIEW("\x15\x03")) || view_starts_with(first, VIEW("\x16\x03")))
        request->client->clue = LOCAL_CLUE_SPEAKS_TLS;
    int len = snprintf(out, sizeof(request->detail), "%s; it begins with \"", request->answer.detail);
    for (size_t i = 0; i < first.len && i < SHOWN_MAX; i++) {
        bool plain = first.ptr[i] >= 0x20 && first.ptr[i] < 0x7f;
        len += snprintf(out + len, sizeof(request->detail) - (size_t)len, plain ? "%c" : "\\x%02x",
                        (unsigned char)first.ptr[i]);
    }
    snprintf(out + len, sizeof(request->detail) - (size_t)len, "\"");
    request_end(request, LOCAL_BROKEN, out, false);
}

/* False when the answer is over, or is not to be read now. */
static bool step(struct local_request *request, struct view *bytes) {
    struct view data = {NULL, 0};
    switch (local_answer_next(&request->answer, bytes, request->reading == READS_NOT ? NULL : &data)) {
    case ANSWER_MORE: return false;
    case ANSWER_INTERIM:
        if (request->answer.head.status == 100) go_on(request);
        return true;
    case ANSWER_HEAD: on_head(request); return true;
    case ANSWER_SWITCHED: on_switched(request); return true;
    case ANSWER_DATA: request->events.on_data(request->ctx, data); return true;
    case ANSWER_END: on_answer_end(request, bytes->len > 0); return false;
    case ANSWER_BAD: on_bad(request, *bytes); return false;
    }
    return false;
}

bool request_take(struct local_connection *connection, struct view *bytes) {
    struct local_request *request = connection->request;
    if (request->memory == SENT_KEPT) request_keep_no_body(request);
    while (step(request, bytes) && connection->request == request) {
    }
    return connection->request == request;
}

/* ---- once more ---- */

static bool can_be_sent_again(const struct local_request *request) {
    if (!request->connection->used || request->retried || request->answer.began ||
        request->memory == SENT_LOST)
        return false;
    return request->safe || request->wire_bytes == 0;
}

static void rewind_request(struct local_request *request) {
    request->head_sent = request->lead_len = request->body_kept = 0;
    request->chunk_left = request->wire_bytes = request->sent = 0;
    if (request->chunking == CHUNKED_ENDED) request->chunking = CHUNKED_OPEN;
    request->memory = SENT_LET_GO;
    list_remove(&request->expecting_node);
    local_answer_begin(&request->answer,
                       &(struct answer_to){request->answer.to.is_head, request->answer.to.upgrade,
                                           request->answer.to.accept});
}

static void send_again(struct local_request *request) {
    struct local_connection *connection = request->connection;
    request->retried = true;
    rewind_request(request);
    connection->request = NULL;
    request->connection = NULL;
    connection_close(connection);
    client_dispatch(request->client, request, true);
}

void request_on_eof(struct local_connection *connection, int error) {
    struct local_request *request = connection->request;
    if (!request) {
        connection_close(connection);
        return;
    }
    if (can_be_sent_again(request)) {
        send_again(request);
        return;
    }
    if (!request->answer.began) request->client->clue = LOCAL_CLUE_SILENT;
    bool whole = !error && local_answer_eof(&request->answer) == ANSWER_END;
    const char *detail = error ? error_text(error) : whole ? "" : request->answer.detail;
    request_end(request, whole ? LOCAL_OK : LOCAL_BROKEN, detail, false);
}

/* ---- what the owner asks for ---- */

/* A clean one, of which only memory is used again. */
static void request_reset(struct local_request *request) {
    struct buf head = request->head, body = request->body;
    struct local_answer answer = request->answer;
    if (head.cap > HEAD_KEPT) buf_done(&head);
    if (body.cap > BODY_KEPT) buf_done(&body);
    buf_clear(&head);
    buf_clear(&body);
    memset(request, 0, offsetof(struct local_request, detail));
    request->head = head;
    request->body = body;
    request->answer = answer;
    request->magic = LOCAL_REQUEST_MAGIC;
    list_init(&request->node);
    list_init(&request->waiting_node);
    list_init(&request->expecting_node);
    list_init(&request->restless_node);
}

static void set_up(struct local_request *request, const struct local_head *head) {
    bool has_body = head->body_bytes > 0 || head->body_bytes == LOCAL_BODY_UNKNOWN;
    request->safe = http_method_is_safe(head->method);
    request->body_bytes = head->body_bytes;
    request->chunking = head->body_bytes == LOCAL_BODY_UNKNOWN ? CHUNKED_OPEN : CHUNKED_NOT;
    request->upgrading = head->upgrade.ptr ? UPGRADE_OFFERED : UPGRADE_NONE;
    if (has_body)
        request->way = head->expects_continue ? BODY_AWAITS_100 : BODY_CORKED;
    else
        request->way = head->upgrade.ptr ? BODY_AWAITS_SWITCH : BODY_FLOWS;
    request->memory = request->safe && has_body ? SENT_KEPT : SENT_LET_GO;
    request->body_ended = !has_body && !head->upgrade.ptr;
}

struct local_request *local_request_start(struct local_client *client, const struct local_head *head,
                                          const struct local_events *events, void *ctx) {
    struct local_request *request = client->shut ? NULL : client_request_new(client);
    if (!request) return NULL;
    struct answer_to to;
    request_reset(request);
    request->client = client;
    request->events = *events;
    request->ctx = ctx;
    set_up(request, head);
    enum head_said said = request_say_head(request, head, &to);
    if (said == HEAD_NO_MEMORY) {
        client_request_reuse(request);
        return NULL;
    }
    if (client->tls) tls_name_of(client, head->headers, request->tls_name, sizeof(request->tls_name));
    local_answer_begin(&request->answer, &to);
    list_append(&client->requests, &request->node);
    if (said == HEAD_CANNOT_BE_SAID) {
        request_fail_soon(request, LOCAL_INVALID, "the request cannot be said in HTTP/1.1");
        return request;
    }
    client_dispatch(client, request, false);
    if (request->way == BODY_CORKED) client_want_chores(request);
    return request;
}

void local_request_pause(struct local_request *request, bool paused) {
    if (request->life == REQUEST_ENDED || (request->reading == READS_NOT) == paused) return;
    request->reading = paused ? READS_NOT : READS_SOON; /* that it stops is seen to when there is something */
    if (!paused) client_want_chores(request);
}

void local_request_cancel(struct local_request *request) {
    assert(request->magic == LOCAL_REQUEST_MAGIC);
    if (request->life == REQUEST_ENDED) return;
    request_detach(request, false);
    request_bury(request);
}
