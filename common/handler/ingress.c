/* Ingress: the request gate, the route, and the header fields that the local service gets. What another
 * gateway has let pass is believed only as far as our own sending it on needs no more. */
#include "handler/core_state.h"
#include "handler/path_mode.h"
#include "handler/stray.h"
#include "handler/trace.h"
#include "http/chars.h"
#include "http/forwarded.h"
#include "http/hop.h"

static enum http_error copy_request(struct exchange *exchange, const struct forward_event *event,
                                    struct gate_request *ret_request) {
    exchange->method = arena_copy(&exchange->arena, event->method);
    struct view target = arena_copy(&exchange->arena, event->target);
    exchange->accept = arena_copy(&exchange->arena, headers_get(event->headers, VIEW("accept")));
    if (exchange->core->settings.first_visit_page)
        exchange->door.skips_page = headers_get(event->headers, VIEW("x-tunnel-skip-page")).ptr != NULL;
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
    struct view name = VIEW("x-forwarded-for"), value = event->client, earlier = {NULL, 0};
    if (event->client_is_proxy) earlier = forwarded_join(headers, name, &exchange->arena);
    if (earlier.len > 0)
        value = arena_printf(&exchange->arena, "%.*s, %.*s", VIEW_ARG(earlier), VIEW_ARG(event->client));
    exchange->door.visitor_hops = event->client_is_proxy && earlier.len > 0 ? event->hops + 1 : 0;
    return value.ptr && headers_set(headers, name, value);
}

/* A proxy may say it for each hop, as it does with addresses: the visitor's own counts, behind which stand as
 * many as there are trusted proxies. */
static bool forward_set(struct exchange *exchange, const struct forward_event *event, struct view name,
                        struct view value) {
    if (event->client_is_proxy) {
        struct view said = forwarded_nearest(&exchange->headers, name, event->hops);
        if (said.len > 0) value = arena_copy(&exchange->arena, said);
    }
    return value.ptr && headers_set(&exchange->headers, name, value);
}

static bool forwarded_headers(struct exchange *exchange, const struct forward_event *event) {
    const struct core_settings *settings = &exchange->core->settings;
    struct view host = exchange->verdict.host_field;
    forwarded_strip(&exchange->headers, event->client_is_proxy, settings->pass_fields,
                    settings->pass_fields_count);
    headers_remove(&exchange->headers, VIEW("x-forwarded-prefix"));
    return forward_for(exchange, event) &&
           forward_set(exchange, event, VIEW("x-forwarded-proto"), event->scheme) &&
           forward_set(exchange, event, VIEW("x-forwarded-host"), host) &&
           headers_set(&exchange->headers, VIEW("host"), host);
}

enum http_error ingress(struct exchange *exchange, const struct forward_event *event) {
    struct core *core = exchange->core;
    struct gate_request request;
    exchange->share.visitor = event->visitor;
    enum http_error error = copy_request(exchange, event, &request);
    if (error == HTTP_ERROR_NONE)
        error = gate_check_request(&request, &core->settings.limits, &exchange->arena, &exchange->verdict);
    if (error != HTTP_ERROR_NONE) return error;
    error = route_request(&core->names, &exchange->verdict, &exchange->arena, &exchange->route);
    if (error != HTTP_ERROR_NONE && exchange->route.mode != ROUTE_PATH) return error;
    hop_strip(&exchange->headers);
    hop_strip_ours(&exchange->headers, (struct view){0});
    if (!forwarded_headers(exchange, event) || !trace_request(exchange, event->client_is_proxy))
        return HTTP_ERROR_HEADERS_TOO_LARGE;
    error = stray_look(exchange, error);
    return error != HTTP_ERROR_NONE || exchange->stray ? error : ingress_routed(exchange);
}

enum http_error ingress_routed(struct exchange *exchange) {
    const struct route *route = &exchange->route;
    bool fits = route->mode != ROUTE_PATH ||
                (headers_set(&exchange->headers, VIEW("x-forwarded-prefix"), route->prefix) &&
                 path_mode_request(exchange));
    return fits ? HTTP_ERROR_NONE : HTTP_ERROR_HEADERS_TOO_LARGE;
}

/* ---- a request that another gateway took in ---- */

/* The ingress there has set them, or taken them away. */
static void read_route(struct exchange *exchange) {
    struct view prefix = headers_get(&exchange->headers, VIEW("x-forwarded-prefix"));
    exchange->route.mode = prefix.ptr ? ROUTE_PATH : ROUTE_SUBDOMAIN;
    exchange->route.prefix = prefix;
}

/* Where an offer to switch goes on behind the body, its length comes under a name of ours. */
static bool restore_length(struct exchange *exchange) {
    uint64_t length;
    struct view value = headers_get(&exchange->headers, VIEW(STREAM_LENGTH_FIELD));
    headers_remove(&exchange->headers, VIEW("content-length"));
    return !value.ptr || (http_content_length(value, &length) &&
                          headers_set(&exchange->headers, VIEW("content-length"), value));
}

static void read_framing(struct exchange *exchange, const struct dispatch_event *event) {
    struct gate_verdict *verdict = &exchange->verdict;
    struct view length = headers_get(&exchange->headers, VIEW("content-length"));
    verdict->is_upgrade = event->upgrade.ptr != NULL;
    verdict->expects_continue = headers_count(&exchange->headers, VIEW("expect")) > 0;
    if (!event->has_body || (verdict->is_upgrade && !length.ptr)) return;
    bool is_counted = http_content_length(length, &verdict->content_length);
    verdict->framing = is_counted ? BODY_LENGTH : BODY_CHUNKED;
}

static bool copy_event(struct exchange *exchange, const struct dispatch_event *event) {
    struct arena *arena = &exchange->arena;
    exchange->gateway = arena_copy(arena, event->gateway);
    exchange->method = arena_copy(arena, event->method);
    exchange->accept = arena_copy(arena, headers_get(event->headers, VIEW("accept")));
    exchange->verdict.host_field = arena_copy(arena, event->host);
    exchange->verdict.upgrade = arena_copy(arena, event->upgrade);
    exchange->route.tunnel_id = arena_copy(arena, event->tunnel_id);
    exchange->route.target = arena_copy(arena, event->target);
    return exchange->gateway.ptr && exchange->method.ptr && exchange->accept.ptr &&
           exchange->verdict.host_field.ptr && exchange->verdict.upgrade.ptr &&
           exchange->route.tunnel_id.ptr && exchange->route.target.ptr &&
           headers_copy(&exchange->headers, event->headers);
}

enum http_error ingress_done(struct exchange *exchange, const struct dispatch_event *event) {
    const struct http_limits *limits = &exchange->core->settings.limits;
    struct headers *headers = &exchange->headers;
    exchange->from_peer = true;
    exchange->peer_epoch = event->epoch;
    exchange->door.is_let_in = event->is_let_in;
    exchange->share.visitor = event->visitor;
    if (!copy_event(exchange, event)) return HTTP_ERROR_HEADERS_TOO_LARGE;
    if (!http_is_token(event->method) || view_eq(event->method, VIEW("CONNECT")) || event->host.len == 0 ||
        event->target.len == 0 || event->target.len > limits->target_bytes ||
        !host_is_tunnel_label(event->tunnel_id) || !gate_check_fields(headers) ||
        (event->upgrade.ptr && (!http_is_upgrade(event->upgrade) || !restore_length(exchange))))
        return HTTP_ERROR_BAD_REQUEST;
    read_framing(exchange, event);
    read_route(exchange);
    hop_strip(headers);
    hop_strip_ours(headers, (struct view){0});
    return HTTP_ERROR_NONE;
}
