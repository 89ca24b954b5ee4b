#include <string.h>

#include "base/edits.h"
#include "cmocka_setup.h"

static void test_edits(void **state) {
    (void)state;
    assert_int_equal(edit_distance(VIEW("public-lsten"), VIEW("public-listen")), 1);
    assert_int_equal(edit_distance(VIEW(""), VIEW("abc")), 3);
    assert_int_equal(edit_distance(VIEW("abc"), VIEW("")), 3);
    assert_int_equal(edit_distance(VIEW("kitten"), VIEW("sitting")), 3);
    assert_int_equal(edit_distance(VIEW("same"), VIEW("same")), 0);
    assert_int_equal(edit_distance(VIEW("ab"), VIEW("ba")), 2);
}

static void test_long_words_are_bounded(void **state) {
    (void)state;
    char a[200], b[200];
    memset(a, 'a', sizeof(a));
    memset(b, 'b', sizeof(b));
    assert_int_equal(edit_distance(view_of(a, sizeof(a)), view_of(b, sizeof(b))), 64);
    assert_int_equal(edit_distance(view_of(a, sizeof(a)), view_of(a, 64)), 0);
}

static void test_short_words_are_guessed_less(void **state) {
    (void)state;
    assert_int_equal(edits_allowed(VIEW("")), 0);
    assert_int_equal(edits_allowed(VIEW("ab")), 0);
    assert_int_equal(edits_allowed(VIEW("app")), 1);
    assert_int_equal(edits_allowed(VIEW("stort")), 2);
    assert_int_equal(edits_allowed(VIEW("tunnells")), 2);
}

static void test_the_nearest_name(void **state) {
    (void)state;
    struct nearest nearest = {.word = VIEW("tunels"), .most = 2};
    nearest_offer(&nearest, "kick");
    assert_null(nearest.name);
    nearest_offer(&nearest, "tunnel");
    assert_string_equal(nearest.name, "tunnel");
    nearest_offer(&nearest, "tunnels");
    assert_string_equal(nearest.name, "tunnels");
    nearest_offer(&nearest, "tunals"); /* as near: the first stays */
    assert_string_equal(nearest.name, "tunnels");
    nearest_offer(&nearest, "tunels");
    assert_string_equal(nearest.name, "tunels");
    struct nearest none = {.word = VIEW("ab"), .most = 0};
    nearest_offer(&none, "abc");
    assert_null(none.name);
    nearest_offer(&none, "ab");
    assert_string_equal(none.name, "ab");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edits),
        cmocka_unit_test(test_long_words_are_bounded),
        cmocka_unit_test(test_short_words_are_guessed_less),
        cmocka_unit_test(test_the_nearest_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
