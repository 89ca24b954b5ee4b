/* The contract of registry and mailbox (common/handler/ports.h), as tests. */
#include "store_suite.h"

#include <stdio.h>
#include <string.h>

#include "base/view.h"
#include "cmocka_setup.h"
#include "store_seen.h"

static struct store_fixture *(*open_fixture)(struct store_events events);
static void (*close_fixture)(struct store_fixture *fixture);

void seen_note(struct seen *seen, uint64_t ticket, enum status status) {
    seen->completions++;
    seen->ticket = ticket;
    seen->status = status;
}

static void on_done(void *target, uint64_t ticket, enum status status) {
    seen_note(target, ticket, status);
}

static void on_claim(void *target, uint64_t ticket, enum status status, const struct claim *claim,
                     struct view options) {
    struct seen *seen = target;
    seen_note(seen, ticket, status);
    assert_int_equal(claim != NULL, status == STATUS_OK);
    if (claim) seen->claim = *claim;
    assert_int_equal(options.ptr != NULL, claim != NULL);
    assert_true(view_copy_to(options, seen->options, sizeof(seen->options)));
}

static void on_put(void *target, uint64_t ticket, enum status status, struct view request_id) {
    struct seen *seen = target;
    seen_note(seen, ticket, status);
    if (status == STATUS_OK)
        assert_true(view_copy_to(request_id, seen->request_id, sizeof(seen->request_id)));
}

static void on_take(void *target, uint64_t ticket, enum status status, struct v1_message *answer) {
    struct seen *seen = target;
    seen_note(seen, ticket, status);
    v1_message_free(seen->answer);
    seen->answer = answer;
}

static void on_swept(void *target, uint64_t ticket, enum status status, size_t removed) {
    struct seen *seen = target;
    seen_note(seen, ticket, status);
    seen->removed = removed;
}

static void on_claim_changed(void *ctx, struct view tunnel_id) {
    struct seen *seen = ctx;
    seen->changed++;
    view_copy_to(tunnel_id, seen->changed_id, sizeof(seen->changed_id));
}

static void on_request_completed(void *ctx, struct view request_id) {
    struct seen *seen = ctx;
    seen->completed++;
    view_copy_to(request_id, seen->completed_id, sizeof(seen->completed_id));
}

int seen_set_up(void **state) {
    static struct seen seen;
    seen = (struct seen){0};
    seen.store = open_fixture((struct store_events){
        .ctx = &seen, .claim_changed = on_claim_changed, .request_completed = on_request_completed});
    *state = &seen;
    return seen.store ? 0 : -1;
}

int seen_tear_down(void **state) {
    struct seen *seen = *state;
    v1_message_free(seen->answer);
    close_fixture(seen->store);
    return 0;
}

/* ---- calls: each asks, sees that nothing fired inside, lets the store work, sees one completion ---- */

enum status seen_settle(struct seen *seen) {
    assert_int_equal(seen->completions, 0);
    seen->store->settle(seen->store->ctx);
    assert_int_equal(seen->completions, 1);
    assert_int_equal(seen->ticket, 42);
    seen->completions = 0;
    return seen->status;
}

enum status seen_lookup(struct seen *seen, const char *tunnel_id) {
    seen->store->registry.lookup(seen->store->registry.ctx, view_from_cstr(tunnel_id), on_claim, seen, 42);
    return seen_settle(seen);
}

enum status seen_lookup_connection(struct seen *seen, const char *connection_id) {
    struct registry *registry = &seen->store->registry;
    registry->lookup_connection(registry->ctx, view_from_cstr(connection_id), on_claim, seen, 42);
    return seen_settle(seen);
}

static struct claim_write over(const struct claim *claim, uint64_t epoch, unsigned states) {
    return (struct claim_write){.claim = claim, .expected_epoch = epoch, .expected_states = states};
}

enum status seen_write(struct seen *seen, const struct claim_write *write) {
    seen->store->registry.store(seen->store->registry.ctx, write, on_done, seen, 42);
    return seen_settle(seen);
}

static enum status store(struct seen *seen, const struct claim *claim, uint64_t epoch, unsigned states) {
    struct claim_write write = over(claim, epoch, states);
    return seen_write(seen, &write);
}

enum status seen_put(struct seen *seen, const char *connection_id, uint64_t in_ms) {
    struct pending pending = {.connection_id = view_from_cstr(connection_id),
                              .expires_ms = seen->store->wall_ms(seen->store->ctx) + in_ms};
    seen->store->mailbox.put(seen->store->mailbox.ctx, &pending, on_put, seen, 42);
    return seen_settle(seen);
}

enum status seen_complete(struct seen *seen, const char *request_id, const char *connection_id,
                          const char *body) {
    char text[512];
    enum status status;
    snprintf(text, sizeof(text),
             "{\"type\":\"http_response\",\"request_id\":\"%s\",\"status_code\":201,\"headers\":{\"a\":["
             "\"1\",\"2\"],"
             "\"b\":[\"\"]},\"body\":\"%s\",\"processing_time_ms\":3}",
             request_id, body);
    struct v1_message *answer = v1_message_parse(view_from_cstr(text), 1024, &status);
    assert_non_null(answer);
    seen->store->mailbox.complete(seen->store->mailbox.ctx, view_from_cstr(request_id),
                                  view_from_cstr(connection_id), answer, on_done, seen, 42);
    return seen_settle(seen);
}

enum status seen_take(struct seen *seen, const char *request_id) {
    seen->store->mailbox.take(seen->store->mailbox.ctx, view_from_cstr(request_id), on_take, seen, 42);
    return seen_settle(seen);
}

struct claim seen_claim(const struct seen *seen, const char *tunnel_id, const char *connection_id,
                        uint64_t epoch) {
    struct claim claim = {.epoch = epoch,
                          .member = {.epoch = epoch,
                                     .state = CLAIM_CONNECTING,
                                     .capabilities = V1_CAP_RESUME,
                                     .request_timeout_ms = 7000,
                                     .changed_ms = seen->store->wall_ms(seen->store->ctx)}};
    claim.expires_ms = claim.member.changed_ms + 60000;
    strcpy(claim.tunnel_id, tunnel_id);
    strcpy(claim.owner, "anon:0123");
    strcpy(claim.member.link.connection, connection_id);
    strcpy(claim.member.link.gateway, "ws://gateway.test:8081");
    return claim;
}

/* ---- registry ---- */

static void unknown_ids_are_not_found(void **state) {
    struct seen *seen = *state;
    assert_int_equal(seen_lookup(seen, "nobodyishere"), STATUS_NOT_FOUND);
    assert_int_equal(seen_lookup_connection(seen, "nobody"), STATUS_NOT_FOUND);
}

static void a_claim_is_read_as_written(void **state) {
    struct seen *seen = *state;
    struct claim claim = seen_claim(seen, "abcdefghijkl", "connection=1", 3);
    claim.member.allowance = (struct allowance){.rate = 5, .bandwidth = 100000};
    assert_int_equal(store(seen, &claim, 0, 0), STATUS_OK);
    assert_int_equal(seen_lookup(seen, "abcdefghijkl"), STATUS_OK);
    assert_string_equal(seen->claim.tunnel_id, claim.tunnel_id);
    assert_string_equal(seen->claim.owner, claim.owner);
    assert_string_equal(seen->claim.member.link.connection, claim.member.link.connection);
    assert_string_equal(seen->claim.member.link.gateway, claim.member.link.gateway);
    assert_int_equal(seen->claim.member.link.protocol, claim.member.link.protocol);
    assert_int_equal(seen->claim.epoch, 3);
    assert_int_equal(seen->claim.member.epoch, 3);
    assert_int_equal(seen->claim.member.state, CLAIM_CONNECTING);
    assert_int_equal(seen->claim.member.capabilities, V1_CAP_RESUME);
    assert_int_equal(seen->claim.member.request_timeout_ms, 7000);
    assert_int_equal(seen->claim.member.allowance.rate, 5);
    assert_int_equal(seen->claim.member.allowance.connections, 0);
    assert_int_equal(seen->claim.member.allowance.bandwidth, 100000);
    assert_int_equal(seen->claim.member.changed_ms, claim.member.changed_ms);
    assert_int_equal(seen->claim.expires_ms, claim.expires_ms);
    assert_int_equal(seen_lookup_connection(seen, "connection=1"), STATUS_OK);
    assert_string_equal(seen->claim.tunnel_id, claim.tunnel_id);
    assert_int_equal(seen->claim.member.allowance.rate, 5);
    struct claim next = seen_claim(seen, "abcdefghijkl", "connection=2", 4); /* has none */
    assert_int_equal(store(seen, &next, 3, CLAIM_CONNECTING), STATUS_OK);
    assert_int_equal(seen_lookup(seen, "abcdefghijkl"), STATUS_OK);
    assert_true(allowance_is_none(&seen->claim.member.allowance));
}

static void a_second_first_claim_conflicts(void **state) {
    struct seen *seen = *state;
    struct claim first = seen_claim(seen, "abcdefghijkl", "one", 1),
                 second = seen_claim(seen, "abcdefghijkl", "two", 1);
    assert_int_equal(store(seen, &first, 0, 0), STATUS_OK);
    assert_int_equal(store(seen, &second, 0, 0), STATUS_CONFLICT);
    assert_int_equal(seen_lookup(seen, "abcdefghijkl"), STATUS_OK);
    assert_string_equal(seen->claim.member.link.connection, "one");
    assert_int_equal(seen_lookup_connection(seen, "two"), STATUS_NOT_FOUND);
}

static void two_at_once_have_one_winner(void **state) {
    struct seen *seen = *state;
    struct registry *registry = &seen->store->registry;
    struct claim one = seen_claim(seen, "abcdefghijkl", "one", 1),
                 two = seen_claim(seen, "abcdefghijkl", "two", 1);
    struct seen first = {0}, second = {0};
    struct claim_write write_one = over(&one, 0, 0), write_two = over(&two, 0, 0);
    registry->store(registry->ctx, &write_one, on_done, &first, 1);
    registry->store(registry->ctx, &write_two, on_done, &second, 2);
    seen->store->settle(seen->store->ctx);
    assert_int_equal(first.completions + second.completions, 2);
    assert_int_equal((first.status == STATUS_OK) + (second.status == STATUS_OK), 1);
    assert_int_equal((first.status == STATUS_CONFLICT) + (second.status == STATUS_CONFLICT), 1);
}

static void only_the_right_epoch_may_change_a_claim(void **state) {
    struct seen *seen = *state;
    struct claim claim = seen_claim(seen, "abcdefghijkl", "one", 5);
    assert_int_equal(store(seen, &claim, 4, ANY_STATE), STATUS_CONFLICT); /* nothing there yet */
    assert_int_equal(store(seen, &claim, 0, 0), STATUS_OK);
    struct claim next = seen_claim(seen, "abcdefghijkl", "two", 6);
    assert_int_equal(store(seen, &next, 4, ANY_STATE), STATUS_CONFLICT);
    assert_int_equal(store(seen, &next, 6, ANY_STATE), STATUS_CONFLICT);
    assert_int_equal(store(seen, &next, 5, ANY_STATE), STATUS_OK);
    assert_int_equal(seen_lookup(seen, "abcdefghijkl"), STATUS_OK);
    assert_string_equal(seen->claim.member.link.connection, "two");
    assert_int_equal(seen->claim.epoch, 6);
}

static void only_the_right_state_may_change_a_claim(void **state) {
    struct seen *seen = *state;
    struct claim claim = seen_claim(seen, "abcdefghijkl", "one", 1);
    assert_int_equal(store(seen, &claim, 0, 0), STATUS_OK);
    claim.member.state = CLAIM_OFFLINE;
    assert_int_equal(store(seen, &claim, 1, CLAIM_READY), STATUS_CONFLICT);
    claim.member.state = CLAIM_READY;
    assert_int_equal(store(seen, &claim, 1, CLAIM_CONNECTING | CLAIM_READY), STATUS_OK);
    claim.member.state = CLAIM_OFFLINE;
    assert_int_equal(store(seen, &claim, 1, CLAIM_READY), STATUS_OK);
    assert_int_equal(seen_lookup(seen, "abcdefghijkl"), STATUS_OK);
    assert_int_equal(seen->claim.member.state, CLAIM_OFFLINE);
}

static void both_connections_of_a_takeover_are_known_until_removed(void **state) {
    struct seen *seen = *state;
    struct claim one = seen_claim(seen, "abcdefghijkl", "one", 1),
                 two = seen_claim(seen, "abcdefghijkl", "two", 2);
    assert_int_equal(store(seen, &one, 0, 0), STATUS_OK);
    assert_int_equal(store(seen, &two, 1, ANY_STATE), STATUS_OK);
    assert_int_equal(seen_lookup_connection(seen, "one"), STATUS_OK);
    assert_int_equal(seen->claim.epoch, 1);
    assert_int_equal(seen_lookup_connection(seen, "two"), STATUS_OK);
    assert_int_equal(seen->claim.epoch, 2);
    seen->store->registry.remove_connection(seen->store->registry.ctx, VIEW("one"), on_done, seen, 42);
    assert_int_equal(seen_settle(seen), STATUS_OK);
    assert_int_equal(seen_lookup_connection(seen, "one"), STATUS_NOT_FOUND);
    assert_int_equal(seen_lookup(seen, "abcdefghijkl"), STATUS_OK);
    assert_string_equal(seen->claim.member.link.connection, "two");
}

static void removing_an_unknown_connection_is_no_error(void **state) {
    struct seen *seen = *state;
    seen->store->registry.remove_connection(seen->store->registry.ctx, VIEW("nobody"), on_done, seen, 42);
    assert_int_equal(seen_settle(seen), STATUS_OK);
}

static void an_expired_claim_does_not_exist(void **state) {
    struct seen *seen = *state;
    struct claim claim = seen_claim(seen, "abcdefghijkl", "one", 9);
    assert_int_equal(store(seen, &claim, 0, 0), STATUS_OK);
    seen->store->advance(seen->store->ctx, 60001);
    assert_int_equal(seen_lookup(seen, "abcdefghijkl"), STATUS_NOT_FOUND);
    struct claim other = seen_claim(seen, "abcdefghijkl", "two", 1);
    assert_int_equal(store(seen, &other, 9, ANY_STATE), STATUS_CONFLICT);
    assert_int_equal(store(seen, &other, 0, 0), STATUS_OK);
}

static void a_change_is_told(void **state) {
    struct seen *seen = *state;
    struct claim claim = seen_claim(seen, "abcdefghijkl", "one", 1);
    assert_int_equal(store(seen, &claim, 0, 0), STATUS_OK);
    assert_int_equal(seen->changed, 1);
    assert_string_equal(seen->changed_id, "abcdefghijkl");
    assert_int_equal(store(seen, &claim, 0, 0), STATUS_CONFLICT);
    assert_int_equal(seen->changed, 1);
}

static void sweeping_removes_the_expired_only(void **state) {
    struct seen *seen = *state;
    struct claim old = seen_claim(seen, "oldoldoldold", "one", 1),
                 young = seen_claim(seen, "youngyoungyo", "two", 1);
    young.expires_ms += 600000;
    assert_int_equal(store(seen, &old, 0, 0), STATUS_OK);
    assert_int_equal(store(seen, &young, 0, 0), STATUS_OK);
    seen->store->advance(seen->store->ctx, 61000);
    seen->store->registry.sweep(seen->store->registry.ctx, on_swept, seen, 42);
    assert_int_equal(seen_settle(seen), STATUS_OK);
    assert_int_equal(seen_lookup(seen, "oldoldoldold"), STATUS_NOT_FOUND);
    assert_int_equal(seen_lookup(seen, "youngyoungyo"), STATUS_OK);
}

/* ---- mailbox ---- */

static void an_answer_comes_back_whole(void **state) {
    struct seen *seen = *state;
    assert_int_equal(seen_put(seen, "one", 30000), STATUS_OK);
    assert_int_equal(seen_complete(seen, seen->request_id, "one", "aGk="), STATUS_OK);
    assert_int_equal(seen->completed, 1);
    assert_string_equal(seen->completed_id, seen->request_id);
    assert_int_equal(seen_take(seen, seen->request_id), STATUS_OK);
    assert_int_equal(seen->answer->type, V1_HTTP_RESPONSE);
    assert_int_equal(seen->answer->status, 201);
    assert_int_equal(seen->answer->headers.count, 3);
    assert_true(view_eq(seen->answer->headers.fields[1].value, VIEW("2")));
    assert_true(view_eq(seen->answer->headers.fields[2].value, VIEW("")));
    assert_true(view_eq(seen->answer->body, VIEW("hi")));
}

static void request_ids_are_never_the_same(void **state) {
    struct seen *seen = *state;
    char first[V1_REQUEST_ID_MAX + 1];
    assert_int_equal(seen_put(seen, "one", 30000), STATUS_OK);
    strcpy(first, seen->request_id);
    assert_int_equal(seen_put(seen, "one", 30000), STATUS_OK);
    assert_string_not_equal(first, seen->request_id);
}

static void only_the_agent_that_was_asked_may_answer(void **state) {
    struct seen *seen = *state;
    assert_int_equal(seen_put(seen, "one", 30000), STATUS_OK);
    assert_int_equal(seen_complete(seen, seen->request_id, "two", ""), STATUS_NOT_FOUND);
    assert_int_equal(seen->completed, 0);
    assert_int_equal(seen_take(seen, seen->request_id), STATUS_NOT_FOUND);
    assert_int_equal(seen_complete(seen, seen->request_id, "one", ""), STATUS_OK);
}

/* Who waits for its answer waits in vain, and a store that knows that says so. */
static void assert_no_request(struct seen *seen) {
    enum status expected = seen->store->knows_requests ? STATUS_GONE : STATUS_NOT_FOUND;
    assert_int_equal(seen_take(seen, seen->request_id), expected);
}

static void a_second_answer_is_not_taken(void **state) {
    struct seen *seen = *state;
    assert_int_equal(seen_put(seen, "one", 30000), STATUS_OK);
    assert_int_equal(seen_complete(seen, seen->request_id, "one", "Zmlyc3Q="), STATUS_OK);
    assert_int_equal(seen_complete(seen, seen->request_id, "one", "c2Vjb25k"), STATUS_NOT_FOUND);
    assert_int_equal(seen_take(seen, seen->request_id), STATUS_OK);
    assert_true(view_eq(seen->answer->body, VIEW("first")));
    assert_int_equal(seen_complete(seen, seen->request_id, "one", "dGhpcmQ="), STATUS_NOT_FOUND);
    assert_no_request(seen);
}

static void an_answer_to_an_unknown_request_is_dropped(void **state) {
    struct seen *seen = *state;
    assert_int_equal(seen_complete(seen, "00000000-0000-4000-8000-000000000000", "one", ""),
                     STATUS_NOT_FOUND);
    assert_int_equal(seen->completed, 0);
}

static void a_removed_request_takes_no_answer(void **state) {
    struct seen *seen = *state;
    assert_int_equal(seen_put(seen, "one", 30000), STATUS_OK);
    seen->store->mailbox.remove(seen->store->mailbox.ctx, view_from_cstr(seen->request_id));
    seen->store->settle(seen->store->ctx);
    assert_int_equal(seen_complete(seen, seen->request_id, "one", ""), STATUS_NOT_FOUND);
    assert_no_request(seen);
}

static void an_expired_request_takes_no_answer(void **state) {
    struct seen *seen = *state;
    assert_int_equal(seen_put(seen, "one", 30000), STATUS_OK);
    seen->store->advance(seen->store->ctx, 30001);
    assert_int_equal(seen_complete(seen, seen->request_id, "one", ""), STATUS_NOT_FOUND);
}

/* ---- two clients of one store ---- */

static void a_change_by_another_is_told(void **state) {
    struct seen *seen = *state;
    struct registry *other = &seen->store->other_registry;
    struct claim claim = seen_claim(seen, "abcdefghijkl", "one", 1);
    struct claim_write write = over(&claim, 0, 0);
    other->store(other->ctx, &write, on_done, seen, 42);
    assert_int_equal(seen_settle(seen), STATUS_OK);
    if (!seen->store->polls) {
        assert_int_equal(seen->changed, 1);
        assert_string_equal(seen->changed_id, "abcdefghijkl");
    }
    assert_int_equal(seen_lookup(seen, "abcdefghijkl"), STATUS_OK);
    assert_string_equal(seen->claim.member.link.connection, "one");
}

static void two_clients_at_once_have_one_winner(void **state) {
    struct seen *seen = *state;
    struct registry *registry = &seen->store->registry, *other = &seen->store->other_registry;
    struct claim claim = seen_claim(seen, "abcdefghijkl", "old", 1),
                 one = seen_claim(seen, "abcdefghijkl", "one", 2),
                 two = seen_claim(seen, "abcdefghijkl", "two", 2);
    assert_int_equal(store(seen, &claim, 0, 0), STATUS_OK);
    struct seen first = {0}, second = {0};
    struct claim_write write_one = over(&one, 1, ANY_STATE), write_two = over(&two, 1, ANY_STATE);
    registry->store(registry->ctx, &write_one, on_done, &first, 1);
    other->store(other->ctx, &write_two, on_done, &second, 2);
    seen->store->settle(seen->store->ctx);
    assert_int_equal((first.status == STATUS_OK) + (second.status == STATUS_OK), 1);
    assert_int_equal((first.status == STATUS_CONFLICT) + (second.status == STATUS_CONFLICT), 1);
    assert_int_equal(seen_lookup(seen, "abcdefghijkl"), STATUS_OK);
    assert_string_equal(seen->claim.member.link.connection, first.status == STATUS_OK ? "one" : "two");
}

static void an_answer_through_another_wakes_the_one_who_waits(void **state) {
    struct seen *seen = *state;
    struct mailbox *other = &seen->store->other_mailbox;
    enum status status;
    char text[512];
    assert_int_equal(seen_put(seen, "one", 30000), STATUS_OK);
    snprintf(text, sizeof(text),
             "{\"type\":\"error\",\"request_id\":\"%s\",\"code\":\"timeout\",\"message\":\"slow\"}",
             seen->request_id);
    for (int i = 0; i < 2; i++) {
        struct v1_message *answer = v1_message_parse(view_from_cstr(text), 1024, &status);
        other->complete(other->ctx, view_from_cstr(seen->request_id), VIEW("one"), answer, on_done, seen, 42);
        assert_int_equal(seen_settle(seen), i == 0 ? STATUS_OK : STATUS_NOT_FOUND);
    }
    while (seen->store->polls && !seen->completed) seen->store->settle(seen->store->ctx);
    assert_int_equal(seen->completed, 1);
    assert_string_equal(seen->completed_id, seen->request_id);
    assert_int_equal(seen_take(seen, seen->request_id), STATUS_OK);
    assert_int_equal(seen->answer->type, V1_ERROR);
    assert_true(view_eq(seen->answer->code, VIEW("timeout")));
    assert_true(view_eq(seen->answer->message, VIEW("slow")));
}

int store_suite_run(const char *name, struct store_fixture *(*open)(struct store_events events),
                    void (*close)(struct store_fixture *fixture)) {
#define T(test) cmocka_unit_test_setup_teardown(test, seen_set_up, seen_tear_down)
    const struct CMUnitTest tests[] = {
        T(unknown_ids_are_not_found),
        T(a_claim_is_read_as_written),
        T(a_second_first_claim_conflicts),
        T(two_at_once_have_one_winner),
        T(only_the_right_epoch_may_change_a_claim),
        T(only_the_right_state_may_change_a_claim),
        T(both_connections_of_a_takeover_are_known_until_removed),
        T(removing_an_unknown_connection_is_no_error),
        T(an_expired_claim_does_not_exist),
        T(a_change_is_told),
        T(sweeping_removes_the_expired_only),
        T(an_answer_comes_back_whole),
        T(request_ids_are_never_the_same),
        T(only_the_agent_that_was_asked_may_answer),
        T(a_second_answer_is_not_taken),
        T(an_answer_to_an_unknown_request_is_dropped),
        T(a_removed_request_takes_no_answer),
        T(an_expired_request_takes_no_answer),
        T(a_change_by_another_is_told),
        T(two_clients_at_once_have_one_winner),
        T(an_answer_through_another_wakes_the_one_who_waits),
    };
#undef T
    open_fixture = open;
    close_fixture = close;
    return cmocka_run_group_tests_name(name, tests, NULL, NULL) + store_options_run(name) +
           store_pieces_run(name);
}
