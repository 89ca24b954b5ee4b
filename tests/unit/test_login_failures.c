/* How often a wrong password may be tried, by whom, and for which tunnel. */
#include <stdio.h>

#include "cmocka_setup.h"
#include "policy/login_failures.h"

/* With something else each time. */
static void note(struct login_failures *failures, struct view tunnel, struct view address, uint64_t now_ms) {
    static unsigned number;
    char guess[32];
    snprintf(guess, sizeof(guess), "guess %u", number++);
    login_failures_note(failures, tunnel, address, view_from_cstr(guess), now_ms);
}

static void test_failures(void **state) {
    (void)state;
    struct login_failures *failures = login_failures_new(42);
    struct view tunnel = VIEW("app"), address = VIEW("2001:db8:1:2::1");
    assert_non_null(failures);
    for (int i = 0; i < LOGIN_FAILURES_MAX; i++) {
        assert_false(login_failures_shut_out(failures, tunnel, address, 1000));
        note(failures, tunnel, address, 1000);
    }
    assert_true(login_failures_shut_out(failures, tunnel, address, 1000));
    assert_true(
        login_failures_shut_out(failures, tunnel, VIEW("2001:db8:1:2:ffff::9"), 1000)); /* its network */
    assert_false(login_failures_shut_out(failures, tunnel, VIEW("2001:db8:1:3::1"), 1000));
    assert_false(login_failures_shut_out(failures, VIEW("other"), address, 1000));
    assert_false(login_failures_shut_out(failures, tunnel, VIEW("192.0.2.1"), 1000));
    assert_true(login_failures_shut_out(failures, tunnel, address, 1000 + LOGIN_FAILURES_MS - 1));
    assert_false(login_failures_shut_out(failures, tunnel, address, 1000 + LOGIN_FAILURES_MS));
    note(failures, tunnel, address, 1000 + LOGIN_FAILURES_MS);
    assert_false(login_failures_shut_out(failures, tunnel, address, 1000 + LOGIN_FAILURES_MS));
    /* many others do not free the one that is shut out */
    for (int i = 0; i < LOGIN_FAILURES_MAX; i++) note(failures, tunnel, address, 100000);
    for (int i = 0; i < 20000; i++) {
        char other[32];
        snprintf(other, sizeof(other), "198.51.%d.%d", i / 256, i % 256);
        note(failures, tunnel, view_from_cstr(other), 100000);
    }
    assert_true(login_failures_shut_out(failures, tunnel, address, 100000));
    login_failures_free(failures);
}

static void the_same_again_is_no_guess(void **state) {
    (void)state;
    struct login_failures *failures = login_failures_new(7);
    struct view tunnel = VIEW("app"), ann = VIEW("192.0.2.1");
    for (int i = 0; i < 100; i++) {
        assert_int_equal(login_failures_note(failures, tunnel, ann, VIEW("last year's"), 1000), i == 0);
        assert_int_equal(login_failures_note(failures, tunnel, ann, VIEW("another"), 1000), i == 0);
    }
    for (int i = 3; i < LOGIN_FAILURES_MAX; i++) note(failures, tunnel, ann, 1000);
    assert_false(login_failures_shut_out(failures, tunnel, ann, 1000));
    login_failures_note(failures, tunnel, ann, VIEW("last year'"), 1000);
    assert_true(login_failures_shut_out(failures, tunnel, ann, 1000));
    login_failures_note(failures, tunnel, ann, VIEW("last year's"), 1000);
    assert_true(login_failures_shut_out(failures, tunnel, ann, 1000));
    assert_false(login_failures_shut_out(failures, tunnel, ann, 1000 + LOGIN_FAILURES_MS));
    login_failures_free(failures);
}

/* Others' addresses that share a slot with ann's, of so many. */
static unsigned count_neighbours(uint64_t seed, unsigned from, unsigned to, char found[32]) {
    struct view tunnel = VIEW("app"), ann = VIEW("192.0.2.1");
    unsigned count = 0;
    for (unsigned i = from; i < to; i++) {
        struct login_failures *failures = login_failures_new(seed);
        char other[32];
        snprintf(other, sizeof(other), "198.51.%u.%u", i / 256, i % 256);
        for (int n = 1; n < LOGIN_FAILURES_MAX; n++) note(failures, tunnel, ann, 1000);
        note(failures, tunnel, view_from_cstr(other), 1000);
        note(failures, tunnel, ann, 1000);
        if (!login_failures_shut_out(failures, tunnel, ann, 1000)) {
            memcpy(found, other, sizeof(other));
            count++;
        }
        login_failures_free(failures);
    }
    return count;
}

/* Where two share a slot the newer one has it, unless the older one is shut out. */
static void test_neighbours(void **state) {
    (void)state;
    struct view tunnel = VIEW("app"), ann = VIEW("192.0.2.1");
    char found[32], others[32];
    unsigned at = 0;
    while (!count_neighbours(1, at, at + 1, found)) assert_true(++at < 60000);
    assert_int_equal(count_neighbours(2, at, at + 1, others), 0); /* another seed, other neighbours */
    struct login_failures *failures = login_failures_new(1);
    for (int i = 0; i < LOGIN_FAILURES_MAX; i++) note(failures, tunnel, ann, 1000);
    note(failures, tunnel, view_from_cstr(found), 1000);
    assert_true(login_failures_shut_out(failures, tunnel, ann, 1000));
    login_failures_free(failures);
    failures = login_failures_new(1);
    note(failures, tunnel, ann, 1000);
    for (int i = 0; i < LOGIN_FAILURES_MAX; i++) note(failures, tunnel, view_from_cstr(found), 1000);
    assert_true(login_failures_shut_out(failures, tunnel, view_from_cstr(found), 1000));
    assert_false(login_failures_shut_out(failures, VIEW("app1"), VIEW("98.51.0.1"), 1000));
    login_failures_free(failures);
    failures = login_failures_new(1);
    for (int i = 0; i < LOGIN_FAILURES_MAX; i++) note(failures, tunnel, ann, 1000);
    assert_false(login_failures_shut_out(failures, VIEW("app1"), VIEW("92.0.2.1"), 1000));
    login_failures_free(failures);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_failures),
                                       cmocka_unit_test(the_same_again_is_no_guess),
                                       cmocka_unit_test(test_neighbours)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
