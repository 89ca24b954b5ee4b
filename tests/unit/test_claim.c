/* What may be an owner's options, and how they are kept beside a claim. */
#include <stdlib.h>

#include "cmocka_setup.h"
#include "handler/claim.h"

static char options[CLAIM_OPTIONS_MAX + 1];

static void options_are_one_line_of_text(void **state) {
    (void)state;
    memset(options, 'x', sizeof(options));
    assert_true(claim_options_valid((struct view){0}));
    assert_true(claim_options_valid(VIEW("")));
    assert_true(claim_options_valid(view_of(options, CLAIM_OPTIONS_MAX)));
    assert_false(claim_options_valid(view_of(options, CLAIM_OPTIONS_MAX + 1)));
    for (size_t i = 0; i < 3; i++) {
        static const char bad[] = {'\n', '\0'};
        size_t at = i * (CLAIM_OPTIONS_MAX - 1) / 2;
        for (size_t j = 0; j < sizeof(bad); j++) {
            options[at] = bad[j];
            assert_false(claim_options_valid(view_of(options, CLAIM_OPTIONS_MAX)));
            options[at] = 'x';
        }
    }
}

static void what_is_kept_is_a_copy(void **state) {
    (void)state;
    char *kept = NULL, text[] = "visitors=alice";
    assert_true(view_eq(claim_options_view(kept), VIEW("")));
    assert_non_null(claim_options_view(kept).ptr);
    assert_true(claim_options_keep(&kept, view_from_cstr(text)));
    text[0] = 'V';
    assert_true(view_eq(claim_options_view(kept), VIEW("visitors=alice")));
    assert_true(claim_options_keep(&kept, VIEW("b")));
    assert_true(view_eq(claim_options_view(kept), VIEW("b")));
    assert_true(claim_options_keep(&kept, VIEW("")));
    assert_null(kept);
}

static void an_anonymous_owner_is_known_by_the_beginning(void **state) {
    (void)state;
    assert_true(claim_is_anonymous(&(struct claim){.owner = "anon:0123456789abcdef0123456789abcdef"}));
    assert_false(claim_is_anonymous(&(struct claim){.owner = "sub:anon:"}));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_one_line_of_text),
        cmocka_unit_test(what_is_kept_is_a_copy),
        cmocka_unit_test(an_anonymous_owner_is_known_by_the_beginning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
