/* An authority of certificates looks whether a name is ours (http-01, RFC 8555 8.3). Answered while an order
 * is under way for that name and token alone: services have challenges of their own, which reach them. */
#include "handler/core_state.h"
#include "http/host.h"

#define PLACE "/.well-known/acme-challenge/"

static void on_task(struct task *task) {
    struct exchange *exchange = LIST_ENTRY(task, struct exchange, task);
    struct answer_own own = {.status = 200, .body = exchange->mail.answer_rest};
    headers_init(&own.headers, &exchange->arena);
    if (headers_add(&own.headers, VIEW("content-type"), VIEW("application/octet-stream")) &&
        headers_add(&own.headers, VIEW("cache-control"), VIEW("no-store")))
        exchange_tell(exchange, &own);
    else
        exchange_fail(exchange, HTTP_ERROR_HEADERS_TOO_LARGE);
}

bool challenge_is_one(struct view target) {
    return view_starts_with(target, VIEW(PLACE));
}

static struct view answer_for(struct exchange *exchange, const struct forward_event *event) {
    const struct challenges_port *challenges = &exchange->core->ports.challenges;
    struct host host;
    bool is_one = view_eq(event->method, VIEW("GET")) && challenge_is_one(event->target) &&
                  headers_count(event->headers, VIEW("host")) == 1 &&
                  host_parse(headers_get(event->headers, VIEW("host")), &exchange->arena, &host);
    return is_one ? challenges->answer(challenges->ctx, host.name, view_skip(event->target, strlen(PLACE)))
                  : (struct view){0};
}

bool challenge_take(struct exchange *exchange, const struct forward_event *event) {
    struct view text = answer_for(exchange, event);
    if (text.ptr) exchange->mail.answer_rest = arena_copy(&exchange->arena, text);
    if (!exchange->mail.answer_rest.ptr) return false;
    exchange->method = arena_copy(&exchange->arena, event->method);
    exchange->state = EXCHANGE_FAILING;
    exchange->task.fn = on_task;
    tasks_post(exchange->core->ports.clock.tasks, &exchange->task);
    return true;
}
