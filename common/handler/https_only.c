/* Who came by http is sent to the same URL by https (core_settings.https_only). Not where the visitor is a
 * trusted proxy that has not said how its own came: it may have ended TLS, and would come again for ever. */
#include "handler/core_state.h"
#include "handler/urls.h"
#include "http/forwarded.h"

static bool came_by_http(const struct exchange *exchange, const struct forward_event *event) {
    struct view name = VIEW("x-forwarded-proto");
    if (event->client_is_proxy && forwarded_nearest(event->headers, name, event->hops).len == 0) return false;
    return view_eq_nocase(headers_get(&exchange->headers, name), VIEW("http"));
}

/* The host is one that ingress knows, the port that of the public URL. */
static struct view url_of(struct exchange *exchange) {
    const struct core_settings *settings = &exchange->core->settings;
    const struct host *host = &exchange->verdict.host;
    struct view base = exchange->route.mode == ROUTE_PATH ? urls_base(settings) : VIEW("");
    struct view port = urls_port(settings),
                target = target_origin(&exchange->verdict.target, &exchange->arena);
    bool is_v6 = view_find(host->name, ':') < host->name.len;
    if (!target.ptr || target.len == 0 || target.ptr[0] != '/') target = VIEW("/"); /* OPTIONS * */
    return arena_printf(&exchange->arena, "https://%s%.*s%s%.*s%.*s%.*s", is_v6 ? "[" : "",
                        VIEW_ARG(host->name), is_v6 ? "]" : "", VIEW_ARG(port), VIEW_ARG(base),
                        VIEW_ARG(target));
}

static void on_task(struct task *task) {
    struct exchange *exchange = LIST_ENTRY(task, struct exchange, task);
    struct answer_own own = {.status = 308};
    struct view url = url_of(exchange);
    headers_init(&own.headers, &exchange->arena);
    if (url.ptr && headers_add(&own.headers, VIEW("location"), url) &&
        headers_add(&own.headers, VIEW("cache-control"), VIEW("no-store")))
        exchange_tell(exchange, &own);
    else
        exchange_fail(exchange, HTTP_ERROR_HEADERS_TOO_LARGE);
}

bool https_only_take(struct exchange *exchange, const struct forward_event *event) {
    if (!came_by_http(exchange, event) || challenge_is_one(event->target)) return false;
    exchange->state = EXCHANGE_FAILING;
    exchange->task.fn = on_task;
    tasks_post(exchange->core->ports.clock.tasks, &exchange->task);
    return true;
}
