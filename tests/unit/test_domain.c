/* Domains of tunnels' owners: which are some, and the names that stand for them. */
#include "auth/allowance.h"
#include "auth/domain.h"
#include "cmocka_setup.h"

static const char *const good[] = {
    "app.example.com", "a.b", "xn--bcher-kva.example", "1.2.3.x4", "a-b.c--d.e", "0.example", "9.az"};
static const char *const bad[] = {"",           "example",     ".example",     "a.example.",  "a..b",
                                  "A.example",  "a_b.example", "-a.example",   "a-.example",  "1.2.3.4",
                                  "10.1",       "a b.example", "a.example:80", "a/b.example", "*.example",
                                  "a.\xc3\xa9", "a.example\n"};

static void test_what_is_one(void **state) {
    (void)state;
    char longest[300];
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (!domain_is_sane(view_from_cstr(good[i]))) fail_msg("%s", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (domain_is_sane(view_from_cstr(bad[i]))) fail_msg("%s", bad[i]);
    assert_false(domain_is_sane(view_of("1.2.3.4x", 7)));
    memset(longest, 'a', sizeof(longest));
    for (size_t i = 1; i < sizeof(longest); i += 2) longest[i] = '.';
    assert_true(domain_is_sane(view_of(longest, DOMAIN_MAX)));
    assert_false(domain_is_sane(view_of(longest, DOMAIN_MAX + 2)));
    memset(longest, 'a', 64);
    assert_false(domain_is_sane(view_of(longest + 1, 66)));
    assert_true(domain_is_sane(view_of(longest + 2, 65)));
}

static void test_its_name(void **state) {
    (void)state;
    char name[DOMAIN_NAME_LEN + 1], other[DOMAIN_NAME_LEN + 1];
    assert_true(domain_name(VIEW("app.example.com"), name));
    assert_int_equal(strlen(name), DOMAIN_NAME_LEN);
    assert_string_equal(name, "domain-faczqknraupqj3ydcgigpqgobh");
    assert_true(domain_is_name(view_from_cstr(name)));
    assert_true(domain_name(VIEW("app.example.con"), other));
    assert_string_not_equal(name, other);
    assert_false(domain_is_name(VIEW("domain-shop")));
    assert_false(domain_is_name(view_of(name, DOMAIN_NAME_LEN - 1)));
    static const char in[] = "27az", out[] = "18`{";
    for (size_t i = 0; i < 4; i++) {
        name[10] = in[i];
        assert_true(domain_is_name(view_from_cstr(name)));
        name[10] = out[i];
        assert_false(domain_is_name(view_from_cstr(name)));
    }
}

static bool allows(const char *patterns, const char *domain) {
    struct allowance_names names = {0};
    assert_true(view_copy_to(view_from_cstr(patterns), names.domains, sizeof(names.domains)));
    return allowance_has_domain(&names, view_from_cstr(domain));
}

static void test_patterns(void **state) {
    (void)state;
    assert_false(allows("", "a.example"));
    assert_true(allows("a.example ", "a.example"));
    assert_false(allows("a.example ", "aa.example"));
    assert_true(allows("x.y *.example ", "a.b.example"));
    assert_false(allows("*.example ", "example"));
    assert_false(allows("*.example ", "a.example.org"));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_is_one), cmocka_unit_test(test_its_name),
                                       cmocka_unit_test(test_patterns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
