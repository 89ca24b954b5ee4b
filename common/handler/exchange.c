/* One visitor's request and its answer: birth, answer, end. Whoever ends an exchange is the only one who
 * frees it; what comes later for it finds its ticket gone. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "handler/core_state.h"
#include "handler/pace.h"
#include "handler/quotas.h"
#include "handler/stray.h"
#include "handler/urls.h"
#include "metrics/metrics.h"

enum { EXCHANGE_ARENA_MAX = 1024 * 1024, SLOTS_GROWTH = 256 };

/* ---- tickets ---- */

static bool slots_grow(struct core *core) {
    size_t count = core->slot_count + SLOTS_GROWTH;
    struct exchange **slots = realloc(core->slots, count * sizeof(*slots));
    if (!slots) return false;
    core->slots = slots;
    uint32_t *free_slots = realloc(core->free_slots, count * sizeof(*free_slots));
    if (!free_slots) return false;
    core->free_slots = free_slots;
    for (size_t i = core->slot_count; i < count; i++) {
        slots[i] = NULL;
        free_slots[core->free_count++] = (uint32_t)i;
    }
    core->slot_count = count;
    return true;
}

static bool slot_take(struct core *core, struct exchange *exchange) {
    if (core->free_count == 0 && !slots_grow(core)) return false;
    uint32_t slot = core->free_slots[--core->free_count];
    core->slots[slot] = exchange;
    exchange->ticket = (uint64_t)++core->generation << 32 | slot;
    return true;
}

static void slot_release(struct exchange *exchange) {
    uint32_t slot = (uint32_t)exchange->ticket;
    exchange->core->slots[slot] = NULL;
    exchange->core->free_slots[exchange->core->free_count++] = slot;
}

struct exchange *exchange_find(struct core *core, uint64_t ticket) {
    uint32_t slot = (uint32_t)ticket;
    struct exchange *exchange = slot < core->slot_count ? core->slots[slot] : NULL;
    return exchange && exchange->ticket == ticket ? exchange : NULL;
}

/* ---- birth and end ---- */

void exchange_stop_waiting(struct exchange *exchange) {
    list_remove(&exchange->share.tunnel_node);
    timer_stop(exchange->core->ports.clock.timers, &exchange->timer);
}

static void exchange_free(struct exchange *exchange) {
    struct core *core = exchange->core;
    exchange->delivery->stop(exchange);
    answer_done(exchange); /* which may take memory of its tunnel's share */
    tunnel_leave(exchange);
    timer_stop(core->ports.clock.timers, &exchange->timer);
    timer_stop(core->ports.clock.timers, &exchange->recheck);
    task_cancel(&exchange->task);
    slot_release(exchange);
    list_remove(&exchange->share.young_node);
    core->exchange_count--;
    buf_done(&exchange->body);
    arena_done(&exchange->arena);
    spares_give(&core->spare_exchanges, exchange);
}

enum http_error exchange_lost_error(const struct exchange *exchange) {
    return exchange->sent_again ? HTTP_ERROR_AGENT_LOST : HTTP_ERROR_AGENT_OFFLINE;
}

static void on_timer(struct timer *timer) {
    struct exchange *exchange = LIST_ENTRY(timer, struct exchange, timer);
    switch (exchange->state) {
    case EXCHANGE_LOOKUP:
    case EXCHANGE_WAITING: exchange_fail(exchange, exchange_lost_error(exchange)); break;
    case EXCHANGE_READING: exchange_fail(exchange, HTTP_ERROR_REQUEST_TIMEOUT); break;
    default: exchange_fail(exchange, HTTP_ERROR_TIMEOUT); break;
    }
}

static void on_recheck(struct timer *timer) {
    dispatch_recheck(LIST_ENTRY(timer, struct exchange, recheck));
}

/* What a host's call asked for and must not happen inside it. */
static void on_task(struct task *task) {
    struct exchange *exchange = LIST_ENTRY(task, struct exchange, task);
    if (exchange->share.is_cut)
        exchange_fail(exchange, HTTP_ERROR_REQUEST_TIMEOUT);
    else if (exchange->state == EXCHANGE_FAILING)
        exchange_fail(exchange, exchange->error);
    else
        exchange->delivery->go_on(exchange);
}

static struct exchange *exchange_new(struct core *core) {
    struct exchange *exchange = spares_take(&core->spare_exchanges);
    if (!exchange) return NULL;
    *exchange = (struct exchange){.core = core};
    exchange->delivery = &mailbox_delivery; /* keeps what comes */
    if (!slot_take(core, exchange)) {
        spares_give(&core->spare_exchanges, exchange);
        return NULL;
    }
    core->exchange_count++;
    arena_init(&exchange->arena, EXCHANGE_ARENA_MAX);
    headers_init(&exchange->headers, &exchange->arena);
    buf_init(&exchange->body, core->settings.v1_body_bytes);
    task_init(&exchange->task, on_task);
    timer_init(&exchange->timer, on_timer);
    timer_init(&exchange->recheck, on_recheck);
    list_init(&exchange->share.tunnel_node);
    list_init(&exchange->link_node);
    list_init(&exchange->share.young_node);
    list_init(&exchange->share.use_node);
    exchange->started_ms = core_now_ms(core);
    return exchange;
}

void exchange_fail_later(struct exchange *exchange, enum http_error error) {
    exchange->state = EXCHANGE_FAILING;
    exchange->error = error;
    tasks_post(exchange->core->ports.clock.tasks, &exchange->task);
}

/* Who waits for so long takes a place for nothing, like an event stream; but not while it is the visitor who
 * is waited for. Each is looked at once. */
static void count_waiting(struct core *core) {
    uint64_t now = core_now_ms(core);
    while (!list_empty(&core->young)) {
        struct exchange *oldest = LIST_ENTRY(core->young.next, struct exchange, share.young_node);
        if (now - oldest->started_ms < core->settings.long_wait_ms) return;
        list_remove(&oldest->share.young_node);
        if (oldest->body_complete) exchange_long_lived(oldest);
    }
}

enum http_error exchange_admit(struct exchange *exchange) {
    struct core *core = exchange->core;
    if (!tunnel_join(exchange)) return HTTP_ERROR_OVERLOADED;
    bool is_websocket = view_eq_nocase(exchange->verdict.upgrade, VIEW("websocket"));
    if (exchange->verdict.is_upgrade && is_websocket) exchange_long_lived(exchange);
    count_waiting(core);
    list_append(&core->young, &exchange->share.young_node);
    return place_take(exchange) ? HTTP_ERROR_NONE : HTTP_ERROR_OVERLOADED;
}

void exchange_long_lived(struct exchange *exchange) {
    if (exchange->share.long_lived) return;
    exchange->share.long_lived = true;
    exchange->share.tunnel->long_lived_count++;
}

uint64_t exchange_request_timeout_ms(const struct exchange *exchange) {
    const struct core_settings *settings = &exchange->core->settings;
    uint64_t asked = exchange->claim.member.request_timeout_ms;
    if (asked == 0) return settings->request_timeout_ms;
    return asked < settings->request_timeout_max_ms ? asked : settings->request_timeout_max_ms;
}

void exchange_grant(struct exchange *exchange, uint64_t total) {
    if (total <= exchange->granted_bytes) return;
    size_t more = (size_t)(total - exchange->granted_bytes);
    exchange->granted_bytes = total;
    if (exchange->share.pace)
        pace_grant(exchange, more);
    else
        exchange->source.grant(exchange->source.ctx, more);
}

static struct exchange *begin(struct core *core, const struct body_source *source,
                              const struct answer_sink *sink, size_t window_bytes) {
    struct exchange *exchange = exchange_new(core);
    if (!exchange) return NULL;
    exchange->source = *source;
    answer_init(exchange, sink, window_bytes);
    return exchange;
}

static void go_on(struct exchange *exchange, enum http_error error) {
    struct core *core = exchange->core;
    bool is_full = core->refuses_new || core->exchange_count > core->settings.exchanges_total;
    if (error == HTTP_ERROR_NONE && is_full) error = HTTP_ERROR_OVERLOADED;
    if (error == HTTP_ERROR_NONE && !quota_admit_visitor(exchange)) error = HTTP_ERROR_RATE_LIMITED;
    if (error == HTTP_ERROR_NONE && !exchange->stray) error = exchange_admit(exchange);
    if (error != HTTP_ERROR_NONE)
        exchange_fail_later(exchange, error);
    else if (exchange->stray)
        stray_start(exchange);
    else
        dispatch_start(exchange);
}

struct exchange *core_forward(struct core *core, const struct forward_event *event,
                              const struct body_source *source, const struct answer_sink *sink,
                              size_t window_bytes) {
    struct exchange *exchange = begin(core, source, sink, window_bytes);
    if (!exchange) return NULL;
    if (core->ports.challenges.answer && challenge_take(exchange, event)) return exchange;
    enum http_error error = ingress(exchange, event);
    bool may_lead = core->settings.https_only && error == HTTP_ERROR_NONE;
    if (!may_lead || !https_only_take(exchange, event)) go_on(exchange, error);
    return exchange;
}

struct exchange *core_dispatch(struct core *core, const struct dispatch_event *event,
                               const struct body_source *source, const struct answer_sink *sink,
                               size_t window_bytes) {
    struct exchange *exchange = begin(core, source, sink, window_bytes);
    if (!exchange) return NULL;
    go_on(exchange, ingress_done(exchange, event));
    return exchange;
}

void exchange_body(struct exchange *exchange, struct view data) {
    if (exchange->share.pace) pace_count(exchange, data.len);
    if (exchange->state != EXCHANGE_FAILING) exchange->delivery->body(exchange, data);
}

void exchange_body_end(struct exchange *exchange) {
    exchange->body_complete = true;
    exchange->delivery->body_end(exchange);
}

void exchange_drained(struct exchange *exchange, size_t bytes) {
    answer_drained(exchange, bytes);
}

void exchange_cancel(struct exchange *exchange) {
    exchange_free(exchange);
}

void exchange_expire(struct exchange *exchange) {
    exchange_fail(exchange, HTTP_ERROR_TIMEOUT);
}

/* Who has shown no token is nobody in particular. */
static struct view owner_of(const struct claim *claim) {
    struct view owner = view_from_cstr(claim->owner);
    return view_starts_with(owner, VIEW("sub:")) ? owner : (struct view){0};
}

struct exchange_facts exchange_facts(const struct exchange *exchange) {
    static const struct trace none;
    const struct trace *trace = exchange->trace ? exchange->trace : &none;
    return (struct exchange_facts){.tunnel = exchange->route.tunnel_id,
                                   .request_id = view_from_cstr(exchange->mail.request_id),
                                   .sent_again = exchange->sent_again,
                                   .given_us = exchange->given_us,
                                   .answered_us = exchange->answered_us,
                                   .owner = owner_of(&exchange->claim),
                                   .quota = exchange->share.quota,
                                   .x_request_id = trace->request_id,
                                   .trace_id = trace->id,
                                   .protocol = exchange->claim.member.link.protocol};
}

uint64_t exchange_tunnel_key(const struct exchange *exchange) {
    return exchange->share.tunnel ? exchange->share.tunnel->node.hash : 0;
}

/* ---- the answer ---- */

/* The service has done its part, and what becomes of its bytes is still on its way. */
static void on_nothing(struct exchange *exchange) {
    (void)exchange;
}
static void on_body(struct exchange *exchange, struct view data) {
    (void)exchange, (void)data;
}
static void on_credit(struct exchange *exchange, size_t bytes) {
    (void)exchange, (void)bytes;
}
static const struct delivery ended_delivery = {.start = on_nothing,
                                               .body = on_body,
                                               .body_end = on_nothing,
                                               .credit = on_credit,
                                               .go_on = on_nothing,
                                               .stop = on_nothing};

static void let_go(struct exchange *exchange) {
    exchange->delivery->stop(exchange);
    exchange->delivery = &ended_delivery;
    timer_stop(exchange->core->ports.clock.timers, &exchange->timer);
    if (!exchange->share.is_cut) task_cancel(&exchange->task);
}

void exchange_ended(struct exchange *exchange) {
    answer_put_end(exchange);
    exchange_free(exchange);
}

void exchange_end(struct exchange *exchange, const struct headers *trailers) {
    if (answer_end(exchange, trailers))
        exchange_free(exchange);
    else
        let_go(exchange);
}

void exchange_abort(struct exchange *exchange) {
    answer_abort(exchange);
    exchange_free(exchange);
}

void exchange_fail(struct exchange *exchange, enum http_error error) {
    if (exchange->state ==
        EXCHANGE_ANSWERING) { /* too late for an error: never a short body that looks whole */
        exchange_abort(exchange);
        return;
    }
    answer_error(exchange, error);
    exchange_free(exchange);
}

void exchange_tell(struct exchange *exchange, struct answer_own *own) {
    answer_own(exchange, own);
    exchange_free(exchange);
}

struct view exchange_base(struct exchange *exchange) {
    if (exchange->route.mode != ROUTE_PATH) return VIEW("");
    return arena_printf(&exchange->arena, "%.*s%.*s", VIEW_ARG(urls_base(&exchange->core->settings)),
                        VIEW_ARG(exchange->route.prefix));
}

/* "//host" and "/\\host" are URLs of another host; "/.//host" is a path (RFC 3986 5.2.4). */
static bool names_host(struct view target) {
    return target.len > 1 && (target.ptr[1] == '/' || target.ptr[1] == '\\');
}

void exchange_redirect(struct exchange *exchange, int status, struct view target, struct view cookie) {
    struct answer_own own = {.status = status};
    struct view base = exchange_base(exchange);
    struct view location = arena_printf(&exchange->arena, "%.*s%s%.*s", VIEW_ARG(base),
                                        base.len == 0 && names_host(target) ? "/." : "", VIEW_ARG(target));
    headers_init(&own.headers, &exchange->arena);
    bool ok = base.ptr && location.ptr && headers_add(&own.headers, VIEW("location"), location) &&
              headers_add(&own.headers, VIEW("cache-control"), VIEW("no-store")) &&
              headers_add(&own.headers, VIEW("referrer-policy"), VIEW("no-referrer")) &&
              headers_add(&own.headers, VIEW("x-tunnel-routing-mode"),
                          exchange->route.mode == ROUTE_PATH ? VIEW("path") : VIEW("subdomain")) &&
              (!cookie.len || headers_add(&own.headers, VIEW("set-cookie"), cookie));
    if (ok)
        exchange_tell(exchange, &own);
    else
        exchange_fail(exchange, HTTP_ERROR_HEADERS_TOO_LARGE);
}

void exchange_note_fault(const struct exchange *exchange, enum http_error error, struct view why) {
    struct buf target;
    if (error != HTTP_ERROR_BAD_RESPONSE || why.len == 0 || !log_enabled(LOG_LEVEL_INFO)) return;
    buf_init(&target, 400);
    log_redact_target(&target, view_slice(exchange->route.target, 0, 200));
    log_from(LOG_LEVEL_INFO, "answer", exchange->route.tunnel_id, "%.*s %.*s: %.*s: %.*s",
             VIEW_ARG(view_slice(exchange->method, 0, 20)), VIEW_ARG(buf_view(&target)),
             VIEW_ARG(http_error_code(error)), VIEW_ARG(view_slice(why, 0, 200)));
    buf_done(&target);
}

/* The first byte of the answer is out: from now on it waits for nothing. */
static void begin_answering(struct exchange *exchange) {
    exchange->state = EXCHANGE_ANSWERING;
    list_remove(&exchange->share.young_node);
    timer_stop(exchange->core->ports.clock.timers, &exchange->timer);
}

bool exchange_answer(struct exchange *exchange, int status, struct headers *headers, uint64_t body_bytes) {
    const struct http_limits *settings = &exchange->core->settings.limits,
                             v1 = http_limits_v1_answer(settings);
    bool is_v1 = exchange->delivery == &mailbox_delivery;
    const char *fault = gate_response_fault(status, headers, is_v1 ? &v1 : settings);
    if (fault) {
        exchange_note_fault(exchange, HTTP_ERROR_BAD_RESPONSE, view_from_cstr(fault));
        exchange_fail(exchange, HTTP_ERROR_BAD_RESPONSE);
        return false;
    }
    exchange->answered_us = metrics_now_us();
    if (!answer_begin(exchange, status, headers, body_bytes)) {
        exchange_fail(exchange, HTTP_ERROR_OVERLOADED);
        return false;
    }
    begin_answering(exchange);
    return true;
}

void exchange_switch(struct exchange *exchange, struct headers *headers, struct view protocol) {
    exchange->answered_us = metrics_now_us();
    begin_answering(exchange);
    exchange->body_complete = false; /* the visitor's direction has opened anew */
    answer_switch(exchange, headers, protocol);
}
