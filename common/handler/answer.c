/* See answer.h. */
#include "handler/answer.h"

#include "handler/core_state.h"
#include "handler/pace.h"
#include "handler/path_mode.h"
#include "handler/trace.h"
#include "http/error_page.h"
#include "http/hop.h"
#include "policy/pass.h"
#include "policy/policy.h"

static void on_task(struct task *task);

void answer_init(struct exchange *exchange, const struct answer_sink *sink, size_t window_bytes) {
    exchange->answer = (struct answer){.sink = *sink, .window_bytes = window_bytes};
    task_init(&exchange->answer.task, on_task);
    list_init(&exchange->answer.turn_node);
}

void answer_done(struct exchange *exchange) {
    task_cancel(&exchange->answer.task);
    list_remove(&exchange->answer.turn_node);
    chain_free(exchange->answer.chain);
}

/* ---- head ---- */

static bool is_event_stream(const struct headers *headers) {
    struct view type = headers_get(headers, VIEW("content-type"));
    struct view name = view_trim(view_slice(type, 0, view_find(type, ';')));
    return view_eq_nocase(name, VIEW("text/event-stream"));
}

static enum answer_kind kind_of(bool has_body, const struct headers *headers) {
    if (!has_body) return ANSWER_EMPTY;
    return is_event_stream(headers) ? ANSWER_EVENTS : ANSWER_BODY;
}

static bool is_unread(const struct exchange *exchange) {
    return exchange->verdict.framing != BODY_NONE && !exchange->body_complete;
}

static void put_head(struct exchange *exchange, const struct answer_head *head, enum answer_kind kind) {
    exchange->answer.kind = kind;
    exchange->answer.sink.head(exchange->answer.sink.ctx, head);
}

/* Words of the agent to the gateway where the visitor is; another gateway passes them on. What the body needs
 * is copied: the head may be of a message that is gone when all of the body is here, and not all of it made.
 */
static void take_words(struct exchange *exchange, struct headers *headers) {
    struct view name = VIEW("x-tunnel-service"), service = headers_get(headers, name);
    hop_strip_ours(headers, VIEW("x-tunnel-rewrite"));
    if (!service.ptr) return;
    if (exchange->from_peer) headers_add(headers, name, service);
    if (exchange->site) exchange->site->service = arena_copy(&exchange->arena, service);
}

/* A service may not say for its visitors that they have seen the page of a first visit. */
static bool is_our_cookie(void *ctx, const struct header *field) {
    (void)ctx;
    return view_eq(field->name, VIEW("set-cookie")) && cookie_is_set_as(field->value, VIEW(POLICY_COOKIES));
}

static void drop_our_cookies(const struct exchange *exchange, struct headers *headers) {
    if (exchange->core->settings.first_visit_page && !exchange->from_peer)
        headers_remove_if(headers, is_our_cookie, NULL);
}

/* What has no name that somebody chose is shown to a few people for a while. */
static bool hides_from_search(const struct exchange *exchange) {
    return !exchange->from_peer && !(exchange->claim.member.capabilities & V1_CAP_INDEX) &&
           claim_id_is_generated(exchange->route.tunnel_id);
}

bool answer_begin(struct exchange *exchange, int status, struct headers *headers, uint64_t body_bytes) {
    bool has_body = http_answer_has_body(exchange->method, status);
    uint64_t length = has_body ? body_bytes : length_declared(headers);
    /* an agent of v1 may answer HEAD with GET's body: not passed on, but that is its length */
    if (!has_body && length == LENGTH_UNKNOWN && body_bytes > 0 && view_eq(exchange->method, VIEW("HEAD")))
        length = body_bytes;
    struct answer_head head = {.status = status,
                               .headers = headers,
                               .content_length = length,
                               .has_body = has_body,
                               .close = is_unread(exchange)};
    enum answer_kind kind = kind_of(has_body, headers);
    head.may_idle = kind == ANSWER_EVENTS;
    hop_strip(headers);
    take_words(exchange, headers);
    headers_remove(headers, VIEW("content-length"));
    if (exchange->site && !path_mode_answer(exchange, &head, headers, &exchange->answer.chain)) return false;
    if (!exchange->from_peer) headers_remove(headers, VIEW("x-tunnel-rewrite"));
    headers_add(headers, VIEW("x-tunnel-routing-mode"),
                exchange->route.mode == ROUTE_SUBDOMAIN ? VIEW("subdomain") : VIEW("path"));
    drop_our_cookies(exchange, headers);
    visitor_door_answer(exchange, headers);
    if (hides_from_search(exchange)) headers_add(headers, VIEW("x-robots-tag"), VIEW("noindex"));
    trace_answer(exchange, headers);
    put_head(exchange, &head, kind);
    return true;
}

void answer_switch(struct exchange *exchange, struct headers *headers, struct view protocol) {
    hop_strip(headers);
    hop_strip_ours(headers, (struct view){0});
    headers_remove(headers, VIEW("content-length"));
    headers_remove(headers, VIEW("sec-websocket-accept"));
    if (exchange->site) path_mode_fields(exchange, headers, false);
    drop_our_cookies(exchange, headers);
    visitor_door_answer(exchange, headers);
    trace_answer(exchange, headers);
    struct answer_head head = {.status = 101,
                               .headers = headers,
                               .content_length = LENGTH_UNKNOWN,
                               .has_body = true,
                               .close = true,
                               .may_idle = true,
                               .upgrade = protocol};
    put_head(exchange, &head, ANSWER_SWITCHED);
}

/* ---- body ---- */

static void put_data(struct answer *answer, struct view data) {
    answer->under_way += data.len;
    answer->sink.data(answer->sink.ctx, data);
}

/* Bytes of the service's that have been taken, and what became of them that the sink has not drained. */
static size_t taken(const struct answer *answer) {
    return answer->owed - (answer->chain ? answer->chain->input.len : 0);
}

static size_t made(const struct answer *answer) {
    return answer->under_way + (answer->chain ? answer->chain->output.len : 0);
}

/* Of what was made so much has drained: as much of what is owed for it is given back. */
static void give_back(struct exchange *exchange, size_t drained) {
    struct answer *answer = &exchange->answer;
    size_t all = made(answer), due = taken(answer);
    if (drained < all) due = due * drained / all;
    answer->under_way -= drained;
    answer->owed -= due;
    if (due == 0) return;
    if (exchange->share.pace)
        pace_credit(exchange, due);
    else
        exchange->delivery->credit(exchange, due);
}

size_t answer_room(const struct answer *answer) {
    return answer->window_bytes > answer->owed ? answer->window_bytes - answer->owed : 0;
}

bool answer_may_idle(const struct answer *answer) {
    return answer->kind == ANSWER_EVENTS || answer->kind == ANSWER_SWITCHED;
}

/* ---- the chain ---- */

/* As much of what was made as the sink has room for. True: that was all. */
static bool put_made(struct answer *answer) {
    struct buf *output = &answer->chain->output;
    size_t room = answer->window_bytes > answer->under_way ? answer->window_bytes - answer->under_way : 0;
    struct view piece = view_slice(buf_view(output), 0, room);
    if (piece.len > 0) put_data(answer, piece);
    buf_consume(output, piece.len);
    return output->len == 0;
}

/* Makes what there is room for. CHAIN_MORE: there is something left to be made or put. */
static enum chain_step make(struct exchange *exchange) {
    struct answer *answer = &exchange->answer;
    enum chain_step step = CHAIN_MORE;
    unsigned may = chain_turns_may(exchange), steps = 0;
    for (; steps < may && step == CHAIN_MORE && put_made(answer); steps++)
        step = chain_step(answer->chain, answer->is_ended);
    chain_turns_made(exchange, steps);
    if (!put_made(answer)) return step == CHAIN_FAILED ? CHAIN_FAILED : CHAIN_MORE;
    if (made(answer) == 0) give_back(exchange, 0);
    return step;
}

/* Goes on by itself where nobody else would make it: the sink tells when it has drained. Who has had his turn
 * waits for the next one, in however many pieces more comes until then. */
static bool go_on(struct exchange *exchange) {
    struct answer *answer = &exchange->answer;
    if (chain_turns_is_waiting(exchange)) return false;
    enum chain_step step = make(exchange);
    bool is_held_up = answer->chain->output.len > 0;
    if (step == CHAIN_MORE && !is_held_up) chain_turns_wait(exchange);
    if (step == CHAIN_FAILED) tasks_post(exchange->core->ports.clock.tasks, &answer->task);
    return step == CHAIN_DONE && !is_held_up;
}

void answer_go_on(struct exchange *exchange) {
    if (exchange->answer.chain->failed)
        exchange_abort(exchange);
    else if (go_on(exchange))
        exchange_ended(exchange);
}

static void on_task(struct task *task) {
    answer_go_on(LIST_ENTRY(task, struct exchange, answer.task));
}

static void write_to_chain(struct exchange *exchange, struct view data) {
    chain_feed(exchange->answer.chain, data);
    go_on(exchange);
}

void answer_write(struct exchange *exchange, struct view data) {
    struct answer *answer = &exchange->answer;
    if (exchange->share.pace) pace_count(exchange, data.len);
    answer->owed += data.len;
    if (answer->chain) {
        write_to_chain(exchange, data);
        return;
    }
    if (answer->kind != ANSWER_EMPTY) put_data(answer, data);
    if (answer->under_way == 0) give_back(exchange, 0);
}

void answer_drained(struct exchange *exchange, size_t bytes) {
    struct answer *answer = &exchange->answer;
    give_back(exchange, bytes < answer->under_way ? bytes : answer->under_way);
    if (answer->chain && (answer->chain->output.len || answer->chain->input.len || answer->is_ended))
        tasks_post(exchange->core->ports.clock.tasks, &answer->task);
}

/* ---- end ---- */

/* Fields that would change what the head said have no place behind a body (RFC 9110 6.5.1). */
static bool is_no_trailer(void *ctx, const struct header *field) {
    (void)ctx;
    static const struct view names[] = {
        {"content-length", 14}, {"content-type", 12}, {"content-encoding", 16}, {"content-range", 13},
        {"set-cookie", 10},     {"host", 4},          {"location", 8},          {"authorization", 13}};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (view_eq(field->name, names[i])) return true;
    return ctx && path_mode_is_of_bytes(field);
}

static void copy_trailers(struct exchange *exchange, const struct headers *trailers, struct headers *passed) {
    headers_init(passed, &exchange->arena);
    if (!trailers || trailers->count == 0 || !headers_copy(passed, trailers)) return;
    headers_remove_if(passed, is_no_trailer, exchange->answer.chain);
    hop_strip(passed);
    hop_strip_ours(passed, (struct view){0});
}

void answer_put_end(struct exchange *exchange) {
    struct answer *answer = &exchange->answer;
    answer->sink.end(answer->sink.ctx, &answer->trailers);
}

bool answer_end(struct exchange *exchange, const struct headers *trailers) {
    struct answer *answer = &exchange->answer;
    copy_trailers(exchange, trailers, &answer->trailers);
    answer->is_ended = true;
    if (answer->chain && !go_on(exchange)) return false;
    answer_put_end(exchange);
    return true;
}

void answer_abort(struct exchange *exchange) {
    exchange->answer.sink.abort(exchange->answer.sink.ctx);
}

/* ---- answers of ours ---- */

void answer_own(struct exchange *exchange, struct answer_own *own) {
    trace_answer(exchange, &own->headers);
    bool has_body = !view_eq(exchange->method, VIEW("HEAD")) && own->body.len > 0;
    struct answer_head head = {.status = own->status,
                               .headers = &own->headers,
                               .content_length = own->body.len,
                               .has_body = has_body,
                               .close = http_error_closes(own->error) || is_unread(exchange),
                               .error = own->error};
    put_head(exchange, &head, has_body ? ANSWER_BODY : ANSWER_EMPTY);
    if (has_body) put_data(&exchange->answer, own->body);
    answer_end(exchange, NULL);
}

/* What a browser asks its user for (Basic: RFC 7617), or a program is to bring. Each tunnel is a realm of its
 * own. */
static const char *scheme_of(enum http_error error) {
    switch (error) {
    case HTTP_ERROR_UNAUTHORIZED: return "Basic";
    case HTTP_ERROR_BAD_SIGNATURE: return "Signature";
    case HTTP_ERROR_TOKEN_REQUIRED: return "Bearer";
    default: return "Cookie";
    }
}

bool answer_tell_error(const struct exchange *exchange, enum http_error error, struct headers *headers) {
    bool is_told = headers_get(headers, VIEW("x-tunnel-error")).ptr ||
                   headers_add(headers, VIEW("x-tunnel-error"), http_error_code(error));
    if (http_error_status(error) != 401) return is_told;
    struct view text = arena_printf(headers->arena, "%s realm=\"%.*s\"%s", scheme_of(error),
                                    VIEW_ARG(exchange->route.tunnel_id),
                                    error == HTTP_ERROR_UNAUTHORIZED ? ", charset=\"UTF-8\"" : "");
    return is_told && text.ptr && headers_add(headers, VIEW("www-authenticate"), text);
}

/* Which quota it was, and when there may be some of it again. */
static void tell_quota(struct exchange *exchange, struct headers *headers) {
    if (!exchange->share.quota) return;
    struct view text = arena_printf(&exchange->arena, "%u", exchange->share.retry_s);
    headers_add(headers, VIEW("x-tunnel-quota"), quota_name(exchange->share.quota));
    if (exchange->share.retry_s && text.ptr) headers_set(headers, VIEW("retry-after"), text);
}

void answer_error(struct exchange *exchange, enum http_error error) {
    struct answer_own own = {.status = http_error_status(error), .error = error};
    own.body = error_page(error, http_wants_html(exchange->accept), &exchange->arena, &own.headers);
    answer_tell_error(exchange, error, &own.headers);
    tell_quota(exchange, &own.headers);
    answer_own(exchange, &own);
}
