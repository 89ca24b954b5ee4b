/* Stream delivery (protocol v2) from both of its ends. Each row is a script of what happens, and the record
 * of all that came of it at the agent and at the visitor. */
#include "test_core_streams.h"

#include "handler/core_state.h"

/* ---- rows: "come one" goes before each ---- */

struct row {
    const char *what, *script, *record;
};

static const struct row answers[] = {
    {"a GET", "visit GET, head 200, data 5, end", "one:GET 200 data:5 end reset"},
    {"its length", "visit GET, head 200 content-length:5, data 5, end", "one:GET 200/5 data:5 end reset"},
    {"what has drained is consumed, and nothing else",
     "visit GET, head 200, data 100, drain 60, data 7, drain 47",
     "one:GET 200 data:100 consumed:60 data:7 consumed:47"},
    {"more than was given cannot drain", "visit GET, head 200, data 100, drain 150, data 100, drain 10",
     "one:GET 200 data:100 consumed:100 data:100 consumed:10"},
    {"the link's windows are the bound", "visit GET, head 200, data 70000", "one:GET 200 data:70000"},
    {"HEAD: its length passes, a body does not", "visit HEAD, head 200 content-length:9, data 9, data 1, end",
     "one:HEAD 200/9- consumed:9 consumed:1 end reset"},
    {"204", "visit GET, head 204, data 3, end", "one:GET 204- consumed:3 end reset"},
    {"304", "visit GET, head 304 content-length:9, end", "one:GET 304/9- end reset"},
    {"cookies in a head", "visit GET, head 200 set-cookie:a, end", "one:GET 200 set-cookie end reset"},
    {"hop-by-hop fields and ours",
     "visit GET, head 200 connection:close x-tunnel-rewrite:1 x-tunnel-epoch:1, end",
     "one:GET 200 end reset"},
    {"words of the agent to the gateway where the visitor is",
     "visit GET, head 200 x-tunnel-service:s x-tunnel-rewrite:on, end", "one:GET 200 end reset"},
    {"are passed on to that", "peer GET, head 200 x-tunnel-service:s x-tunnel-rewrite:on, end",
     "one:GET 200 x-tunnel-service x-tunnel-rewrite end reset"},
    {"an error in answer to HEAD", "visit HEAD, lost reset", "one:HEAD bad_response- end"},
    {"no answer", "visit GET, head 199", "one:GET bad_response end reset"},
    {"no field", "visit GET, head 200 a(b:c", "one:GET bad_response end reset"},
    {"trailers", "visit GET, head 200, end x-sum:1 server-timing:2",
     "one:GET 200 end x-sum server-timing reset"},
    {"what they say of the body, where it passes as it is",
     "visit GET, head 200, end digest:a content-md5:b x-sum:1",
     "one:GET 200 end digest content-md5 x-sum reset"},
    {"fields that are no trailers",
     "visit GET, head 200, end set-cookie:a content-length:9 content-type:b content-encoding:c "
     "content-range:d "
     "host:e location:f authorization:g x-sum:1",
     "one:GET 200 end x-sum reset"},
    {"hop-by-hop fields and ours as trailers",
     "visit GET, head 200, end connection:x-a x-a:1 transfer-encoding:chunked x-tunnel-error:timeout x-b:2",
     "one:GET 200 end x-b reset"},
    {"an answer that is cut", "visit GET, head 200, data 5, lost lost", "one:GET 200 data:5 abort"},
    {"one that the agent cuts", "visit GET, head 200, data 5, lost reset", "one:GET 200 data:5 abort"},
    {"a visitor who leaves", "visit GET, head 200, cancel", "one:GET 200 reset"},
    {"a visitor who leaves before", "visit GET, cancel", "one:GET reset"},
    {"a host that is out of time", "visit GET, expire", "one:GET timeout end reset"},
    {"and that within a body", "visit GET, head 200, expire", "one:GET 200 abort reset"},
};

static const struct row bodies[] = {
    {"granted as the agent takes it", "visit POST length, body 1000, sent 600, sent 400",
     "one:POST+ grant:262144 write:1000 grant:600 grant:400"},
    {"whole", "visit POST chunked, body 5, fin, sent 5, head 200, end",
     "one:POST+ grant:262144 write:5 fin 200 end reset"},
    {"an answer before it is whole closes", "visit POST length, body 5, head 200, end",
     "one:POST+ grant:262144 write:5 200! end reset"},
    {"both at once", "visit POST length, head 200, data 7, body 5, fin, drain 7, end",
     "one:POST+ grant:262144 200! data:7 write:5 fin consumed:7 end reset"},
    {"the service's 100", "visit POST length expect, informational 100, informational 100, body 5",
     "one:POST+ grant:262144 write:5"},
    {"not another one", "visit POST length expect, informational 103", "one:POST+"},
    {"nor one that nobody waits for", "visit GET, informational 100", "one:GET"},
    {"a refusal without it", "visit POST length expect, head 417, end", "one:POST+ 417! end reset"},
    {"an upgrade: granted when it has switched",
     "visit GET upgrade, fin, head 200 x-tunnel-upgraded:1 sec-websocket-accept:x, body 5, sent 5, data 3, "
     "drain 3, "
     "fin, end",
     "one:CONNECTfoo+ 101foo! grant:262144 write:5 grant:5 data:3 consumed:3 fin end reset"},
    {"what is not for the visitor",
     "visit GET upgrade, head 200 x-tunnel-upgraded:1 connection:x-a content-length:3 x-tunnel-epoch:1",
     "one:CONNECTfoo+ 101foo! grant:262144"},
    {"an upgrade that the service declines", "visit GET upgrade, head 404, data 3, end",
     "one:CONNECTfoo+ 404 data:3 end reset"},
    {"nobody else switches", "visit GET, head 200 x-tunnel-upgraded:1, end", "one:GET 200 end reset"},
};

static const struct row offers[] = {
    {"as a CONNECT", "visit GET upgrade", "one:CONNECTfoo+"},
    {"not with a body in chunks", "able two, visit POST chunked upgrade", "close:one two:POST+ grant:262144"},
    {"not at all, to an agent of before",
     "visit POST length upgrade, body 5, fin, head 200 x-tunnel-upgraded:1, end",
     "one:POST+ grant:262144 write:5 fin 200 end reset"},
    {"as it is", "able two, visit POST length upgrade, body 5, head 200, end",
     "close:one two:POST?foo+ grant:262144 write:5 200! end reset"},
    {"the stream stays open behind the body",
     "able two, visit POST length upgrade, body 5, fin, head 200, end",
     "close:one two:POST?foo+ grant:262144 write:5 200 end reset"},
    {"which has its deadline",
     "able two, visit POST length upgrade, body 5, pass 29999, fin, pass 24999, pass 1",
     "close:one two:POST?foo+ grant:262144 write:5 ~ ~ ~ timeout end reset"},
    {"and goes on as what was switched to",
     "able two, visit POST length upgrade, body 5, fin, head 200 x-tunnel-upgraded:1 x-tunnel-upgrade:bar, "
     "sent 5, "
     "body 3, data 4, fin, end",
     "close:one two:POST?foo+ grant:262144 write:5 101bar! grant:5 write:3 data:4 fin end reset"},
    {"sent again", "able two, visit POST length upgrade, body 5, fin, leave, lost unprocessed, able three",
     "close:one two:POST?foo+ grant:262144 write:5 three:POST?foo+ write:5"},
    {"sent again without",
     "able two, visit POST length upgrade, body 5, fin, leave, lost unprocessed, come three",
     "close:one two:POST?foo+ grant:262144 write:5 three:POST+ write:5 fin"},
    {"and by v1", "old two, visit POST length upgrade, body 5, fin", "close:one grant:2097153 two<POST/5"},
    {"also a WebSocket's", "old two, visit GET upgrade websocket", "close:one two<GET/0"},
};

static const struct row again[] = {
    {"kept, and sent again", "visit POST length, body 1000, body 7, leave, lost unprocessed, come two",
     "one:POST+ grant:262144 write:1000 write:7 two:POST+ write:1007"},
    {"with its end", "visit POST chunked, body 5, fin, leave, lost unprocessed, come two, head 200, end",
     "one:POST+ grant:262144 write:5 fin two:POST+ write:5 fin 200 end reset"},
    {"with what comes in between",
     "visit POST chunked, body 5, leave, lost unprocessed, body 4, fin, come two, head 200, end",
     "one:POST+ grant:262144 write:5 two:POST+ write:9 fin 200 end reset"},
    {"and what comes then",
     "visit POST chunked, body 5, leave, lost unprocessed, come two, sent 5, body 3, fin",
     "one:POST+ grant:262144 write:5 two:POST+ write:5 grant:5 write:3 fin"},
    {"what was granted is not granted again",
     "visit POST chunked, body 5, sent 5, leave, lost unprocessed, come two, sent 5, body 3, sent 3",
     "one:POST+ grant:262144 write:5 grant:5 two:POST+ write:5 write:3 grant:3"},
    {"an empty one", "visit POST chunked, fin, leave, lost unprocessed, come two",
     "one:POST+ grant:262144 fin two:POST+ fin"},
    {"as much as may have come before the agent takes anything",
     "visit POST length, body 262144, sent 262144, body 262144, leave, lost unprocessed, come two",
     "one:POST+ grant:262144 write:262144 grant:262144 write:262144 two:POST+ write:524288"},
    {"no more than that",
     "visit POST length, body 262144, sent 262144, body 262144, sent 1, body 1, leave, lost unprocessed",
     "one:POST+ grant:262144 write:262144 grant:262144 write:262144 grant:1 write:1 agent_lost! end"},
    {"a GET whose body was not kept is not sent again cut short",
     "visit GET length, body 262144, sent 262144, body 262144, sent 1, body 1, leave, lost lost, come two",
     "one:GET+ grant:262144 write:262144 grant:262144 write:262144 grant:1 write:1 agent_lost! end"},
    {"a GET, once", "visit GET, leave, lost lost, come two, head 200, end", "one:GET two:GET 200 end reset"},
    {"a GET, not twice", "visit GET, leave, lost lost, come two, leave, lost lost, come three",
     "one:GET two:GET agent_lost end"},
    {"what an agent may have had is lost with the next that it did not reach",
     "visit GET, leave, lost lost, come two, leave, lost unprocessed, pass 5000",
     "one:GET two:GET ~ agent_lost end"},
    {"what no agent had finds none", "visit GET, leave, lost unprocessed, pass 4999, pass 1",
     "one:GET ~ ~ agent_offline end"},
    {"not by the agent that lost it", "visit GET, lost lost, pass 5000", "one:GET ~ agent_lost end"},
    {"a POST is not", "visit POST length, leave, lost lost", "one:POST+ grant:262144 agent_lost! end"},
    {"an upgrade that may have been seen is not", "visit GET upgrade, leave, lost lost",
     "one:CONNECTfoo+ agent_lost end"},
    {"one that was not is", "visit GET upgrade, leave, lost unprocessed, come two",
     "one:CONNECTfoo+ two:CONNECTfoo+"},
    {"severed: by the same agent", "visit GET, lost severed, head 200, end", "one:GET one:GET 200 end reset"},
    {"severed twice", "visit GET, lost severed, lost severed", "one:GET one:GET agent_lost end"},
    {"a severed POST", "visit POST length, lost severed", "one:POST+ grant:262144 agent_lost! end"},
    {"unreached: by the same agent",
     "visit POST length, body 5, lost unreached, pass 4999, lost unreached, head 200",
     "one:POST+ grant:262144 write:5 one:POST+ write:5 ~ one:POST+ write:5 200!"},
    {"unreached for the grace",
     "visit GET, pass 1000, lost unreached, pass 4999, lost unreached, pass 1, lost unreached",
     "one:GET ~ one:GET ~ one:GET ~ agent_offline end"},
    {"unreached, then unprocessed: the grace begins anew",
     "visit GET, lost unreached, pass 4000, leave, lost unprocessed, come two, pass 4000, lost unreached, "
     "head 200",
     "one:GET one:GET ~ two:GET ~ two:GET 200"},
    {"severed, then unreached", "visit GET, lost severed, lost unreached, pass 5000, lost unreached",
     "one:GET one:GET one:GET ~ agent_lost end"},
    {"reset: the service's fault", "visit GET, lost reset", "one:GET bad_response end"},
    {"a HEAD is told without a body", "visit HEAD, lost reset", "one:HEAD bad_response- end"},
    {"broken: likewise", "visit GET, lost broken", "one:GET bad_response end"},
    {"the agent's connection has just ended", "refuse gone, visit GET, come two", "close:one two:GET"},
    {"the agent takes no more", "refuse unavailable, visit GET, come two", "close:one two:GET"},
    {"the agent has too many", "refuse overloaded, visit GET", "overloaded retry-after end"},
    {"an agent that is not ready yet", "connect two, visit GET, ready", "close:one two:GET"},
    {"by an agent of v1, what is kept is not granted again",
     "visit POST chunked, body 5, leave, lost unprocessed, old two, body 4, fin",
     "one:POST+ grant:262144 write:5 grant:1835009 two<POST/9"},
    {"by an agent of v2 after one of v1", "old two, visit GET, leave, come three, head 200, end",
     "close:one two<GET/0 three:GET 200 end reset"},
    {"an agent that was taken over ends with its last stream", "visit GET, come two, head 200, data 5, end",
     "one:GET 200 data:5 end reset close:one"},
};

static const struct row errors[] = {
    {"the agent's own", "visit GET, head 504 x-tunnel-error:timeout", "one:GET timeout end reset"},
    {"one that ends the visitor's connection", "visit GET, head 400 x-tunnel-error:bad_request",
     "one:GET bad_request! end reset"},
    {"unknown to us", "visit GET, head 500 x-tunnel-error:strange", "one:GET bad_response end reset"},
    {"of a gateway that means another agent",
     "visit POST length, body 5, head 502 x-tunnel-error:stale_epoch, come two",
     "one:POST+ grant:262144 write:5 reset close:one two:POST+ write:5"},
    {"of a gateway that lost it", "visit GET, head 502 x-tunnel-error:agent_lost, come two",
     "one:GET reset close:one two:GET"},
    {"of a gateway that lost a POST", "visit POST length, head 502 x-tunnel-error:agent_lost",
     "one:POST+ grant:262144 reset agent_lost! end"},
};

static const struct row deadlines[] = {
    {"no answer", "visit GET, pass 24999, pass 1", "one:GET ~ ~ timeout end reset"},
    {"from the request's end", "visit POST length, pass 24999, body 5, pass 299999, fin, pass 24999, pass 1",
     "one:POST+ grant:262144 ~ write:5 ~ fin ~ ~ timeout end reset"},
    {"a body that stalls", "visit POST length, body 5, pass 300000",
     "one:POST+ grant:262144 write:5 ~ timeout! end reset"},
    {"an answer that stalls",
     "visit GET, head 200, pass 299999, data 5, pass 299999, drain 5, pass 299999, pass 1",
     "one:GET 200 ~ data:5 ~ consumed:5 ~ ~ abort reset"},
    {"one whose body never begins", "visit GET, head 200, pass 299999, pass 1",
     "one:GET 200 ~ ~ abort reset"},
    {"events may be silent",
     "visit GET, head 200 content-type:text/event-stream;charset=utf-8, data 5, pass 9000000, data 5",
     "one:GET 200 data:5 ~ data:5"},
    {"what is switched may be", "visit GET upgrade, head 200 x-tunnel-upgraded:1, pass 9000000, body 5",
     "one:CONNECTfoo+ 101foo! grant:262144 ~ write:5"},
};

static const struct row peers[] = {
    {"a peer's request", "peer GET, head 200, data 5, end", "one:GET 200 data:5 end reset"},
    {"for an agent that has gone on", "come two, peer GET old", "close:one stale_epoch end"},
    {"for one that we have not heard of", "peer GET next, come two", "close:one two:GET"},
    {"for an agent of v1", "old two, peer GET", "close:one stale_epoch end"},
    {"that never comes", "peer GET next, pass 5000", "~ agent_offline end"},
    {"for one that has gone", "leave, peer GET", "stale_epoch end"},
    {"for one that is not ready", "connect two, peer GET, ready", "close:one two:GET"},
    {"that did not reach its agent", "peer GET, leave, lost unprocessed", "one:GET stale_epoch end"},
    {"that found it gone", "refuse gone, peer GET", "stale_epoch end"},
    {"that may have reached it", "peer GET, leave, lost lost, come two", "one:GET agent_lost end"},
    {"whose way broke", "peer GET, lost severed", "one:GET agent_lost end"},
    {"that no way led to its agent", "peer GET, lost unreached", "one:GET agent_lost end"},
    {"its body is not kept", "peer POST chunked, body 600000, lost unprocessed",
     "one:POST+ grant:262144 write:600000 stale_epoch! end"},
};

static void play_rows(const struct row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        void *state;
        set_up(&state);
        struct world *world = state;
        run_step(world, "come one");
        play(world, rows[i].script);
        world->record[world->record_len] = '\0';
        if (strcmp(world->record, rows[i].record) != 0) print_error("%s: %s\n", rows[i].what, rows[i].script);
        assert_string_equal(world->record, rows[i].record);
        tear_down(&state);
    }
}

#define ROWS(name)                                                                                           \
    static void test_##name(void **state) {                                                                  \
        (void)state;                                                                                         \
        play_rows(name, sizeof(name) / sizeof(name[0]));                                                     \
    }
ROWS(answers)
ROWS(bodies)
ROWS(offers)
ROWS(again)
ROWS(errors)
ROWS(deadlines)
ROWS(peers)

/* ---- many at once ---- */

static struct exchange *visit_quietly(struct world *world, const char *request) {
    size_t opened = world->stream_count;
    world->is_quiet = true;
    step_visit(world, request);
    settle(world);
    assert_true(world->stream_count == opened + 1 || world->is_error);
    return world->exchange;
}

/* An event stream shows what it is only by its head, and is one of the long-lived from then on. */
static void test_events_do_not_count_among_ordinary_requests(void **state) {
    struct world *world = *state;
    struct exchange *all[257 + 256];
    size_t count = 0;
    run_step(world, "come one");
    while (count < 257) {
        all[count++] = visit_quietly(world, "GET");
        run_step(world, "head 200 content-type:text/event-stream");
    }
    while (count < 257 + 256) all[count++] = visit_quietly(world, "GET");
    assert_false(world->is_error);
    assert_null(visit_quietly(world, "GET"));
    assert_true(world->is_error);
    for (size_t i = 0; i < count; i++) exchange_cancel(all[i]);
}

static void test_websockets_have_a_bound_of_their_own(void **state) {
    struct world *world = *state;
    struct exchange *all[4096];
    run_step(world, "come one");
    for (size_t i = 0; i < 4096; i++) all[i] = visit_quietly(world, "GET upgrade websocket");
    assert_false(world->is_error);
    assert_null(visit_quietly(world, "GET upgrade websocket"));
    assert_true(world->is_error);
    for (size_t i = 0; i < 4096; i++) exchange_cancel(all[i]);
    world->is_error = false;
    exchange_cancel(visit_quietly(world, "GET upgrade websocket"));
    assert_false(world->is_error);
    world->exchange = NULL;
}

/* What is kept of a request's body is let go of when nothing can be sent again. */
static void test_a_body_is_not_kept_for_nothing(void **state) {
    struct world *world = *state;
    play(world, "come one, visit POST chunked, body 5");
    assert_int_equal(world->exchange->body.len, 5);
    play(world, "head 200");
    assert_int_equal(world->exchange->body.len, 0);
    play(world, "body 7");
    assert_int_equal(world->exchange->body.len, 0);
    world->handed = 0;
    play(world, "cancel, visit POST chunked, body 262144, sent 262144, body 262144, sent 1");
    assert_int_equal(world->exchange->body.len, 524288);
    play(world, "body 1");
    assert_int_equal(world->exchange->body.len, 0);
    world->handed = 0;
    play(world, "cancel, peer POST chunked, body 5");
    assert_int_equal(world->exchange->body.len, 0);
}

static void test_what_is_switched_lives_long(void **state) {
    struct world *world = *state;
    play(world, "come one, visit GET upgrade");
    assert_false(world->exchange->share.long_lived); /* the service may decline */
    play(world, "head 200 x-tunnel-upgraded:1");
    assert_true(world->exchange->share.long_lived);
}

/* What is this gateway's word to visitors no service says, nor one that answers by switching. */
static void test_words_of_ours_in_an_answer(void **state) {
    static const struct {
        bool has_page, has_ids;
        const char *script, *record;
    } rows[] = {
        {true, false, "visit GET upgrade, head 200 x-tunnel-upgraded:1 set-cookie:x-tunnel-seen=1, cancel",
         "one:CONNECTfoo+ 101foo! grant:262144 reset"},
        {true, false, "visit GET upgrade, head 200 x-tunnel-upgraded:1 set-cookie:seen=1, cancel",
         "one:CONNECTfoo+ 101foo! set-cookie grant:262144 reset"},
        {false, false, "visit GET upgrade, head 200 x-tunnel-upgraded:1 set-cookie:x-tunnel-seen=1, cancel",
         "one:CONNECTfoo+ 101foo! set-cookie grant:262144 reset"},
        {true, false, "visit GET, head 200 set-cookie:x-tunnel-seen=1, end", "one:GET 200 end reset"},
        {false, true, "visit GET upgrade, head 200 x-tunnel-upgraded:1, cancel",
         "one:CONNECTfoo+ 101foo! x-request-id grant:262144 reset"},
        {false, true, "visit GET, head 200, end", "one:GET 200 x-request-id end reset"},
        {false, true, "visit GET, head 200 a(b:c", "one:GET bad_response x-request-id end reset"},
    };
    struct world *world = *state;
    play(world, "come one");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        world->record_len = 0;
        world->core->settings.first_visit_page = rows[i].has_page;
        world->core->settings.request_ids = rows[i].has_ids;
        play(world, rows[i].script);
        world->record[world->record_len] = '\0';
        assert_string_equal(world->record, rows[i].record);
    }
}

static void test_the_core_may_end_with_streams_under_way(void **state) {
    struct world *world = *state;
    play(world, "come one, visit GET, head 200, data 5");
    core_free(world->core);
    world->core = NULL;
    world->record[world->record_len] = '\0';
    assert_string_equal(world->record, "one:GET 200 data:5 abort reset");
}

#define WITH_WORLD(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_offers),
        cmocka_unit_test(test_again),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_peers),
        WITH_WORLD(test_events_do_not_count_among_ordinary_requests),
        WITH_WORLD(test_websockets_have_a_bound_of_their_own),
        WITH_WORLD(test_a_body_is_not_kept_for_nothing),
        WITH_WORLD(test_what_is_switched_lives_long),
        WITH_WORLD(test_words_of_ours_in_an_answer),
        WITH_WORLD(test_the_core_may_end_with_streams_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
