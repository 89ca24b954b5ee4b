/* What a visitor's request becomes on its way to the agent, and what answers of the gateway's own look like:
 * rows of fields in and fields out, through the whole core, with the memory store and an agent of protocol
 * v1. */
#include <stdio.h>
#include <stdlib.h>

#include "cmocka_setup.h"
#include "core_setup.h"
#include "handler/core.h"
#include "store/store_memory.h"

struct world {
    struct tasks tasks;
    struct timers timers;
    struct store_memory *store;
    struct core *core;
    struct view pass_fields[1];
    char tunnel[64];
    struct v1_message *sent;
    int status;
    bool has_body, ended;
    struct buf fields, body; /* of the answer */
};

static uint64_t now_ms(void *ctx) {
    (void)ctx;
    return 1000;
}

static void agents_send(void *ctx, const struct link *link, struct view text, agent_sent_fn *done,
                        void *target, uint64_t ticket) {
    struct world *world = ctx;
    enum status status;
    (void)link, (void)done, (void)target, (void)ticket;
    v1_message_free(world->sent);
    world->sent = v1_message_parse(text, 1 << 20, &status);
    assert_non_null(world->sent);
}

static void agents_close(void *ctx, const struct link *link) {
    (void)ctx, (void)link;
}

static void settle(struct world *world) {
    while (tasks_run(&world->tasks)) continue;
}

static void on_connected(void *ctx, const struct connect_outcome *outcome) {
    assert_int_equal(outcome->status, 200);
    view_copy_to(outcome->tunnel_id, ((struct world *)ctx)->tunnel, sizeof((struct world *)ctx)->tunnel);
}

static int set_up(void **state) {
    struct world *world = calloc(1, sizeof(*world));
    struct arena arena;
    struct headers none;
    tasks_init(&world->tasks, NULL, NULL);
    timers_init(&world->timers, now_ms, NULL, world);
    world->store = store_memory_new(&world->tasks, now_ms, world);
    struct agents agents = {.ctx = world, .send = agents_send, .close = agents_close};
    struct clock clock = {.ctx = world, .wall_ms = now_ms, .timers = &world->timers, .tasks = &world->tasks};
    struct ports ports = memory_ports(world->store, &agents, &clock);
    struct core_settings settings;
    settings_of_localhost(&settings);
    world->pass_fields[0] = VIEW("x-real-ip");
    settings.pass_fields = world->pass_fields;
    settings.pass_fields_count = 1;
    world->core = core_new(&settings, &ports);
    store_memory_listen(world->store, core_store_events(world->core));
    arena_init(&arena, 4096);
    headers_init(&none, &arena);
    struct connect_event event = {
        .connection_id = VIEW("one"), .target = VIEW("/?name=demo"), .headers = &none};
    core_connect(world->core, &event, on_connected, world);
    settle(world);
    core_message(world->core, VIEW("one"), VIEW("{\"type\":\"ready\",\"capabilities\":[\"resume\"]}"), NULL,
                 NULL);
    settle(world);
    arena_done(&arena);
    buf_init(&world->fields, 4096);
    buf_init(&world->body, 65536);
    *state = world;
    return 0;
}

static int tear_down(void **state) {
    struct world *world = *state;
    store_memory_free(world->store);
    core_free(world->core);
    timers_done(&world->timers);
    v1_message_free(world->sent);
    buf_done(&world->fields);
    buf_done(&world->body);
    free(world);
    return 0;
}

/* ---- a visitor ---- */

static void append_fields(struct buf *out, const struct headers *headers) {
    for (size_t i = 0; i < headers->count; i++)
        buf_printf(out, "%.*s=%.*s;", VIEW_ARG(headers->fields[i].name), VIEW_ARG(headers->fields[i].value));
}

static void on_head(void *ctx, const struct answer_head *head) {
    struct world *world = ctx;
    world->status = head->status;
    world->has_body = head->has_body;
    append_fields(&world->fields, head->headers);
}

static void on_data(void *ctx, struct view data) {
    buf_append_view(&((struct world *)ctx)->body, data);
}

static void on_end(void *ctx, const struct headers *trailers) {
    (void)trailers;
    ((struct world *)ctx)->ended = true;
}

static void on_abort(void *ctx) {
    (void)ctx;
    fail();
}

static void on_grant(void *ctx, size_t bytes) {
    (void)ctx, (void)bytes;
}

struct request {
    const char *method, *host, *target, *fields; /* "name:value|name:value" */
    bool is_proxy;
    size_t hops;
};

static struct exchange *visit(struct world *world, const struct request *request) {
    struct arena arena;
    struct headers headers;
    struct view fields = view_from_cstr(request->fields), field;
    arena_init(&arena, 65536);
    headers_init(&headers, &arena);
    headers_add(&headers, VIEW("host"),
                view_from_cstr(request->host ? request->host : "demo.localhost:8080"));
    while (fields.len && view_split(&fields, '|', &field)) {
        size_t colon = view_find(field, ':');
        headers_add(&headers, view_slice(field, 0, colon), view_skip(field, colon + 1));
    }
    struct forward_event event = {.method = view_from_cstr(request->method ? request->method : "GET"),
                                  .target = view_from_cstr(request->target ? request->target : "/a"),
                                  .version = VIEW("HTTP/1.1"),
                                  .headers = &headers,
                                  .client = VIEW("192.0.2.1"),
                                  .scheme = VIEW("http"),
                                  .client_is_proxy = request->is_proxy,
                                  .hops = request->hops};
    world->status = 0;
    world->ended = world->has_body = false;
    buf_clear(&world->fields);
    buf_clear(&world->body);
    struct body_source source = {world, on_grant};
    struct answer_sink sink = {world, on_head, on_data, on_end, on_abort};
    struct exchange *exchange = core_forward(world->core, &event, &source, &sink, 1 << 20);
    arena_done(&arena);
    settle(world);
    return exchange;
}

/* ---- to the agent ---- */

#define FORWARDED "x-forwarded-proto=http;x-forwarded-host=demo.localhost:8080;"
static const struct {
    const char *name;
    struct request request;
    const char *fields; /* that the service gets */
} rows[] = {
    {"plain",
     {.fields = "accept:a"},
     "host=demo.localhost:8080;accept=a;x-forwarded-for=192.0.2.1;" FORWARDED},
    {"what a stranger says of himself",
     {.fields = "x-forwarded-for:6.6.6.6|forwarded:for=6.6.6.6|x-forwarded-proto:https|x-forwarded-host:evil|"
                "x-client-ip:6.6.6.6|x-original-url:/b|x_forwarded_for:6|x-forwarded-prefix:/"
                "p|x-forwarded-user:root"},
     "host=demo.localhost:8080;x-forwarded-for=192.0.2.1;" FORWARDED},
    {"what settings let pass",
     {.fields = "x-real-ip:6.6.6.6"},
     "host=demo.localhost:8080;x-real-ip=6.6.6.6;x-forwarded-for=192.0.2.1;" FORWARDED},
    {"what a proxy says",
     {.fields = "x-forwarded-for:203.0.113.7|x-forwarded-proto:https|x-forwarded-host:b.test|x-client-ip:1|"
                "x-forwarded-prefix:/p",
      .is_proxy = true},
     "host=demo.localhost:8080;x-forwarded-for=203.0.113.7, "
     "192.0.2.1;x-forwarded-proto=https;x-forwarded-host=b.test;"
     "x-client-ip=1;"},
    {"a proxy that says nothing",
     {.is_proxy = true},
     "host=demo.localhost:8080;x-forwarded-for=192.0.2.1;" FORWARDED},
    {"behind two proxies",
     {.fields = "x-forwarded-proto:https, http|x-forwarded-host:a.test, b.test", .is_proxy = true, .hops = 1},
     "host=demo.localhost:8080;x-forwarded-proto=https;x-forwarded-host=a.test;x-forwarded-for=192.0.2.1;"},
    {"hop-by-hop fields and ours",
     {.fields =
          "connection:x-a, close|x-a:1|keep-alive:5|te:trailers|x-tunnel-epoch:9|x-tunnel-id:other|x-b:2"},
     "host=demo.localhost:8080;x-b=2;x-forwarded-for=192.0.2.1;" FORWARDED},
    {"an absolute target's host",
     {.target = "http://demo.localhost:8080/a", .host = "other"},
     "host=demo.localhost:8080;x-forwarded-for=192.0.2.1;" FORWARDED},
};

static void what_the_service_gets(void **state) {
    struct world *world = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct exchange *exchange = visit(world, &rows[i].request);
        struct buf out;
        buf_init(&out, 4096);
        assert_int_equal(world->sent->type, V1_HTTP_REQUEST);
        append_fields(&out, &world->sent->headers);
        if (!view_eq(buf_view(&out), view_from_cstr(rows[i].fields)))
            fail_msg("%s: %.*s", rows[i].name, VIEW_ARG(buf_view(&out)));
        assert_true(view_eq(world->sent->uri, VIEW("/a")));
        buf_done(&out);
        exchange_cancel(exchange);
        settle(world);
    }
}

/* ---- errors of ours ---- */

#define NOT_FOUND "x-tunnel-error=tunnel_not_found;content-type="
#define GUARDED                                                                                              \
    ";cache-control=no-store;x-content-type-options=nosniff;content-security-policy=" HTTP_ERROR_CSP ";"
static const struct {
    const char *name;
    struct request request;
    int status;
    const char *fields, *body; /* what the body begins with */
} errors[] = {
    {"for programs",
     {.host = "nobody.localhost:8080"},
     404,
     NOT_FOUND "text/plain; charset=utf-8" GUARDED,
     "tunnel_not_found: "},
    {"for browsers",
     {.host = "nobody.localhost:8080", .fields = "accept:text/html"},
     404,
     NOT_FOUND "text/html; charset=utf-8" GUARDED,
     "<!doctype html>\n"},
    {"HEAD",
     {.method = "HEAD", .host = "nobody.localhost:8080"},
     404,
     NOT_FOUND "text/plain; charset=utf-8" GUARDED,
     NULL},
    {"a host that is none of ours",
     {.host = "example.com"},
     421,
     "x-tunnel-error=unknown_host;content-type=text/plain; charset=utf-8" GUARDED,
     "unknown_host: "},
    {"no request",
     {.fields = "host:b"},
     400,
     "x-tunnel-error=bad_request;content-type=text/plain; charset=utf-8" GUARDED,
     "bad_request: "},
};

static void what_errors_look_like(void **state) {
    struct world *world = *state;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        visit(world, &errors[i].request);
        assert_true(world->ended);
        if (world->status != errors[i].status ||
            !view_eq(buf_view(&world->fields), view_from_cstr(errors[i].fields)))
            fail_msg("%s: %d %.*s", errors[i].name, world->status, VIEW_ARG(buf_view(&world->fields)));
        assert_int_equal(world->has_body, errors[i].body != NULL);
        assert_true(view_starts_with(buf_view(&world->body), view_from_cstr(errors[i].body)));
        if (!errors[i].body) assert_int_equal(world->body.len, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_the_service_gets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_errors_look_like, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
