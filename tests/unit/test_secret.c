/* Keys of one purpose each, and the answer to a WebSocket's handshake, by what others compute of the same. */
#include "auth/secret.h"
#include "auth/websocket.h"
#include "cmocka_setup.h"

#define SECRET VIEW("0123456789abcdef0123456789abcdef")

/* HKDF-SHA256 (RFC 5869) of SECRET without a salt, for "resume", by Python's hmac. */
static const unsigned char resume_key[] = "\xae\x94\xf2\xe7\x34\x89\x43\x0c\x31\x1f\xbe\xdf\x9f\x8e\xdd\x96"
                                          "\xd1\x6c\xda\x5f\x14\x05\xac\x87\x9f\x49\x62\x04\x20\x46\x6d\x78";

static void test_a_key_of_a_secret(void **state) {
    (void)state;
    unsigned char key[SECRET_LEN], other[SECRET_LEN];
    assert_true(secret_derive(SECRET, VIEW("resume"), key));
    assert_memory_equal(key, resume_key, SECRET_LEN);
    assert_true(secret_derive(SECRET, VIEW("peer"), other));
    assert_memory_not_equal(key, other, SECRET_LEN);
}

static void test_the_secret_of_a_key(void **state) {
    (void)state;
    unsigned char nearly[SECRET_LEN];
    assert_true(secret_is(SECRET, VIEW("resume"), resume_key));
    assert_false(secret_is(SECRET, VIEW("peer"), resume_key));
    assert_false(secret_is(VIEW("0123456789abcdef0123456789abcdeg"), VIEW("resume"), resume_key));
    assert_false(secret_is(VIEW(""), VIEW("resume"), resume_key));
    memcpy(nearly, resume_key, SECRET_LEN);
    nearly[SECRET_LEN - 1] ^= 1;
    assert_false(secret_is(SECRET, VIEW("resume"), nearly));
}

/* The example of RFC 6455 1.3. */
static void test_a_handshake(void **state) {
    (void)state;
    char accept[WEBSOCKET_ACCEPT_LEN + 1];
    websocket_accept(VIEW("dGhlIHNhbXBsZSBub25jZQ=="), accept);
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_key_of_a_secret),
                                       cmocka_unit_test(test_the_secret_of_a_key),
                                       cmocka_unit_test(test_a_handshake)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
