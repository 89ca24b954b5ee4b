/* What other gateways ask for, between two pairs of links in memory: the asking gateway's, and the agent's.
 * The core in between is the real one, on the memory store. */
#include <stdio.h>

#include "agents/peer_protocol.h"
#include "base/ids.h"
#include "base/log.h"
#include "cluster/peer_requests.h"
#include "store/store_memory.h"
#include "test_link_pair.h"

#define HERE "ws://here"

struct world {
    struct tasks tasks;
    struct timers timers;
    uint64_t now_ms;
    struct store_memory *store;
    struct core *core;
    struct peer_requests *requests;
    struct pair peers; /* opens: the gateway that asks */
    struct pair agent; /* answers: the agent */
    char tunnel[TUNNEL_NAME_MAX + 1];
};

static uint64_t now_ms(void *ctx) {
    return ((struct world *)ctx)->now_ms;
}
static uint64_t wall_ms(void *ctx) {
    return ((struct world *)ctx)->now_ms + 1700000000000;
}

/* ---- the agents' port ---- */

static void agents_send(void *ctx, const struct link *link, struct view text, agent_sent_fn *done,
                        void *target, uint64_t ticket) {
    (void)ctx, (void)link, (void)text, (void)target, (void)ticket;
    assert_null(done);
}

static void agents_close(void *ctx, const struct link *link) {
    (void)ctx, (void)link;
}

static struct agent_stream *agents_open(void *ctx, const struct claim *claim, const struct stream_head *head,
                                        bool body_follows, const struct stream_events *events, void *target,
                                        enum status *ret_status) {
    struct world *world = ctx;
    assert_string_equal(claim->member.link.connection, "agent");
    *ret_status = STATUS_GONE;
    if (!world->agent.opens.session) return NULL;
    return (struct agent_stream *)link_open(world->agent.opens.session, head, body_follows, events, target,
                                            ret_status);
}

static struct link_stream *stream_of(struct agent_stream *stream) {
    return (struct link_stream *)stream;
}
static void agents_write(struct agent_stream *stream, struct view data) {
    link_stream_write(stream_of(stream), data);
}
static void agents_end(struct agent_stream *stream) {
    link_stream_end(stream_of(stream), NULL);
}
static void agents_consumed(struct agent_stream *stream, size_t bytes) {
    link_stream_consumed(stream_of(stream), bytes);
}
static void agents_reset(struct agent_stream *stream) {
    link_stream_reset(stream_of(stream), false);
}

/* ---- the world ---- */

/* Until nothing moves any more. */
static void settle(struct world *world) {
    bool moved = true;
    for (int i = 0; moved && i < 100000; i++) {
        moved = tasks_run(&world->tasks);
        timers_run(&world->timers);
        moved |= pair_step(&world->peers);
        moved |= pair_step(&world->agent);
        moved |= !list_empty(&world->tasks.queue);
    }
    assert_false(moved);
}

static void peer_request(void *ctx, struct link_stream *stream, const struct stream_head *head,
                         bool has_body) {
    peer_requests_take(((struct world *)ctx)->requests, stream, head, has_body);
}
static void peer_writable(void *ctx) {
    on_writable(&((struct world *)ctx)->peers.answers);
}
static void peer_control(void *ctx, struct view line) {
    (void)ctx, (void)line;
}

static void begin_peers(struct world *world) {
    struct link_limits limits = PEER_LINK_LIMITS;
    struct link_events events = {
        .ctx = world, .request = peer_request, .control = peer_control, .writable = peer_writable};
    struct side *side = &world->peers.answers;
    pair_begin(&world->peers, &limits);
    link_free(side->session);
    side->session = link_new(LINK_ANSWERS, &limits, &side->budget, &events);
    assert_non_null(side->session);
}

static void on_connected(void *ctx, const struct connect_outcome *outcome) {
    struct world *world = ctx;
    assert_int_equal(outcome->status, 200);
    assert_true(view_copy_to(outcome->tunnel_id, world->tunnel, sizeof(world->tunnel)));
}

static void connect_agent(struct world *world) {
    struct headers none = {0};
    struct connect_event event = {.connection_id = VIEW("agent"),
                                  .gateway = VIEW(HERE),
                                  .target = VIEW("/"),
                                  .headers = &none,
                                  .protocol = LINK_V2};
    core_connect(world->core, &event, on_connected, world);
    settle(world);
}

static void agent_says_ready(struct world *world) {
    core_message(world->core, VIEW("agent"), VIEW("{\"type\":\"ready\"}"), NULL, NULL);
    settle(world);
}

static int set_up(void **state) {
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    tasks_init(&world->tasks, NULL, NULL);
    timers_init(&world->timers, now_ms, NULL, world);
    world->store = store_memory_new(&world->tasks, wall_ms, world);
    struct ports ports = {
        .registry = store_memory_registry(world->store),
        .mailbox = store_memory_mailbox(world->store),
        .agents = {.ctx = world,
                   .send = agents_send,
                   .close = agents_close,
                   .open = agents_open,
                   .write = agents_write,
                   .end = agents_end,
                   .consumed = agents_consumed,
                   .reset = agents_reset},
        .clock = {.ctx = world, .wall_ms = wall_ms, .timers = &world->timers, .tasks = &world->tasks},
        .ids = {.tunnel = ids_tunnel, .random = ids_random},
    };
    struct core_settings settings;
    core_settings_init(&settings);
    world->core = core_new(&settings, &ports);
    store_memory_listen(world->store, core_store_events(world->core));
    world->requests = peer_requests_new(world->core, HERE, &world->tasks, &world->timers);
    begin_peers(world);
    pair_begin(&world->agent, NULL);
    connect_agent(world);
    *state = world;
    return 0;
}

static int tear_down(void **state) {
    struct world *world = *state;
    settle(world);
    pair_end(&world->peers);
    settle(world);
    assert_int_equal(peer_requests_count(world->requests), 0);
    assert_int_equal(core_exchange_count(world->core), 0);
    pair_end(&world->agent);
    settle(world);
    peer_requests_free(world->requests);
    store_memory_free(world->store);
    core_free(world->core);
    timers_done(&world->timers);
    free(world);
    return 0;
}

/* ---- the gateway that asks ---- */

struct asked {
    const char *method, *protocol, *tunnel, *epoch, *hop, *more, *value;
    size_t body_bytes;
};

static void add(struct headers *headers, const char *name, const char *value) {
    if (value) assert_true(headers_add(headers, view_from_cstr(name), view_from_cstr(value)));
}

static struct tap *ask(struct world *world, const struct asked *asked) {
    struct arena arena;
    struct headers headers;
    arena_init(&arena, 65536);
    headers_init(&headers, &arena);
    add(&headers, PEER_TUNNEL, asked->tunnel ? asked->tunnel : world->tunnel);
    add(&headers, PEER_EPOCH, asked->epoch ? asked->epoch : "1");
    add(&headers, PEER_HOP, asked->hop ? asked->hop : "1");
    add(&headers, "x-forwarded-for", "192.0.2.1");
    if (asked->more) add(&headers, asked->more, asked->value);
    struct stream_head head = get_head(&headers);
    if (asked->method) head.method = view_from_cstr(asked->method);
    if (asked->protocol) head.protocol = view_from_cstr(asked->protocol);
    struct tap *tap = pair_open_head(&world->peers, &head, asked->body_bytes > 0 || asked->protocol);
    tap->to_write = asked->body_bytes;
    tap_refill(tap);
    arena_done(&arena);
    settle(world);
    return tap;
}

static struct tap *agents_tap(struct world *world) {
    return last_tap(&world->agent.answers);
}

static void assert_told(const struct tap *tap, int status, const char *code) {
    assert_true(tap->headed && tap->ended);
    assert_int_equal(tap->status, status);
    struct view said = headers_get(&tap->headers, VIEW("x-tunnel-error"));
    assert_true(view_eq(said, view_from_cstr(code)));
    assert_int_equal(tap->received, 0);
}

/* ---- tests ---- */

static char last_line[1100]; /* of the log */

static void keep_line(void *ctx, enum log_level level, const char *component, struct view line) {
    (void)ctx, (void)level;
    if (strcmp(component, LOG_ACCESS) == 0) view_copy_to(line, last_line, sizeof(last_line));
}

static void a_request_and_its_answer(void **state) {
    struct world *world = *state;
    log_set_level(LOG_LEVEL_DEBUG);
    log_set_sink(keep_line, NULL);
    agent_says_ready(world);
    struct tap *tap = ask(world, &(struct asked){0}), *agent = agents_tap(world);
    assert_true(tap->done && agent->done);
    assert_int_equal(tap->status, 200);
    assert_string_equal(agent->method, "GET");
    assert_string_equal(agent->authority, "id.localhost:8080");
    assert_false(agent->has_body);
    assert_true(view_eq(headers_get(&agent->headers, VIEW("x-forwarded-for")), VIEW("192.0.2.1")));
    for (size_t i = 0; i < agent->headers.count; i++)
        assert_false(view_starts_with(agent->headers.fields[i].name, VIEW("x-tunnel-")));
    log_set_level(LOG_LEVEL_INFO);
    char expected[200];
    snprintf(expected, sizeof(expected), "- GET / 200 0ms 0B tunnel=%s error=-", world->tunnel);
    assert_string_equal(last_line, expected);
}

static void bodies_of_megabytes_both_ways(void **state) {
    struct world *world = *state;
    agent_says_ready(world);
    world->agent.answers.next.to_write = 3000000;
    struct tap *tap = ask(world, &(struct asked){.method = "POST", .body_bytes = 2000000});
    struct tap *agent = agents_tap(world);
    assert_true(tap->done && agent->done);
    assert_int_equal(agent->received, 2000000);
    assert_true(agent->hash == tap->written_hash);
    assert_int_equal(tap->received, 3000000);
    assert_true(tap->hash == agent->written_hash);
}

/* The window at the far end, the queue before it, the near window, which has grown once, and the sender's own
 * queue. */
#define BETWEEN (5 * 256 * 1024)

static void an_agent_that_does_not_read_stops_the_asker(void **state) {
    struct world *world = *state;
    agent_says_ready(world);
    world->agent.answers.next.hold = true;
    struct tap *tap = ask(world, &(struct asked){.method = "POST", .body_bytes = 20000000});
    struct tap *agent = agents_tap(world);
    assert_true(agent->received >= 65535 && agent->received <= 256 * 1024);
    assert_true(tap->written <= BETWEEN);
    size_t before = tap->written;
    settle(world);
    assert_int_equal(tap->written, before);
    while (agent->received < 20000000) {
        tap_drain(agent, agent->held);
        settle(world);
    }
    tap_drain(agent, agent->held);
    settle(world);
    assert_true(agent->hash == tap->written_hash && tap->done);
}

static void a_visitor_that_does_not_read_stops_the_agent(void **state) {
    struct world *world = *state;
    agent_says_ready(world);
    world->agent.answers.next.to_write = 20000000;
    world->peers.opens.next.hold = true;
    struct tap *tap = ask(world, &(struct asked){0}), *agent = agents_tap(world);
    assert_true(tap->received <= 256 * 1024);
    assert_true(agent->written <= BETWEEN);
    while (tap->received < 20000000) {
        tap_drain(tap, tap->held);
        settle(world);
    }
    tap_drain(tap, tap->held);
    settle(world);
    assert_true(tap->hash == agent->written_hash && tap->done && agent->done);
}

static void a_visitor_that_leaves_is_told_to_the_agent(void **state) {
    struct world *world = *state;
    agent_says_ready(world);
    world->agent.answers.next.quiet = true;
    struct tap *tap = ask(world, &(struct asked){0}), *agent = agents_tap(world);
    assert_int_equal(peer_requests_count(world->requests), 1);
    link_stream_reset(tap->stream, false);
    tap->stream = NULL;
    settle(world);
    assert_true(agent->lost);
    assert_int_equal(agent->why, STREAM_RESET);
    assert_int_equal(peer_requests_count(world->requests), 0);
}

static void the_peer_that_dies_is_told_to_the_agent(void **state) {
    struct world *world = *state;
    agent_says_ready(world);
    world->agent.answers.next.quiet = true;
    ask(world, &(struct asked){.method = "POST", .body_bytes = 100000});
    link_free(world->peers.answers.session);
    world->peers.answers.session = NULL;
    settle(world);
    assert_true(agents_tap(world)->lost);
    assert_int_equal(core_exchange_count(world->core), 0);
}

/* Whether to send it once more is the asking side's to decide. */
static void an_agent_that_is_lost(void **state) {
    struct world *world = *state;
    agent_says_ready(world);
    world->agent.answers.next.quiet = true;
    struct tap *get = ask(world, &(struct asked){0});
    struct tap *post = ask(world, &(struct asked){.method = "POST", .body_bytes = 10});
    side_close(&world->agent.opens);
    world->agent.opens.writable = false;
    settle(world);
    assert_told(get, 502, "agent_lost");
    assert_told(post, 502, "agent_lost");
    assert_told(ask(world, &(struct asked){0}), 421, "stale_epoch");
    side_close(&world->agent.answers);
}

static void an_answer_that_breaks_off_is_cut(void **state) {
    struct world *world = *state;
    agent_says_ready(world);
    world->agent.answers.next.quiet = true;
    struct tap *tap = ask(world, &(struct asked){0}), *agent = agents_tap(world);
    struct headers none = {0};
    struct stream_head head = {.status = 200, .headers = &none};
    assert_int_equal(link_stream_answer(agent->stream, &head, true), STATUS_OK);
    tap_put(agent, 4096);
    settle(world);
    assert_int_equal(tap->received, 4096);
    link_stream_reset(agent->stream, false);
    agent->stream = NULL;
    settle(world);
    assert_true(tap->lost && !tap->ended);
    assert_int_equal(tap->why, STREAM_RESET);
}

static void an_agent_that_refuses_was_not_given_it(void **state) {
    struct world *world = *state;
    agent_says_ready(world);
    world->agent.answers.refuse = true;
    assert_told(ask(world, &(struct asked){.method = "POST", .body_bytes = 400000}), 421, "stale_epoch");
}

static void what_the_asker_thinks_must_hold(void **state) {
    struct world *world = *state;
    agent_says_ready(world);
    static const struct {
        struct asked asked;
        int status;
        const char *code;
    } rows[] = {
        {{.epoch = "0"}, 421, "stale_epoch"},
        {{.tunnel = "nobodyishere"}, 421, "stale_epoch"},
        {{.hop = "2"}, 400, "bad_request"},
        {{.hop = "0"}, 400, "bad_request"},
        {{.hop = "1, 1"}, 400, "bad_request"},
        {{.hop = ""}, 400, "bad_request"},
        {{.epoch = "x"}, 400, "bad_request"},
        {{.epoch = ""}, 400, "bad_request"},
        {{.epoch = "99999999999999999999"}, 400, "bad_request"},
        {{.tunnel = ""}, 400, "bad_request"},
        {{.tunnel = "Upper"}, 400, "bad_request"},
        {{.tunnel = "a/b"}, 400, "bad_request"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_told(ask(world, &rows[i].asked), rows[i].status, rows[i].code);
    assert_int_equal(world->agent.answers.tap_count, 0);
}

/* The asking side may have heard of it before this one has. */
static void an_agent_that_is_not_ready_yet_is_waited_for(void **state) {
    struct world *world = *state;
    struct tap *tap = ask(world, &(struct asked){0});
    assert_false(tap->headed);
    agent_says_ready(world);
    assert_int_equal(tap->status, 200);
    struct tap *later = ask(world, &(struct asked){.epoch = "2"});
    assert_false(later->headed);
    world->now_ms += 6000;
    settle(world);
    assert_told(later, 502, "agent_offline");
}

static void a_claim_of_another_gateway_is_not_passed_on(void **state) {
    struct world *world = *state;
    agent_says_ready(world);
    peer_requests_free(world->requests);
    world->requests = peer_requests_new(world->core, "ws://elsewhere", &world->tasks, &world->timers);
    assert_told(ask(world, &(struct asked){0}), 421, "stale_epoch");
}

static void a_100_is_the_agents_word(void **state) {
    struct world *world = *state;
    agent_says_ready(world);
    struct asked asked = {.method = "POST", .body_bytes = 10, .more = "expect", .value = "100-continue"};
    struct tap *tap = ask(world, &asked), *agent = agents_tap(world);
    assert_int_equal(tap->informational, 0);
    assert_int_equal(agent->received, 0); /* nothing is granted before */
    assert_int_equal(link_stream_informational(agent->stream, 100), STATUS_OK);
    settle(world);
    assert_int_equal(tap->informational, 100);
    assert_int_equal(agent->received, 10);
    assert_int_equal(tap->status, 200);
}

static void an_upgrade_passes(void **state) {
    struct world *world = *state;
    agent_says_ready(world);
    world->agent.answers.next.quiet = true;
    struct tap *tap = ask(world, &(struct asked){.method = "CONNECT", .protocol = "chat"});
    struct tap *agent = agents_tap(world);
    assert_string_equal(agent->protocol, "chat");
    struct header field = {VIEW("x-tunnel-upgraded"), VIEW("1")};
    struct headers headers = {.fields = &field, .count = 1};
    struct stream_head head = {.status = 200, .headers = &headers};
    assert_int_equal(link_stream_answer(agent->stream, &head, true), STATUS_OK);
    settle(world);
    assert_int_equal(tap->status, 200);
    assert_true(view_eq(headers_get(&tap->headers, VIEW("x-tunnel-upgraded")), VIEW("1")));
    tap_say(agent, VIEW("down"));
    tap_say(tap, VIEW("up"));
    settle(world);
    assert_int_equal(tap->received, 4);
    assert_int_equal(agent->received, 2);
    link_stream_end(tap->stream, NULL);
    settle(world);
    assert_true(agent->ended && !tap->done);
    link_stream_end(agent->stream, NULL);
    settle(world);
    assert_true(tap->ended);
}

static void trailers_and_lengths_pass(void **state) {
    struct world *world = *state;
    agent_says_ready(world);
    world->agent.answers.next.quiet = true;
    struct tap *tap = ask(world, &(struct asked){.method = "GET"}), *agent = agents_tap(world);
    struct header length = {VIEW("content-length"), VIEW("4")}, sum = {VIEW("x-sum"), VIEW("7")};
    struct headers headers = {.fields = &length, .count = 1}, trailers = {.fields = &sum, .count = 1};
    trailers.bytes = 10;
    struct stream_head head = {.status = 200, .headers = &headers};
    assert_int_equal(link_stream_answer(agent->stream, &head, true), STATUS_OK);
    tap_say(agent, VIEW("body"));
    link_stream_end(agent->stream, &trailers);
    settle(world);
    assert_true(view_eq(headers_get(&tap->headers, VIEW("content-length")), VIEW("4")));
    assert_true(view_eq(headers_get(&tap->trailers, VIEW("x-sum")), VIEW("7")));

    tap = ask(world, &(struct asked){.method = "HEAD"});
    assert_int_equal(link_stream_answer(agents_tap(world)->stream, &head, false), STATUS_OK);
    settle(world);
    assert_true(tap->ended && tap->received == 0);
    assert_true(view_eq(headers_get(&tap->headers, VIEW("content-length")), VIEW("4")));
}

static void an_answer_before_the_body_is_whole(void **state) {
    struct world *world = *state;
    agent_says_ready(world);
    world->agent.answers.next.quiet = true;
    struct tap *tap = ask(world, &(struct asked){.method = "POST", .body_bytes = 20000000});
    struct headers none = {0};
    struct stream_head head = {.status = 413, .headers = &none};
    assert_int_equal(link_stream_answer(agents_tap(world)->stream, &head, false), STATUS_OK);
    settle(world);
    assert_int_equal(tap->status, 413);
    assert_true(tap->ended && tap->done);
    assert_int_equal(peer_requests_count(world->requests), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_request_and_its_answer),
        TEST(bodies_of_megabytes_both_ways),
        TEST(an_agent_that_does_not_read_stops_the_asker),
        TEST(a_visitor_that_does_not_read_stops_the_agent),
        TEST(a_visitor_that_leaves_is_told_to_the_agent),
        TEST(the_peer_that_dies_is_told_to_the_agent),
        TEST(an_agent_that_is_lost),
        TEST(an_answer_that_breaks_off_is_cut),
        TEST(an_agent_that_refuses_was_not_given_it),
        TEST(what_the_asker_thinks_must_hold),
        TEST(an_agent_that_is_not_ready_yet_is_waited_for),
        TEST(a_claim_of_another_gateway_is_not_passed_on),
        TEST(a_100_is_the_agents_word),
        TEST(an_upgrade_passes),
        TEST(trailers_and_lengths_pass),
        TEST(an_answer_before_the_body_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
