/* See trace.h. */
#include "handler/trace.h"

#include "base/hex.h"
#include "handler/core_state.h"

#define REQUEST_BYTES 8 /* shown as 16 digits: each costs a little, on three ways */
#define TRACE_BYTES 16
#define PARENT_BYTES 8

/* ---- randomness, some requests' at a time ---- */

static void take_random(struct core *core, unsigned char *out, size_t len) {
    if (core->random_left < len) {
        core->ports.ids.random(core->random, sizeof(core->random));
        core->random_left = sizeof(core->random);
    }
    core->random_left -= len;
    memcpy(out, core->random + core->random_left, len);
}

static char *put_hex(struct core *core, char *at, size_t bytes) {
    unsigned char random[TRACE_BYTES];
    take_random(core, random, bytes);
    random[0] |= 1; /* none is all zeros */
    return hex_print(at, random, bytes);
}

/* ---- the id ---- */

bool x_request_id_is_fine(struct view id) {
    if (id.len == 0 || id.len > X_REQUEST_ID_MAX) return false;
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];
        bool is_fine = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       (c && strchr("._:+/=@~-", c));
        if (!is_fine) return false;
    }
    return true;
}

static bool give_id(struct exchange *exchange, bool client_is_proxy) {
    static const struct view name = {"x-request-id", 12};
    struct headers *headers = &exchange->headers;
    struct view said = client_is_proxy ? headers_get(headers, name) : (struct view){0};
    if (said.ptr && headers_count(headers, name) == 1 && x_request_id_is_fine(said)) {
        exchange->trace->request_id = arena_copy(&exchange->arena, said);
        return exchange->trace->request_id.ptr != NULL;
    }
    char *id = arena_alloc(&exchange->arena, 2 * REQUEST_BYTES);
    if (!id) return false;
    put_hex(exchange->core, id, REQUEST_BYTES);
    exchange->trace->request_id = view_of(id, 2 * REQUEST_BYTES);
    return headers_set(headers, name, exchange->trace->request_id);
}

/* ---- the trace ---- */

static bool is_hex(struct view text) {
    bool is_zero = true;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
        is_zero = is_zero && c == '0';
    }
    return !is_zero;
}

/* version "-" trace-id "-" parent-id "-" trace-flags; what later versions append is behind another dash. */
struct view trace_id_of(struct view text) {
    struct view trace = view_slice(text, 3, 35), version = view_slice(text, 0, 2),
                flags = view_slice(text, 53, 55);
    bool is_long = text.len > 55 && text.ptr[55] == '-' && !view_eq(version, VIEW("00"));
    if (text.len != 55 && !is_long) return (struct view){0};
    bool has_dashes = text.ptr[2] == '-' && text.ptr[35] == '-' && text.ptr[52] == '-';
    bool is_version = is_hex(version) || view_eq(version, VIEW("00"));
    bool is_flags = is_hex(flags) || view_eq(flags, VIEW("00"));
    bool is_fine = has_dashes && is_version && is_flags && !view_eq(version, VIEW("ff")) && is_hex(trace) &&
                   is_hex(view_slice(text, 36, 52));
    return is_fine ? trace : (struct view){0};
}

/* Whoever made none, or none that is one, has no state either (3.3.1). Sampled: it was asked for. */
static bool make_trace(struct exchange *exchange) {
    struct headers *headers = &exchange->headers;
    char *text = arena_alloc(&exchange->arena, 55), *at = text;
    if (!text) return false;
    memcpy(at, "00-", 3);
    at = put_hex(exchange->core, at + 3, TRACE_BYTES);
    *at++ = '-';
    at = put_hex(exchange->core, at, PARENT_BYTES);
    memcpy(at, "-01", 3);
    headers_remove(headers, VIEW("tracestate"));
    exchange->trace->id = view_of(text + 3, 2 * TRACE_BYTES);
    return headers_set(headers, VIEW("traceparent"), view_of(text, 55));
}

static bool give_trace(struct exchange *exchange) {
    static const struct view name = {"traceparent", 11};
    struct view said = headers_get(&exchange->headers, name);
    if (said.ptr && headers_count(&exchange->headers, name) == 1)
        exchange->trace->id = arena_copy(&exchange->arena, trace_id_of(said));
    bool is_made = exchange->core->settings.traces == TRACES_MADE && !exchange->trace->id.len;
    return !is_made || make_trace(exchange);
}

/* ---- both ---- */

bool trace_request(struct exchange *exchange, bool client_is_proxy) {
    const struct core_settings *settings = &exchange->core->settings;
    if (!settings->request_ids && settings->traces == TRACES_PASSED) return true;
    exchange->trace = arena_calloc(&exchange->arena, sizeof(*exchange->trace));
    if (!exchange->trace) return false;
    if (settings->request_ids && !give_id(exchange, client_is_proxy)) return false;
    return settings->traces == TRACES_PASSED || give_trace(exchange);
}

void trace_answer(const struct exchange *exchange, struct headers *headers) {
    static const struct view name = {"x-request-id", 12};
    if (exchange->trace && exchange->trace->request_id.len && !headers_get(headers, name).ptr)
        headers_add(headers, name, exchange->trace->request_id);
}
