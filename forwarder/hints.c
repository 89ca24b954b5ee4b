/* See hints.h. */
#include "hints.h"

#include <stdlib.h>

#define ARENA_MAX ((size_t)256 * 1024)

struct second_try {
    struct hints *hints;
    struct local_request *request;
    struct arena arena;
};

enum matter { MATTER_HOST, MATTER_TLS };

static const struct sign {
    const char *text;
    enum matter matter;
} signs[] = {
    {"Blocked request. This host", MATTER_HOST}, /* Vite */
    {"Invalid Host header", MATTER_HOST},        /* webpack-dev-server */
    {"Invalid HTTP_HOST header", MATTER_HOST},   /* Django */
    {"DisallowedHost", MATTER_HOST},             /* Django, in debug mode */
    {"CSRF verification failed", MATTER_HOST},   /* Django, with https in front */
    {"Origin checking failed", MATTER_HOST},
    {"Blocked hosts", MATTER_HOST}, /* Rails */
    {"Blocked host", MATTER_HOST},
    {"Blocking request with non-local", MATTER_HOST},             /* Jupyter */
    {"plain HTTP request was sent to HTTPS port", MATTER_TLS},    /* nginx */
    {"sent an HTTP request to an HTTPS server", MATTER_TLS},      /* Go */
    {"speaking plain HTTP to an SSL-enabled server", MATTER_TLS}, /* Apache */
    {"combination of host and port requires TLS", MATTER_TLS},    /* Tomcat */
};

/* What Next's development server answers to parts of itself that are asked for under another host: this
 * alone, and to a WebSocket even without a head. */
static const struct view next_refusal = {"Unauthorized", 12};

void hints_init(struct hints *hints, struct console *console, const char *label,
                const struct host_field *host_field, bool off) {
    *hints = (struct hints){.console = console, .label = label, .host_field = host_field, .off = off};
}

static void try_free(struct second_try *try) {
    try->hints->running = NULL;
    arena_done(&try->arena);
    free(try);
}

void hints_done(struct hints *hints) {
    if (hints->running) try_free(hints->running);
}

static bool wants_host(const struct hints *hints) {
    return !hints->off && !hints->said_host && hints->host_field->preserve;
}

static void say_host(struct hints *hints, const char *why) {
    if (!wants_host(hints)) return;
    hints->said_host = true;
    console_hint(hints->console, hints->label, "the local service %s; start ttf with --host-header rewrite",
                 why);
}

static void say_tls(struct hints *hints, const char *hint) {
    if (hints->off || hints->said_tls) return;
    hints->said_tls = true;
    console_hint(hints->console, hints->label, "%s", hint);
}

#define REFUSES "refuses a host name that it does not know"
#define WANTS_TLS "the local service speaks https; start ttf with --local-https"

static bool contains(struct view text, struct view part) {
    return text.len >= part.len && memmem(text.ptr, text.len, part.ptr, part.len) != NULL;
}

void hints_read(struct hints *hints, int status, struct view body) {
    if (!wants_host(hints) && (hints->off || hints->said_tls)) return;
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        if (!contains(body, view_from_cstr(signs[i].text))) continue;
        if (signs[i].matter == MATTER_HOST)
            say_host(hints, REFUSES);
        else
            say_tls(hints, WANTS_TLS);
        return;
    }
    if (status == 403 && view_eq(body, next_refusal)) say_host(hints, REFUSES);
}

/* ---- the second try ---- */

static void on_head(void *ctx, int status, const struct headers *headers) {
    (void)headers;
    struct second_try *try = ctx;
    if (status >= 200 && status < 400)
        say_host(try->hints, "answers the same request when it bears its own host name");
    local_request_cancel(try->request);
    try_free(try);
}

static void on_data(void *ctx, struct view data) {
    (void)ctx;
    (void)data; /* never: it ends with its head */
}

static void on_end(void *ctx, enum local_error error, const char *detail) {
    (void)error;
    (void)detail;
    try_free(ctx);
}

static struct second_try *try_new(struct hints *hints) {
    struct second_try *try = calloc(1, sizeof(*try));
    if (!try) return NULL;
    try->hints = hints;
    arena_init(&try->arena, ARENA_MAX);
    hints->running = try;
    return try;
}

static bool try_start(struct second_try *try, struct local_client *client,
                      const struct hints_request *request) {
    static const struct local_events events = {.on_head = on_head, .on_data = on_data, .on_end = on_end};
    struct headers headers;
    struct visitor visitor;
    struct host_field own;
    headers_init(&headers, &try->arena);
    host_field_own(try->hints->host_field, &own);
    if (!headers_copy(&headers, request->headers) ||
        !host_field_apply(&own, &headers, (struct view){0}, &visitor))
        return false;
    struct local_head head = {
        .method = VIEW("GET"), .target = request->target, .headers = &headers, .body_bytes = LOCAL_BODY_NONE};
    try->request = local_request_start(client, &head, &events, try);
    return try->request != NULL;
}

static unsigned bit_of(int status) {
    switch (status) {
    case 400: return 1;
    case 403: return 2;
    case 421: return 4;
    default: return 0;
    }
}

void hints_on_refusal(struct hints *hints, struct local_client *client, const struct hints_request *request,
                      int status) {
    unsigned bit = bit_of(status);
    struct view host = headers_get(request->headers, VIEW("host"));
    if (!bit || (hints->tried & bit) || hints->running || !wants_host(hints)) return;
    if (view_eq(host, view_from_cstr(hints->host_field->authority))) return; /* it had it */
    hints->tried |= bit;
    struct second_try *try = try_new(hints);
    if (try && !try_start(try, client, request)) try_free(try);
}

/* ---- failures ---- */

void hints_on_failure(struct hints *hints, const struct local_client *client, const char *detail) {
    switch (local_client_clue(client)) {
    case LOCAL_CLUE_NONE: break;
    case LOCAL_CLUE_SPEAKS_TLS: say_tls(hints, WANTS_TLS); break;
    case LOCAL_CLUE_SILENT:
        say_tls(hints,
                "the local service closes connections without an answer; if it speaks https, start ttf "
                "with --local-https");
        break;
    case LOCAL_CLUE_NO_TLS:
        say_tls(hints, "the local service does not seem to speak https; start ttf without --local-https");
        break;
    }
    if (contains(view_from_cstr(detail), next_refusal)) say_host(hints, REFUSES);
}
