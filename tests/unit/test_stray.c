/* Requests that miss the prefix: who is asked for, in which order, how often; and what becomes of the visitor
 * meanwhile. */
#include "handler/core_state.h"
#include "test_core_streams.h"

static struct seen {
    char said[256];   /* status, error and location of the answer */
    char looked[256]; /* names that the registry was asked for */
    bool is_away;     /* the registry */
    struct registry registry;
} seen;

static void keep_head(void *ctx, const struct answer_head *head) {
    (void)ctx;
    struct view location = headers_get(head->headers, VIEW("location")), code = http_error_code(head->error);
    struct view cache = headers_get(head->headers, VIEW("cache-control"));
    struct view mode = headers_get(head->headers, VIEW("x-tunnel-routing-mode"));
    if (location.len) assert_true(view_eq(cache, VIEW("no-store")) && view_eq(mode, VIEW("path")));
    snprintf(seen.said, sizeof(seen.said), "%d%s%.*s%s%.*s", head->status, head->error ? " " : "",
             VIEW_ARG(code), location.len ? " " : "", VIEW_ARG(location));
}

static void keep_end(void *ctx, const struct headers *trailers) {
    (void)trailers;
    ((struct world *)ctx)->exchange = NULL;
}

static void keep_data(void *ctx, struct view data) {
    (void)ctx, (void)data;
}

static void keep_abort(void *ctx) {
    ((struct world *)ctx)->exchange = NULL;
    snprintf(seen.said, sizeof(seen.said), "abort");
}

/* Counts; or answers, later, that it is away. */
static registry_claim_fn *waiting;
static void *waiting_target;
static uint64_t waiting_ticket;

static void look(void *ctx, struct view id, registry_claim_fn *done, void *target, uint64_t ticket) {
    size_t len = strlen(seen.looked);
    snprintf(seen.looked + len, sizeof(seen.looked) - len, "%s%.*s", len ? " " : "", VIEW_ARG(id));
    if (seen.is_away) {
        waiting = done;
        waiting_target = target;
        waiting_ticket = ticket;
    } else {
        seen.registry.lookup(ctx, id, done, target, ticket);
    }
}

static void begin_asking(struct world *world, const char *method, const char *target, const char *fields) {
    char text[1024];
    struct header list[FIELDS_MAX];
    struct headers headers;
    snprintf(text, sizeof(text), "host:localhost:8080 %s", fields);
    read_fields(text, &headers, list);
    struct forward_event event = {.method = view_from_cstr(method),
                                  .target = view_from_cstr(target),
                                  .version = VIEW("HTTP/1.1"),
                                  .headers = &headers,
                                  .client = VIEW("192.0.2.1"),
                                  .scheme = VIEW("http")};
    struct body_source source = {world, on_grant};
    struct answer_sink sink = {world, keep_head, keep_data, keep_end, keep_abort};
    seen.said[0] = seen.looked[0] = '\0';
    world->exchange = core_forward(world->core, &event, &source, &sink, 64);
    assert_non_null(world->exchange);
    settle(world);
}

/* "?" stands for the tunnel that there is. */
static void with_tunnel(const struct world *world, const char *text, char *out, size_t size) {
    size_t len = 0;
    for (; *text; text++)
        if (*text == '?')
            len += (size_t)snprintf(out + len, size - len, "%s", world->tunnel);
        else
            out[len++] = *text;
    out[len] = '\0';
}

#define FROM(path) "referer:http://localhost:8080" path
#define KNOWN(path) "cookie:x-tunnel-path=" path
#define PAGE "sec-fetch-mode:navigate"

/* Said: "" is an answer of the tunnel's agent, which was asked for `served`. */
static const struct row {
    const char *method, *target, *fields, *looked, *said, *served;
} rows[] = {
    {"GET", "/?/a", "", "?", "", "/a"},
    {"GET", "/?/a", FROM("/?/x"), "?", "", "/a"},
    {"GET", "/?/a", KNOWN("/?"), "?", "", "/a"},
    {"GET", "/?/a", KNOWN("/other"), "?", "", "/a"},
    {"GET", "/?/a", FROM("/gone/x") " " KNOWN("/other"), "gone ?", "", "/a"},
    {"GET", "/a", FROM("/?/x"), "?", "", "/a"},
    {"POST", "/a", FROM("/?/x") " " PAGE, "?", "", "/a"},
    {"GET", "/a", FROM("/?/x") " " PAGE, "?", "307 /?/a%b", ""},
    {"GET", "/a", FROM("/?/x") " accept:text/html", "?", "307 /?/a%b", ""},
    {"GET", "/a", FROM("/?/x") " accept:text/html sec-fetch-mode:cors", "?", "", "/a"},
    {"GET", "/login/a", FROM("/?/x"), "?", "", "/login/a"},
    {"GET", "/login/a", KNOWN("/?"), "login ?", "", "/login/a"},
    {"GET", "/login/a", FROM("/static/x") " " KNOWN("/?"), "static login ?", "", "/login/a"},
    {"GET", "/login/a", FROM("/static/x"), "static login", "404 tunnel_not_found", ""},
    {"GET", "/login/a", KNOWN("/login"), "login", "404 tunnel_not_found", ""},
    {"GET", "/A", FROM("/static/x"), "static", "404 tunnel_not_found", ""},
    {"GET", "/A", "", "", "404 tunnel_not_found", ""},
    {"GET", "/A", FROM("/?"), "", "404 tunnel_not_found", ""},
    {"GET", "/A", FROM("/?/x") " sec-fetch-dest:serviceworker", "", "404 tunnel_not_found", ""},
    {"GET", "/A", FROM("/?/x") " service-worker:script", "", "404 tunnel_not_found", ""},
    {"GET", "/?", "", "?", "308 /?/%b", ""},
    {"POST", "/?", FROM("/?/x"), "?", "308 /?/%b", ""},
    {"GET", "/login", "", "login", "404 tunnel_not_found", ""},
    {"GET", "/login", FROM("/?/x"), "?", "", "/login"},
    {"GET", "/login", FROM("/?/x") " " PAGE, "?", "307 /?/login%b", ""},
    {"GET", "/../a", FROM("/?/x"), "?", "400 bad_request", ""},
    {"GET", "/?/../a", FROM("/other/x"), "", "400 bad_request", ""},
};

static void expand(const struct world *world, const char *text, char *out, size_t size) {
    char spread[256];
    with_tunnel(world, text, spread, sizeof(spread));
    char *query = strstr(spread, "%b");
    if (query) *query = '\0';
    snprintf(out, size, "%s%s", spread, query ? "?b=%2F" : "");
}

static void check_row(struct world *world, const struct row *row) {
    char target[256], fields[512], looked[256], said[512], served[256];
    with_tunnel(world, row->target, target, sizeof(target));
    with_tunnel(world, row->fields, fields, sizeof(fields));
    with_tunnel(world, row->looked, looked, sizeof(looked));
    expand(world, row->said, said, sizeof(said));
    strcat(target, "?b=%2F");
    with_tunnel(world, row->served, served, sizeof(served));
    strcat(served, "?b=%2F");
    world->stream_count = 0;
    world->path = served;
    begin_asking(world, row->method, target, fields);
    bool is_served = world->stream != NULL;
    if (strcmp(seen.looked, looked) != 0 || strcmp(seen.said, said) != 0 || is_served != !*said)
        fail_msg("%s %s %s: looked for \"%s\", said \"%s\", %s", row->method, target, fields, seen.looked,
                 seen.said, is_served ? "served" : "not served");
    if (world->exchange) exchange_cancel(world->exchange);
    world->exchange = NULL;
    settle(world);
}

static void each_row(void **state) {
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) check_row(*state, &rows[i]);
}

static void where_nobody_can_be_asked_it_is_not_the_visitors_fault(void **state) {
    struct world *world = *state;
    seen.is_away = true;
    begin_asking(world, "GET", "/a", "referer:http://localhost:8080/abc/");
    assert_string_equal(seen.said, "");
    waiting(waiting_target, waiting_ticket, STATUS_UNAVAILABLE, NULL, VIEW(""));
    assert_string_equal(seen.said, "503 overloaded");
    assert_null(world->exchange);
}

static void a_visitor_who_leaves_while_it_is_looked_for(void **state) {
    struct world *world = *state;
    seen.is_away = true;
    begin_asking(world, "GET", "/a", "referer:http://localhost:8080/abc/");
    exchange_cancel(world->exchange);
    world->exchange = NULL;
    waiting(waiting_target, waiting_ticket, STATUS_NOT_FOUND, NULL, VIEW(""));
    assert_string_equal(seen.said, "");
    assert_int_equal(core_exchange_count(world->core), 0);
}

static void a_host_whose_time_is_up_while_it_is_looked_for(void **state) {
    struct world *world = *state;
    seen.is_away = true;
    begin_asking(world, "GET", "/a", "referer:http://localhost:8080/abc/");
    exchange_expire(world->exchange);
    assert_string_equal(seen.said, "504 timeout");
    waiting(waiting_target, waiting_ticket, STATUS_NOT_FOUND, NULL, VIEW(""));
}

static int begin(void **state) {
    set_up(state);
    struct world *world = *state;
    step_come(world, "one");
    settle(world);
    seen = (struct seen){.registry = world->core->ports.registry};
    world->core->ports.registry.lookup = look;
    world->is_quiet = true;
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_row, begin, tear_down),
        cmocka_unit_test_setup_teardown(where_nobody_can_be_asked_it_is_not_the_visitors_fault, begin,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_visitor_who_leaves_while_it_is_looked_for, begin, tear_down),
        cmocka_unit_test_setup_teardown(a_host_whose_time_is_up_while_it_is_looked_for, begin, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
