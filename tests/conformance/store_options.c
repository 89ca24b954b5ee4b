/* The contract of claims that grow: options, which stay with the name, and what a later version has written.
 */
#include <stdio.h>
#include <string.h>

#include "cmocka_setup.h"
#include "store_seen.h"
#include "store_suite.h"

#define TUNNEL "abcdefghijkl"

static enum status write(struct seen *seen, const struct claim *claim, uint64_t epoch, struct view options) {
    struct claim_write write = {
        .claim = claim, .expected_epoch = epoch, .expected_states = ANY_STATE, .options = options};
    return seen_write(seen, &write);
}

#define UNSAID ((struct view){NULL, 0})

static void assert_options(struct seen *seen, const char *options) {
    assert_int_equal(seen_lookup(seen, TUNNEL), STATUS_OK);
    assert_string_equal(seen->options, options);
}

static void options_are_read_as_said(void **state) {
    struct seen *seen = *state;
    struct claim claim = seen_claim(seen, TUNNEL, "one", 1);
    assert_int_equal(write(seen, &claim, 0, VIEW("{\"labels\":[\"a=b\",\"%0a\"]}")), STATUS_OK);
    assert_options(seen, "{\"labels\":[\"a=b\",\"%0a\"]}");
    assert_string_equal(seen->claim.owner, claim.owner);
    assert_string_equal(seen->claim.member.link.gateway, claim.member.link.gateway);
    assert_int_equal(seen->claim.member.changed_ms, claim.member.changed_ms);
    assert_int_equal(seen->claim.member.epoch, 1);
    assert_int_equal(seen->claim.expires_ms, claim.expires_ms);
    assert_int_equal(seen_lookup_connection(seen, "one"), STATUS_OK);
    assert_string_equal(seen->options, "{\"labels\":[\"a=b\",\"%0a\"]}");
}

static void a_claim_has_none_unless_some_are_said(void **state) {
    struct seen *seen = *state;
    struct claim claim = seen_claim(seen, TUNNEL, "one", 1);
    assert_int_equal(write(seen, &claim, 0, UNSAID), STATUS_OK);
    assert_options(seen, "");
    claim.member.state = CLAIM_READY;
    assert_int_equal(write(seen, &claim, 1, VIEW("some")), STATUS_OK);
    assert_options(seen, "some");
}

static void options_stay_until_others_are_said(void **state) {
    struct seen *seen = *state;
    struct claim claim = seen_claim(seen, TUNNEL, "one", 1), next = seen_claim(seen, TUNNEL, "two", 2);
    assert_int_equal(write(seen, &claim, 0, VIEW("first")), STATUS_OK);
    claim.member.state = CLAIM_OFFLINE;
    assert_int_equal(write(seen, &claim, 1, UNSAID), STATUS_OK);
    assert_options(seen, "first");
    assert_int_equal(write(seen, &next, 1, UNSAID), STATUS_OK);
    assert_options(seen, "first");
    next.member.state = CLAIM_READY;
    assert_int_equal(write(seen, &next, 2, VIEW("second")), STATUS_OK);
    assert_options(seen, "second");
    assert_int_equal(write(seen, &next, 2, VIEW("")), STATUS_OK);
    assert_options(seen, "");
    assert_int_equal(write(seen, &next, 2, UNSAID), STATUS_OK);
    assert_options(seen, "");
}

static void options_of_a_conflict_are_not_taken(void **state) {
    struct seen *seen = *state;
    struct claim claim = seen_claim(seen, TUNNEL, "one", 1);
    assert_int_equal(write(seen, &claim, 0, VIEW("mine")), STATUS_OK);
    assert_int_equal(write(seen, &claim, 7, VIEW("yours")), STATUS_CONFLICT);
    assert_options(seen, "mine");
}

static void options_end_with_the_claim(void **state) {
    struct seen *seen = *state;
    struct claim claim = seen_claim(seen, TUNNEL, "one", 1);
    assert_int_equal(write(seen, &claim, 0, VIEW("mine")), STATUS_OK);
    seen->store->advance(seen->store->ctx, 60001);
    struct claim others = seen_claim(seen, TUNNEL, "two", 1);
    strcpy(others.owner, "sub:somebody else");
    assert_int_equal(write(seen, &others, 0, UNSAID), STATUS_OK);
    assert_options(seen, "");
}

static void what_are_no_options(void **state) {
    struct seen *seen = *state;
    char longest[CLAIM_OPTIONS_MAX + 1];
    memset(longest, 'o', sizeof(longest));
    struct view rows[] = {VIEW("two\nlines"), VIEW("a\0b"), VIEW("\n"), view_of(longest, sizeof(longest))};
    struct claim claim = seen_claim(seen, TUNNEL, "one", 1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(write(seen, &claim, 0, rows[i]), STATUS_INVALID);
    assert_int_equal(seen_lookup(seen, TUNNEL), STATUS_NOT_FOUND);
    assert_int_equal(seen_lookup_connection(seen, "one"), STATUS_NOT_FOUND);
    assert_int_equal(write(seen, &claim, 0, view_of(longest, CLAIM_OPTIONS_MAX)), STATUS_OK);
    assert_int_equal(seen_lookup(seen, TUNNEL), STATUS_OK);
    assert_int_equal(strlen(seen->options), CLAIM_OPTIONS_MAX);
}

/* ---- what a later version has written ---- */

static void assert_planted(struct seen *seen, bool of_name, bool of_member) {
    struct planted planted = seen->store->planted(seen->store->ctx, TUNNEL);
    assert_int_equal(planted.of_name, of_name);
    assert_int_equal(planted.of_member, of_member);
}

static struct claim plant(struct seen *seen, struct view options) {
    struct claim claim = seen_claim(seen, TUNNEL, "one", 1);
    if (!seen->store->plant) skip();
    assert_int_equal(write(seen, &claim, 0, options), STATUS_OK);
    seen->store->plant(seen->store->ctx, TUNNEL);
    assert_planted(seen, true, true);
    assert_options(seen, options.ptr ? options.ptr : "");
    return claim;
}

static void what_a_later_version_wrote_stays(void **state) {
    struct seen *seen = *state;
    struct claim claim = plant(seen, UNSAID);
    static const enum claim_state changes[] = {CLAIM_READY, CLAIM_READY, CLAIM_OFFLINE};
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        claim.member.state = changes[i];
        assert_int_equal(write(seen, &claim, 1, UNSAID), STATUS_OK);
        assert_planted(seen, true, true);
        assert_options(seen, "");
        assert_int_equal(seen->claim.member.state, changes[i]);
    }
}

static void it_stays_beside_options(void **state) {
    struct seen *seen = *state;
    struct claim claim = plant(seen, VIEW("first"));
    claim.member.state = CLAIM_READY;
    assert_int_equal(write(seen, &claim, 1, UNSAID), STATUS_OK);
    assert_options(seen, "first");
    assert_int_equal(write(seen, &claim, 1, VIEW("second")), STATUS_OK);
    assert_options(seen, "second");
    assert_int_equal(write(seen, &claim, 1, VIEW("")), STATUS_OK);
    assert_options(seen, "");
    assert_planted(seen, true, true);
}

static void what_it_knew_of_a_connection_goes_with_it(void **state) {
    struct seen *seen = *state;
    plant(seen, VIEW("mine"));
    struct claim next = seen_claim(seen, TUNNEL, "two", 2);
    assert_int_equal(write(seen, &next, 1, UNSAID), STATUS_OK);
    assert_planted(seen, true, false);
    assert_options(seen, "mine");
}

static void a_conflict_changes_nothing_of_it(void **state) {
    struct seen *seen = *state;
    plant(seen, UNSAID);
    struct claim next = seen_claim(seen, TUNNEL, "two", 3);
    assert_int_equal(write(seen, &next, 2, VIEW("yours")), STATUS_CONFLICT);
    assert_planted(seen, true, true);
}

static void it_ends_with_the_claim(void **state) {
    struct seen *seen = *state;
    plant(seen, UNSAID);
    seen->store->advance(seen->store->ctx, 60001);
    struct claim others = seen_claim(seen, TUNNEL, "two", 1);
    assert_int_equal(write(seen, &others, 0, UNSAID), STATUS_OK);
    assert_planted(seen, false, false);
}

int store_options_run(const char *name) {
#define T(test) cmocka_unit_test_setup_teardown(test, seen_set_up, seen_tear_down)
    const struct CMUnitTest tests[] = {
        T(options_are_read_as_said),
        T(a_claim_has_none_unless_some_are_said),
        T(options_stay_until_others_are_said),
        T(options_of_a_conflict_are_not_taken),
        T(options_end_with_the_claim),
        T(what_are_no_options),
        T(what_a_later_version_wrote_stays),
        T(it_stays_beside_options),
        T(what_it_knew_of_a_connection_goes_with_it),
        T(a_conflict_changes_nothing_of_it),
        T(it_ends_with_the_claim),
    };
#undef T
    char group[64];
    snprintf(group, sizeof(group), "%s, claims that grow", name);
    return cmocka_run_group_tests_name(group, tests, NULL, NULL);
}
