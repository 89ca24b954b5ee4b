/* Requests that another gateway took in: what of them is believed, and whose they are. */
#include "handler/core_state.h"
#include "test_core_streams.h"

struct row {
    const char *what, *method, *upgrade, *host, *target, *fields;
    bool has_body;
    const char *record;
};

static void send_event(struct world *world, const struct row *row, struct view target,
                       struct view tunnel_id) {
    struct header list[FIELDS_MAX];
    struct headers headers;
    char text[256];
    snprintf(text, sizeof(text), "%s", row->fields);
    read_fields(text, &headers, list);
    struct dispatch_event event = {.tunnel_id = tunnel_id,
                                   .epoch = world->epoch,
                                   .gateway = VIEW(""),
                                   .method = view_from_cstr(row->method),
                                   .upgrade = row->upgrade ? view_from_cstr(row->upgrade) : (struct view){0},
                                   .host = view_from_cstr(row->host),
                                   .target = target,
                                   .headers = &headers,
                                   .has_body = row->has_body};
    struct body_source source = {world, on_grant};
    struct answer_sink sink = {world, on_head, on_data, on_end, on_abort};
    world->exchange = core_dispatch(world->core, &event, &source, &sink, 64);
    assert_non_null(world->exchange);
    settle(world);
}

static void leave(struct world *world) {
    if (world->exchange) exchange_cancel(world->exchange);
    world->exchange = NULL;
    settle(world);
    world->record_len = 0;
}

static void assert_record(struct world *world, const char *what, const char *expected) {
    world->record[world->record_len] = '\0';
    if (strcmp(world->record, expected) != 0) fail_msg("%s: %s, not %s", what, world->record, expected);
}

#define BAD "bad_request! end"

static const struct row rows[] = {
    {"a GET", "GET", NULL, "a", "/", "", false, "two:GET"},
    {"no method", "", NULL, "a", "/", "", false, BAD},
    {"no token", "G T", NULL, "a", "/", "", false, BAD},
    {"a CONNECT is none of theirs", "CONNECT", NULL, "a", "/", "", false, BAD},
    {"no host", "GET", NULL, "", "/", "", false, BAD},
    {"no target", "GET", NULL, "a", "", "", false, BAD},
    {"a field that is none", "GET", NULL, "a", "/", "a(b:c", false, BAD},
    {"an offer", "GET", "foo", "a", "/", "", false, "two:CONNECTfoo+"},
    {"an offer that is none", "GET", "f(o", "a", "/", "", false, BAD},
    {"an offer behind a body", "POST", "foo", "a", "/", "x-tunnel-content-length:5", true,
     "two:POST?foo+ grant:262144"},
    {"which says how long that is", "POST", "foo", "a", "/", "x-tunnel-content-length:x", true, BAD},
    {"an offer with a body of no length", "POST", "foo", "a", "/", "", true, "two:POST?foo+"},
    {"a body", "POST", NULL, "a", "/", "content-length:5", true, "two:POST+ grant:262144"},
    {"in chunks", "POST", NULL, "a", "/", "", true, "two:POST+ grant:262144"},
    {"that is waited for", "POST", NULL, "a", "/", "content-length:5 expect:100-continue", true, "two:POST+"},
};

static int begin(void **state) {
    set_up(state);
    play(*state, "come one, able two");
    ((struct world *)*state)->record_len = 0;
    return 0;
}

static void what_is_believed(void **state) {
    struct world *world = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        world->path = rows[i].target;
        send_event(world, &rows[i], view_from_cstr(rows[i].target), view_from_cstr(world->tunnel));
        assert_record(world, rows[i].what, rows[i].record);
        leave(world);
    }
}

static const struct row plain = {"", "GET", NULL, "a", "/", "", false, ""};

static void a_target_may_be_so_long(void **state) {
    struct world *world = *state;
    static char target[64 * 1024 + 2];
    memset(target, '/', sizeof(target) - 1);
    world->path = target;
    target[64 * 1024] = '\0';
    send_event(world, &plain, view_from_cstr(target), view_from_cstr(world->tunnel));
    assert_record(world, "long", "two:GET");
    leave(world);
    target[64 * 1024] = '/';
    send_event(world, &plain, view_from_cstr(target), view_from_cstr(world->tunnel));
    assert_record(world, "too long", BAD);
}

static void an_id_is_a_label(void **state) {
    struct world *world = *state;
    send_event(world, &plain, VIEW("/"), VIEW("a.b"));
    assert_record(world, "no label", BAD);
    leave(world);
    send_event(world, &plain, VIEW("/"), VIEW("nobody"));
    assert_record(world, "nobody's", "stale_epoch end");
}

static struct view field_of(const struct world *world, const char *name) {
    return headers_get(&world->exchange->headers, view_from_cstr(name));
}

static void what_the_agent_gets(void **state) {
    struct world *world = *state;
    struct row row = plain;
    world->path = "/";
    row.fields = "connection:x-a x-a:1 keep-alive:5 x-tunnel-epoch:9 x-b:2 accept:text/html";
    send_event(world, &row, VIEW("/"), view_from_cstr(world->tunnel));
    static const char *const gone[] = {"connection", "x-a", "keep-alive", "x-tunnel-epoch"};
    for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++) assert_null(field_of(world, gone[i]).ptr);
    assert_true(view_eq(field_of(world, "x-b"), VIEW("2")));
    assert_true(view_eq(world->exchange->accept, VIEW("text/html")));
    assert_int_equal(world->exchange->route.mode, ROUTE_SUBDOMAIN);
    assert_null(world->exchange->route.prefix.ptr);
    leave(world);
    row.fields = "x-forwarded-prefix:/app";
    send_event(world, &row, VIEW("/"), view_from_cstr(world->tunnel));
    assert_int_equal(world->exchange->route.mode, ROUTE_PATH);
    assert_true(view_eq(world->exchange->route.prefix, VIEW("/app")));
}

static void how_long_a_body_is(void **state) {
    struct world *world = *state;
    static const struct {
        const char *upgrade, *fields;
        enum body_framing framing;
        const char *length;
    } bodies[] = {
        {NULL, "content-length:7", BODY_LENGTH, "7"},
        {NULL, "", BODY_CHUNKED, NULL},
        {"foo", "content-length:9 x-tunnel-content-length:7", BODY_LENGTH, "7"},
        {"foo", "content-length:9", BODY_NONE, NULL},
    };
    world->path = "/";
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct row row = plain;
        row.method = "POST";
        row.upgrade = bodies[i].upgrade;
        row.fields = bodies[i].fields;
        row.has_body = true;
        send_event(world, &row, VIEW("/"), view_from_cstr(world->tunnel));
        const struct exchange *exchange = world->exchange;
        assert_int_equal(exchange->verdict.framing, bodies[i].framing);
        assert_int_equal(exchange->verdict.is_upgrade, bodies[i].upgrade != NULL);
        if (bodies[i].length)
            assert_true(view_eq(field_of(world, "content-length"), view_from_cstr(bodies[i].length)));
        else
            assert_null(field_of(world, "content-length").ptr);
        if (bodies[i].framing == BODY_LENGTH) assert_int_equal(exchange->verdict.content_length, 7);
        leave(world);
    }
}

/* ---- a registry that is asked, and answers later ---- */

static struct asked {
    registry_claim_fn *done;
    void *target;
    uint64_t ticket;
} asked;

static void hold(void *ctx, struct view id, registry_claim_fn *done, void *target, uint64_t ticket) {
    (void)ctx, (void)id;
    asked = (struct asked){done, target, ticket};
}

static void where_nobody_can_be_asked(void **state) {
    struct world *world = *state;
    world->core->ports.registry.lookup = hold;
    send_event(world, &plain, VIEW("/"), view_from_cstr(world->tunnel));
    asked.done(asked.target, asked.ticket, STATUS_UNAVAILABLE, NULL, VIEW(""));
    assert_record(world, "away", "overloaded retry-after end");
}

/* Whose agent it is has changed since the other gateway looked. */
static void whose_request_it_is(void **state) {
    struct world *world = *state;
    static const struct {
        const char *what, *gateway;
        enum link_protocol protocol;
        enum claim_state state;
        int epoch_off, member_epoch_off;
        const char *record;
    } claims[] = {
        {"as it was meant", "", LINK_V2, CLAIM_READY, 0, 0, "two:GET"},
        {"the name has changed since, the agent not", "", LINK_V2, CLAIM_READY, 1, 0, "two:GET"},
        {"another agent", "", LINK_V2, CLAIM_READY, 0, 1, "stale_epoch end"},
        {"another gateway's", "wss://b.test", LINK_V2, CLAIM_READY, 0, 0, "stale_epoch end"},
        {"another protocol", "", LINK_V1, CLAIM_READY, 0, 0, "stale_epoch end"},
        {"gone", "", LINK_V2, CLAIM_OFFLINE, 0, 0, "stale_epoch end"},
        {"not ready yet", "", LINK_V2, CLAIM_CONNECTING, 0, 0, ""},
        {"not known here yet", "", LINK_V2, CLAIM_READY, -1, -1, ""},
        {"another one that is not ready yet", "", LINK_V2, CLAIM_CONNECTING, 0, 1, "stale_epoch end"},
    };
    world->core->ports.registry.lookup = hold;
    world->path = "/";
    for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
        struct claim claim = {.epoch = world->epoch + (uint64_t)claims[i].epoch_off,
                              .member = {.state = claims[i].state,
                                         .epoch = world->epoch + (uint64_t)claims[i].member_epoch_off,
                                         .link = {.connection = "two", .protocol = claims[i].protocol}}};
        snprintf(claim.member.link.gateway, sizeof(claim.member.link.gateway), "%s", claims[i].gateway);
        send_event(world, &plain, VIEW("/"), view_from_cstr(world->tunnel));
        asked.done(asked.target, asked.ticket, STATUS_OK, &claim, VIEW(""));
        assert_record(world, claims[i].what, claims[i].record);
        leave(world);
    }
}

/* ---- how many a second: counted where the agent is ---- */

static void what_goes_to_another_gateway_is_counted_there(void **state) {
    struct world *world = *state;
    struct claim claim = {
        .epoch = 1, .member = {.state = CLAIM_READY, .link = {.connection = "two", .protocol = LINK_V2}}};
    static const struct {
        const char *gateway;
        bool is_counted;
    } links[] = {{"", true}, {"wss://b.test", false}};
    world->core->ports.registry.lookup = hold;
    world->core->settings.tunnel_requests_per_second = 1;
    for (size_t i = 0; i < 2; i++) {
        strcpy(claim.member.link.gateway, links[i].gateway);
        for (int n = 0; n < 2; n++) {
            step_visit(world, "GET");
            asked.done(asked.target, asked.ticket, STATUS_OK, &claim, VIEW(""));
            bool is_refused = links[i].is_counted && n == 1;
            assert_record(world, "a second", is_refused ? "rate_limited retry-after end" : "two:GET");
            leave(world);
        }
    }
}

#define WITH_WORLD(name) cmocka_unit_test_setup_teardown(name, begin, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_WORLD(what_is_believed),    WITH_WORLD(a_target_may_be_so_long),
        WITH_WORLD(an_id_is_a_label),    WITH_WORLD(what_the_agent_gets),
        WITH_WORLD(how_long_a_body_is),  WITH_WORLD(where_nobody_can_be_asked),
        WITH_WORLD(whose_request_it_is), WITH_WORLD(what_goes_to_another_gateway_is_counted_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
