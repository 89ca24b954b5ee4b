/* Tokens of waiters and request ids of direct mode: good for whom, and as long as, they were made for. */
#include "cmocka_setup.h"
#include "direct/waiter.h"
#include "protocol/v1.h"

static const unsigned char key[SECRET_LEN] = "key of the tests", other_key[SECRET_LEN] = "another";

static void a_token_is_good_for_its_time(void **state) {
    (void)state;
    struct buf token;
    buf_init(&token, WAITER_TOKEN_MAX);
    assert_true(waiter_token_encode(&token, key, 1000));
    assert_true(waiter_token_check(buf_view(&token), key, 999));
    assert_false(waiter_token_check(buf_view(&token), key, 1000));
    assert_false(waiter_token_check(buf_view(&token), other_key, 1));
    for (size_t i = 0; i < token.len; i++) {
        token.ptr[i] ^= 1;
        assert_false(waiter_token_check(buf_view(&token), key, 1));
        token.ptr[i] ^= 1;
        assert_false(waiter_token_check(view_slice(buf_view(&token), 0, i), key, 1));
    }
    buf_done(&token);
}

static void what_a_waiter_says_is_recognised(void **state) {
    (void)state;
    struct buf text;
    buf_init(&text, 1024);
    buf_printf(&text, "/?waiter=");
    assert_true(waiter_token_encode(&text, key, 1000));
    assert_int_equal(waiter_check_target(buf_view(&text), key, 1), WAITER_GOOD);
    assert_int_equal(waiter_check_target(buf_view(&text), key, 1000), WAITER_REFUSED);
    assert_int_equal(waiter_check_target(VIEW("/?waiter"), key, 1), WAITER_REFUSED);
    assert_int_equal(waiter_check_target(VIEW("/?name=x"), key, 1), WAITER_NONE);
    assert_int_equal(waiter_check_target(VIEW("/"), key, 1), WAITER_NONE);
    buf_clear(&text);
    buf_printf(&text, "{\"type\":\"waiter\",\"token\":\"");
    assert_true(waiter_token_encode(&text, key, 1000));
    buf_printf(&text, "\"}");
    assert_int_equal(waiter_check_message(buf_view(&text), key, 1), WAITER_GOOD);
    assert_int_equal(waiter_check_message(buf_view(&text), other_key, 1), WAITER_REFUSED);
    assert_int_equal(waiter_check_message(view_slice(buf_view(&text), 0, 30), key, 1), WAITER_REFUSED);
    assert_int_equal(waiter_check_message(VIEW("{\"type\":\"waiter\",\"token\":7}"), key, 1), WAITER_REFUSED);
    assert_int_equal(waiter_check_message(VIEW("{\"type\":\"ready\"}"), key, 1), WAITER_NONE);
    buf_done(&text);
}

static void an_id_is_good_for_one_agent(void **state) {
    (void)state;
    struct direct_id id = {.waiter = "R0oXAdfD0kwCH6w=", .expires_ms = 1000}, read;
    struct buf text, again;
    buf_init(&text, V1_REQUEST_ID_MAX);
    buf_init(&again, V1_REQUEST_ID_MAX);
    assert_true(direct_id_encode(&text, key, &id, VIEW("agent=")));
    assert_true(direct_id_encode(&again, key, &id, VIEW("agent=")));
    assert_false(view_eq(buf_view(&text), buf_view(&again)));
    assert_int_equal(direct_id_decode(buf_view(&text), key, VIEW("agent="), 1, &read), DIRECT_ID_GOOD);
    assert_string_equal(read.waiter, id.waiter);
    assert_int_equal(read.expires_ms, 1000);
    assert_int_equal(direct_id_decode(buf_view(&text), key, VIEW("agent"), 1, &read), DIRECT_ID_REFUSED);
    assert_int_equal(direct_id_decode(buf_view(&text), key, VIEW("agent="), 1000, &read), DIRECT_ID_REFUSED);
    assert_int_equal(direct_id_decode(buf_view(&text), other_key, VIEW("agent="), 1, &read),
                     DIRECT_ID_REFUSED);
    for (size_t i = 3; i < text.len; i++) {
        text.ptr[i] ^= 1;
        assert_int_equal(direct_id_decode(buf_view(&text), key, VIEW("agent="), 1, &read), DIRECT_ID_REFUSED);
        text.ptr[i] ^= 1;
        struct view cut = view_slice(buf_view(&text), 0, i);
        assert_int_equal(direct_id_decode(cut, key, VIEW("agent="), 1, &read), DIRECT_ID_REFUSED);
    }
    assert_int_equal(direct_id_decode(VIEW("0e2c6a5e-0000-4000-8000-000000000000"), key, VIEW("a"), 1, &read),
                     DIRECT_ID_NONE);
    buf_done(&text);
    buf_done(&again);
}

static void the_longest_connection_id_still_fits(void **state) {
    (void)state;
    struct direct_id id = {.expires_ms = 99999999999999}, read;
    struct buf text;
    memset(id.waiter, 'w', CONNECTION_ID_MAX);
    buf_init(&text, 1024);
    assert_true(direct_id_encode(&text, key, &id, VIEW("agent=")));
    assert_int_equal(direct_id_decode(buf_view(&text), key, VIEW("agent="), 1, &read), DIRECT_ID_GOOD);
    assert_string_equal(read.waiter, id.waiter);
    buf_done(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_good_for_its_time),
        cmocka_unit_test(what_a_waiter_says_is_recognised),
        cmocka_unit_test(an_id_is_good_for_one_agent),
        cmocka_unit_test(the_longest_connection_id_still_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
