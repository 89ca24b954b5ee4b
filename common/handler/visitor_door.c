/* Asks the doorman (ports.h) whether a visitor may come in, when the rules let him (visitor_policy.c): so he
 * is not told what was for these. What he says of the visitor reaches the service, and nobody else may say
 * it; cookies between him and the visitor do not. */
#include "handler/core_state.h"
#include "policy/pass.h"

/* ---- what is his alone ---- */

/* As CGI and what comes of it (WSGI, PHP) make a variable of a name: each does so with '-', some do with all
 * that is no letter or digit. */
static char folded(char c) {
    if (c >= 'A' && c <= 'Z') return (char)(c | 0x20);
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '_';
}

/* What looks like the doorman's to some service is no visitor's to say. */
static bool is_same_name(struct view a, struct view b) {
    if (a.len != b.len) return false;
    for (size_t i = 0; i < a.len; i++)
        if (folded(a.ptr[i]) != folded(b.ptr[i])) return false;
    return true;
}

static bool is_his_field(void *ctx, const struct header *field) {
    const struct core_settings *settings = ctx;
    for (size_t i = 0; i < settings->door_fields_count; i++)
        if (is_same_name(field->name, settings->door_fields[i])) return true;
    return false;
}

static bool is_his_cookie(void *ctx, const struct header *field) {
    const struct core_settings *settings = ctx;
    if (!view_eq(field->name, VIEW("set-cookie"))) return false;
    for (size_t i = 0; i < settings->door_cookies_count; i++)
        if (cookie_is_set_as(field->value, settings->door_cookies[i])) return true;
    return false;
}

void visitor_door_answer(const struct exchange *exchange, struct headers *headers) {
    struct core *core = exchange->core;
    if (!core->ports.doorman.ask || exchange->from_peer) return;
    headers_remove_if(headers, is_his_cookie, &core->settings);
    if (exchange->door.cookies) headers_copy(headers, exchange->door.cookies);
}

/* ---- what he has said ---- */

static bool keep_cookies(struct exchange *exchange, const struct headers *cookies) {
    if (cookies->count == 0) return true;
    exchange->door.cookies = arena_alloc(&exchange->arena, sizeof(*exchange->door.cookies));
    if (!exchange->door.cookies) return false;
    headers_init(exchange->door.cookies, &exchange->arena);
    return headers_copy(exchange->door.cookies, cookies);
}

static void let_in(struct exchange *exchange, const struct door_word *word) {
    const struct core_settings *settings = &exchange->core->settings;
    headers_remove_if(&exchange->headers, is_his_field, (void *)(uintptr_t)settings);
    exchange->door.is_let_in =
        visitor_drop_cookies(exchange, settings->door_cookies, settings->door_cookies_count) &&
        headers_copy(&exchange->headers, &word->fields) && keep_cookies(exchange, &word->cookies);
    if (exchange->door.is_let_in)
        dispatch_start(exchange);
    else
        exchange_fail(exchange, HTTP_ERROR_HEADERS_TOO_LARGE);
}

/* An answer that leads elsewhere is no error. */
static enum http_error error_of(int status) {
    if (status == 401) return HTTP_ERROR_UNAUTHORIZED;
    return status == 403 ? HTTP_ERROR_FORBIDDEN : HTTP_ERROR_NONE;
}

/* It is his, as it is, and not kept by anybody. */
static void pass_on(struct exchange *exchange, const struct door_word *word) {
    struct answer_own own = {.status = word->status,
                             .body = arena_copy(&exchange->arena, word->body),
                             .error = error_of(word->status)};
    headers_init(&own.headers, &exchange->arena);
    bool ok = own.body.ptr && headers_copy(&own.headers, &word->headers) &&
              headers_set(&own.headers, VIEW("cache-control"), VIEW("no-store")) &&
              (own.error == HTTP_ERROR_NONE ||
               headers_set(&own.headers, VIEW("x-tunnel-error"), http_error_code(own.error)));
    if (ok)
        exchange_tell(exchange, &own);
    else
        exchange_fail(exchange, HTTP_ERROR_HEADERS_TOO_LARGE);
}

static void on_word(void *target, uint64_t ticket, const struct door_word *word) {
    struct exchange *exchange = exchange_find(target, ticket);
    if (!exchange || exchange->state != EXCHANGE_AT_DOOR) return;
    switch (word->says) {
    case DOOR_OPEN: let_in(exchange, word); break;
    case DOOR_SHUT: pass_on(exchange, word); break;
    case DOOR_SILENT: exchange_fail(exchange, HTTP_ERROR_AUTH_UNAVAILABLE); break;
    case DOOR_BROKEN: exchange_fail(exchange, HTTP_ERROR_AUTH_FAILED); break;
    }
}

void visitor_door_ask(struct exchange *exchange) {
    const struct doorman *doorman = &exchange->core->ports.doorman;
    struct view base = exchange_base(exchange);
    struct door_question question = {.method = exchange->method,
                                     .scheme = headers_get(&exchange->headers, VIEW("x-forwarded-proto")),
                                     .host = exchange->verdict.host_field,
                                     .target =
                                         base.len ? arena_printf(&exchange->arena, "%.*s%.*s", VIEW_ARG(base),
                                                                 VIEW_ARG(exchange->route.target))
                                                  : exchange->route.target,
                                     .address = visitor_address(exchange),
                                     .headers = &exchange->headers};
    if (!base.ptr || !question.target.ptr) {
        exchange_fail(exchange, HTTP_ERROR_HEADERS_TOO_LARGE);
        return;
    }
    exchange->state = EXCHANGE_AT_DOOR;
    if (!doorman->ask(doorman->ctx, &question, on_word, exchange->core, exchange->ticket))
        exchange_fail(exchange, HTTP_ERROR_OVERLOADED);
}
