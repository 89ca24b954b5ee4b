/* Secrets that are none are told from others. */
#include <stdio.h>
#include <stdlib.h>

#include "auth/secret_strength.h"
#include "base/ids.h"
#include "cmocka_setup.h"

static void test_defaults_and_the_like_are_refused(void **state) {
    static const char *const weak[] = {
        "default-secret-change-in-production",  "changeme-changeme-changeme-changeme",
        "CHANGE_ME_please_0123456789abcdef",    "your-256-bit-secret-your-256-bit-secret",
        "My Super Secret of the company 2024",  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "abababababababababababababababab",     "12345678901234567890123456789012",
        "abcdefghijklmnopqrstuvwxyz0123456789", "passwordpasswordpasswordpassword",
        "k3J+z0qYw8Ux1v-default-secret",        "k3J+z0qYw8Ux1v-do.not use_in production"};
    (void)state;
    for (size_t i = 0; i < sizeof(weak) / sizeof(weak[0]); i++)
        if (!secret_weakness(view_from_cstr(weak[i]))) fail_msg("%s is taken", weak[i]);
}

static void test_others_are_taken(void **state) {
    static const char *const good[] = {"an e2e secret of more than thirty-two bytes",
                                       "5f1d7c84a93be0266c0b9a1ee37f4d52", "k3J+z0qYw8Ux1v-Rhange-me-nB5n",
                                       "correct horse battery staple, and then some",
                                       "k3J+z0qYw8Ux1vSg7TtB5nLr2MdHc9Pa4ZeF6iXoQbU="};
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (secret_weakness(view_from_cstr(good[i]))) fail_msg("%s is refused", good[i]);
    assert_null(secret_weakness(VIEW("")));
}

/* One that ends as such a default begins; an exact copy, so that a sanitizer sees a read behind it. */
static void test_its_end_is_its_end(void **state) {
    static const char text[] = "k3J+z0qYw8Ux1vSg7TtB5n-change-m";
    char *copy = malloc(sizeof(text) - 1);
    (void)state;
    assert_non_null(copy);
    memcpy(copy, text, sizeof(text) - 1);
    assert_null(secret_weakness(view_of(copy, sizeof(text) - 1)));
    free(copy);
}

/* Random bytes, also as hexadecimal digits. */
static void test_random_ones_are_taken(void **state) {
    (void)state;
    for (int round = 0; round < 2000; round++) {
        unsigned char bytes[16];
        char text[33];
        ids_random(bytes, sizeof(bytes));
        for (size_t i = 0; i < 16; i++) snprintf(text + 2 * i, 3, "%02x", (unsigned)bytes[i]);
        if (secret_weakness(view_of(text, 32))) fail_msg("%s is refused", text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_and_the_like_are_refused), cmocka_unit_test(test_others_are_taken),
        cmocka_unit_test(test_its_end_is_its_end), cmocka_unit_test(test_random_ones_are_taken)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
