/* Ingress: the request gate, the route, and the header fields that the local service gets. */
#include "handler/core_state.h"
#include "http/hop.h"

static enum http_error copy_request(struct exchange *exchange, const struct forward_event *event,
                                    struct gate_request *ret_request) {
    exchange->method = arena_copy(&exchange->arena, event->method);
    struct view target = arena_copy(&exchange->arena, event->target);
    exchange->accept = arena_copy(&exchange->arena, headers_get(event->headers, VIEW("accept")));
    if (!exchange->method.ptr || !target.ptr || !headers_copy(&exchange->headers, event->headers))
        return HTTP_ERROR_HEADERS_TOO_LARGE;
    *ret_request = (struct gate_request){.method = exchange->method,
                                         .raw_target = target,
                                         .version = event->version,
                                         .headers = &exchange->headers};
    return HTTP_ERROR_NONE;
}

/* Overwritten, or, behind a configured proxy, kept and appended to. */
static bool forward_for(struct exchange *exchange, const struct forward_event *event) {
    struct headers *headers = &exchange->headers;
    struct view name = VIEW("x-forwarded-for"), earlier = headers_get(headers, name), value = event->peer;
    if (event->peer_is_proxy && earlier.len > 0)
        value = arena_printf(&exchange->arena, "%.*s, %.*s", VIEW_ARG(earlier), VIEW_ARG(event->peer));
    return value.ptr && headers_set(headers, name, value);
}

static bool forward_set(struct exchange *exchange, const struct forward_event *event, struct view name,
                        struct view value) {
    if (event->peer_is_proxy && headers_get(&exchange->headers, name).len > 0) return true;
    return headers_set(&exchange->headers, name, value);
}

static bool forwarded_headers(struct exchange *exchange, const struct forward_event *event) {
    struct view host = exchange->verdict.host_field;
    headers_remove(&exchange->headers, VIEW("x-forwarded-prefix"));
    return forward_for(exchange, event) &&
           forward_set(exchange, event, VIEW("x-forwarded-proto"), event->scheme) &&
           forward_set(exchange, event, VIEW("x-forwarded-host"), host) &&
           (exchange->route.mode != ROUTE_PATH ||
            headers_set(&exchange->headers, VIEW("x-forwarded-prefix"), exchange->route.prefix)) &&
           headers_set(&exchange->headers, VIEW("host"), host);
}

enum http_error ingress(struct exchange *exchange, const struct forward_event *event) {
    struct core *core = exchange->core;
    struct gate_request request;
    enum http_error error = copy_request(exchange, event, &request);
    if (error == HTTP_ERROR_NONE)
        error = gate_check_request(&request, &core->settings.limits, &exchange->arena, &exchange->verdict);
    if (error != HTTP_ERROR_NONE) {
        core->counters.gate_refused++;
        return error;
    }
    error = route_request(&core->names, &exchange->verdict, &exchange->arena, &exchange->route);
    if (error != HTTP_ERROR_NONE) return error;
    hop_strip(&exchange->headers);
    hop_strip_ours(&exchange->headers, (struct view){0});
    return forwarded_headers(exchange, event) ? HTTP_ERROR_NONE : HTTP_ERROR_HEADERS_TOO_LARGE;
}
