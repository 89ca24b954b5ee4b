/* What a token allows, and how stores keep it. */
#include <jansson.h>
#include <string.h>

#include "auth/allowance.h"
#include "cmocka_setup.h"

static bool read(const char *text, struct allowance *allowance, struct allowance_names *names,
                 const char **reason) {
    json_t *claims = json_loads(text, 0, NULL);
    assert_non_null(claims);
    bool good = allowance_read(claims, allowance, names, reason);
    json_decref(claims);
    return good;
}

static void what_a_token_says(void **state) {
    (void)state;
    struct allowance allowance;
    struct allowance_names names;
    const char *reason;
    assert_true(read("{}", &allowance, &names, &reason));
    assert_true(allowance_is_none(&allowance) && !names.is_bound && names.tunnels == 0);
    assert_true(read("{\"tunnels\":[\"shop\",\"alice-*\"],\"max_tunnels\":2,\"max_rate\":5,"
                     "\"max_connections\":7,\"max_bandwidth\":1000}",
                     &allowance, &names, &reason));
    assert_int_equal(names.tunnels, 2);
    assert_int_equal(allowance.rate, 5);
    assert_int_equal(allowance.connections, 7);
    assert_int_equal(allowance.bandwidth, 1000);
    assert_string_equal(names.text, "shop alice-* ");
    assert_true(read("{\"tunnels\":\"shop\"}", &allowance, &names, &reason));
    assert_true(names.is_bound);
    assert_string_equal(names.text, "shop ");
    assert_true(
        read("{\"tunnels\":[],\"domains\":[\"a.example\",\"*.example\"]}", &allowance, &names, &reason));
    assert_true(names.is_bound && names.says_domains);
    assert_string_equal(names.text, "");
    assert_string_equal(names.domains, "a.example *.example ");
    assert_true(
        read("{\"tunnels\":[\"az09-*\",\"a123456789b123456789c123456789d123456789e123456789f123456789g12\"]}",
             &allowance, &names, &reason));
    assert_true(read("{\"max_tunnels\":1000000,\"max_rate\":1000000,\"max_connections\":1,"
                     "\"max_bandwidth\":1000000000000}",
                     &allowance, &names, &reason));
    assert_int_equal(allowance.rate, 1000000);
    assert_true(read("{\"tunnels\":\"a\",\"max_tunnels\":1,\"max_rate\":1}", &allowance, &names, &reason));
    assert_int_equal(allowance.rate, 1);
    assert_int_equal(names.tunnels, 1);
}

static void what_is_no_allowance(void **state) {
    (void)state;
    static const struct {
        const char *claims, *word;
    } rows[] = {
        {"{\"max_rate\":0}", "max_rate"},
        {"{\"max_rate\":-1}", "max_rate"},
        {"{\"max_rate\":\"5\"}", "max_rate"},
        {"{\"max_rate\":5.5}", "max_rate"},
        {"{\"max_rate\":null}", "max_rate"},
        {"{\"max_rate\":1000001}", "max_rate"},
        {"{\"max_rate\":9223372036854775807}", "max_rate"},
        {"{\"max_tunnels\":[]}", "max_tunnels"},
        {"{\"max_connections\":true}", "max_connections"},
        {"{\"max_bandwidth\":999}", "max_bandwidth"},
        {"{\"max_bandwidth\":1000000000001}", "max_bandwidth"},
        {"{\"tunnels\":5}", "tunnels"},
        {"{\"tunnels\":{}}", "tunnels"},
        {"{\"tunnels\":\"\"}", "tunnels"},
        {"{\"tunnels\":[\"a\",5]}", "tunnels"},
        {"{\"tunnels\":[\"a b\"]}", "tunnels"},
        {"{\"tunnels\":[\"Shop\"]}", "tunnels"},
        {"{\"tunnels\":[\"a.b\"]}", "tunnels"},
        {"{\"tunnels\":\"a{\"}", "tunnels"},
        {"{\"tunnels\":\"a`\"}", "tunnels"},
        {"{\"tunnels\":\"a/\"}", "tunnels"},
        {"{\"tunnels\":\"a:\"}", "tunnels"},
        {"{\"domains\":\"A.example\"}", "domains"},
        {"{\"tunnels\":[\"a123456789b123456789c123456789d123456789e123456789f123456789g123\"]}", "tunnels"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct allowance allowance;
        struct allowance_names names;
        const char *reason = "";
        if (read(rows[i].claims, &allowance, &names, &reason) || !strstr(reason, rows[i].word))
            fail_msg("%s: %s", rows[i].claims, reason);
    }
}

static void what_may_be_said_of_all_tokens(void **state) {
    (void)state;
    static const struct {
        const char *text, *word; /* NULL: they may */
    } rows[] = {
        {"{}", NULL},
        {"{\"max_rate\":5}", NULL},
        {"{\"max_rate\":0}", "max_rate"},
        {"{\"max_rate\":5,\"max_rate\":5}", "these are no claims"},
        {"[]", "these are no claims"},
        {"", "these are no claims"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *reason = "";
        bool may = allowance_check(view_from_cstr(rows[i].text), &reason);
        if (may != !rows[i].word || (rows[i].word && !strstr(reason, rows[i].word)))
            fail_msg("%s: %s", rows[i].text, reason);
    }
}

static void too_many_names(void **state) {
    (void)state;
    struct allowance allowance;
    struct allowance_names names;
    const char *reason;
    json_t *claims = json_object(), *list = json_array();
    json_object_set_new(claims, "tunnels", list);
    for (int i = 0; i < ALLOWANCE_NAMES_MAX / 4; i++) json_array_append_new(list, json_string("abc"));
    assert_true(allowance_read(claims, &allowance, &names, &reason));
    assert_int_equal(strlen(names.text), ALLOWANCE_NAMES_MAX);
    json_array_append_new(list, json_string("a"));
    assert_false(allowance_read(claims, &allowance, &names, &reason));
    json_decref(claims);
}

static void which_names(void **state) {
    (void)state;
    static const struct {
        const char *names, *name;
        bool has;
    } rows[] = {
        {"shop ", "shop", true},
        {"shop ", "shops", false},
        {"shop ", "sho", false},
        {"shop ", "", false},
        {"a shop ", "shop", true},
        {"", "shop", false},
        {"alice-* ", "alice-1", true},
        {"alice-* ", "alice-", true},
        {"alice-* ", "alice", false},
        {"alice-* ", "xalice-1", false},
        {"*-dev ", "a-dev", true},
        {"*-dev ", "a-dev-dev", true},
        {"*-dev ", "a-devs", false},
        {"a*b*c ", "axxbyyc", true},
        {"a*b*c ", "axxbyy", false},
        {"* ", "anything", true},
        {"** ", "x", true},
        {"a*a ", "a", false},
        {"ab*bc ", "abc", false}, /* each byte counts once */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct allowance_names names = {.is_bound = true};
        strcpy(names.text, rows[i].names);
        if (allowance_has(&names, view_from_cstr(rows[i].name)) != rows[i].has)
            fail_msg("%s: %s", rows[i].names, rows[i].name);
    }
    assert_true(allowance_has(&(struct allowance_names){.is_bound = false}, VIEW("any")));
}

static void the_only_name(void **state) {
    (void)state;
    static const struct {
        const char *names, *only;
    } rows[] = {{"shop ", "shop"}, {"", ""}, {"alice-* ", ""}, {"a b ", ""}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct allowance_names names = {.is_bound = true};
        strcpy(names.text, rows[i].names);
        assert_true(view_eq(allowance_only_name(&names), view_from_cstr(rows[i].only)));
        assert_int_equal(allowance_only_name(&names).ptr != NULL, rows[i].only[0] != '\0');
    }
}

static void as_stores_keep_it(void **state) {
    (void)state;
    char text[ALLOWANCE_TEXT_MAX];
    struct allowance read, most = {ALLOWANCE_NUMBER_MAX, ALLOWANCE_NUMBER_MAX, ALLOWANCE_BANDWIDTH_MAX};
    assert_true(view_eq(allowance_encode(&most, text), VIEW("1000000 1000000 1000000000000")));
    assert_true(allowance_decode(view_from_cstr(text), &read));
    assert_memory_equal(&read, &most, sizeof(read));
    assert_int_equal(allowance_encode(&(struct allowance){0}, text).len, 0);
    assert_false(allowance_is_none(&(struct allowance){.rate = 1}));
    assert_false(allowance_is_none(&(struct allowance){.connections = 1}));
    assert_false(allowance_is_none(&(struct allowance){.bandwidth = 1000}));
    static const char *const bad[] = {
        "",          "1 2",         "1 2 3000 4",  "1  2000", "-1 2 3000", "a b c",
        "1 2 3000 ", "1000001 1 0", "1 1000001 0", "0 0 999", " 1 2 0",    "0 0 1000000000001"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        read = most;
        if (allowance_decode(view_from_cstr(bad[i]), &read)) fail_msg("%s", bad[i]);
        assert_true(allowance_is_none(&read));
    }
    assert_true(allowance_decode(VIEW("0 0 1000"), &read));
    assert_int_equal(read.bandwidth, 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_token_says),
        cmocka_unit_test(what_is_no_allowance),
        cmocka_unit_test(what_may_be_said_of_all_tokens),
        cmocka_unit_test(too_many_names),
        cmocka_unit_test(which_names),
        cmocka_unit_test(the_only_name),
        cmocka_unit_test(as_stores_keep_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
