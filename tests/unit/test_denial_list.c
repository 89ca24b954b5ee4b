/* control/denial_list.h: which agents are kept out, and what no entry is. */
#include "cmocka_setup.h"
#include "control/denial_list.h"

static uint64_t now_ms;

static uint64_t wall(void *ctx) {
    (void)ctx;
    return now_ms;
}

static int setup(void **state) {
    static struct denial_list list;
    now_ms = 10000;
    denial_list_init(&list, wall, NULL);
    *state = &list;
    return 0;
}

static int teardown(void **state) {
    denial_list_done(*state);
    return 0;
}

static void put(struct denial_list *list, const char *key, const char *record) {
    assert_int_equal(denial_list_put(list, view_from_cstr(key), view_from_cstr(record)), STATUS_OK);
}

static const char *why(struct denial_list *list, const char *tunnel, const char *owner, const char *token,
                       uint64_t issued_s) {
    const struct applicant applicant = {.tunnel_id = view_from_cstr(tunnel),
                                        .owner = view_from_cstr(owner),
                                        .token_id = view_from_cstr(token),
                                        .token_issued_s = issued_s};
    return denial_list_why(list, &applicant);
}

static void test_each_kind(void **state) {
    struct denial_list *list = *state;
    assert_null(why(list, "shop", "sub:alice", "j", 5));
    put(list, "name:shop", "1\n0\nme\n");
    assert_string_equal(why(list, "shop", "sub:bob", "", 5), "this name is blocked");
    assert_null(why(list, "shop2", "sub:bob", "", 5));
    put(list, "owner:sub:alice", "1\n0\nme\nspam");
    assert_string_equal(why(list, "x", "sub:alice", "", 5), "this owner is blocked: spam");
    put(list, "token:j", "1\n0\nme\n");
    assert_string_equal(why(list, "x", "sub:bob", "j", 5), "this token has been revoked");
    assert_null(why(list, "x", "sub:bob", "", 5)); /* it has none */
}

static void test_tokens_of_before(void **state) {
    struct denial_list *list = *state;
    put(list, "tokens:sub:alice", "7000\n0\nme\n");
    assert_non_null(why(list, "x", "sub:alice", "", 0)); /* it does not say */
    assert_non_null(why(list, "x", "sub:alice", "", 7));
    assert_null(why(list, "x", "sub:alice", "", 8));
    assert_null(why(list, "x", "sub:bob", "", 0));
}

static void test_until(void **state) {
    struct denial_list *list = *state;
    put(list, "name:shop", "1\n10001\nme\n");
    assert_non_null(why(list, "shop", "", "", 0));
    now_ms = 10001;
    assert_null(why(list, "shop", "", "", 0));
}

static void test_over(void **state) {
    struct denial_list *list = *state;
    put(list, "name:shop", "1\n10001\nme\n");
    put(list, "name:ever", "1\n0\nme\n");
    const struct denial *shop = LIST_ENTRY(list->all.next, struct denial, all);
    const struct denial *ever = LIST_ENTRY(list->all.next->next, struct denial, all);
    assert_false(denial_list_is_over(list, shop, 0));
    now_ms = 10101;
    assert_true(denial_list_is_over(list, shop, 100));
    assert_false(denial_list_is_over(list, shop, 101));
    assert_false(denial_list_is_over(list, ever, 0));
}

static void test_put_again_and_drop(void **state) {
    struct denial_list *list = *state;
    put(list, "name:shop", "1\n0\nme\nfirst");
    put(list, "name:shop", "1\n0\nme\nsecond");
    assert_int_equal(list->table.count, 1);
    assert_string_equal(why(list, "shop", "", "", 0), "this name is blocked: second");
    assert_true(denial_list_drop(list, VIEW("name:shop")));
    assert_false(denial_list_drop(list, VIEW("name:shop")));
    assert_null(why(list, "shop", "", "", 0));
}

static void test_what_is_no_entry(void **state) {
    struct denial_list *list = *state;
    static const char *const keys[] = {
        "",           "name:",      "owner:",
        "what:x",     "name",       "name:a\nb",
        "owner:\x7f", "owner:\xff", "name:0123456789012345678901234567890123456789012345678901234567890123"};
    static const char *const records[] = {"",
                                          "1",
                                          "1\n2",
                                          "1\n2\n3",
                                          "x\n0\nme\n",
                                          "1\n-1\nme\n",
                                          "1\n0\nme\na\nb",
                                          "1\n0\nm\te\n",
                                          "99999999999999999999\n0\nme\n"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        assert_int_equal(denial_list_put(list, view_from_cstr(keys[i]), VIEW("1\n0\nme\n")), STATUS_INVALID);
    for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++)
        assert_int_equal(denial_list_put(list, VIEW("name:a"), view_from_cstr(records[i])), STATUS_INVALID);
    assert_int_equal(list->table.count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_kind, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tokens_of_before, setup, teardown),
        cmocka_unit_test_setup_teardown(test_until, setup, teardown),
        cmocka_unit_test_setup_teardown(test_over, setup, teardown),
        cmocka_unit_test_setup_teardown(test_put_again_and_drop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_no_entry, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
