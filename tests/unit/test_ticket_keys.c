/* Sessions of TLS are taken up again: by whoever has the same secret, for as long as their key is in use or
 * was the last one, and in TLS 1.3 only. */
#include "cmocka_setup.h"
#include "sockets/ticket_keys.h"
#include "tls_server.h"

#define PERIOD_MS ((uint64_t)12 * 60 * 60 * 1000)

static uint64_t now_ms;

static uint64_t wall_ms(void *ctx) {
    (void)ctx;
    return now_ms;
}

struct gateway {
    SSL_CTX *context;
    struct ticket_keys keys;
};

static void gateway_start(struct gateway *gateway, const char *secret, int version) {
    unsigned char bytes[SECRET_LEN] = {0};
    snprintf((char *)bytes, sizeof(bytes), "%s", secret ? secret : "");
    gateway->context = server_context(version);
    SSL_CTX_set_alpn_select_cb(gateway->context, NULL, NULL);
    SSL_CTX_set_session_id_context(gateway->context, (const unsigned char *)"x", 1);
    SSL_CTX_set_session_cache_mode(gateway->context, SSL_SESS_CACHE_OFF);
    ticket_keys_init(&gateway->keys, wall_ms);
    if (secret) ticket_keys_set(&gateway->keys, bytes);
    ticket_keys_use(&gateway->keys, gateway->context);
}

static void gateway_stop(struct gateway *gateway) {
    SSL_CTX_free(gateway->context);
}

static SSL_SESSION *kept;

static int on_session(SSL *client, SSL_SESSION *session) {
    (void)client;
    if (kept) SSL_SESSION_free(kept);
    kept = session;
    return 1;
}

/* Connects with the session that is kept, if any. True: it was taken up. */
static bool visit(struct gateway *gateway) {
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(context, on_session);
    SSL *client = SSL_new(context), *server = SSL_new(gateway->context);
    BIO *ours, *theirs;
    char byte;
    assert_int_equal(BIO_new_bio_pair(&ours, 0, &theirs, 0), 1);
    SSL_set_bio(client, ours, ours);
    SSL_set_bio(server, theirs, theirs);
    SSL_set_connect_state(client);
    SSL_set_accept_state(server);
    if (kept) SSL_set_session(client, kept);
    for (int i = 0; i < 10; i++) {
        SSL_do_handshake(client);
        SSL_do_handshake(server);
    }
    assert_true(SSL_is_init_finished(client) && SSL_is_init_finished(server));
    SSL_read(client, &byte, 1); /* tickets have come */
    bool reused = SSL_session_reused(client);
    SSL_shutdown(client); /* else the session would not count as good */
    SSL_free(client);
    SSL_free(server);
    SSL_CTX_free(context);
    return reused;
}

static void forget(void) {
    if (kept) SSL_SESSION_free(kept);
    kept = NULL;
}

static int setup(void **state) {
    (void)state;
    now_ms = 1000 * PERIOD_MS;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    forget();
    return 0;
}

static void test_taken_up_by_who_has_the_secret(void **state) {
    (void)state;
    struct gateway one, same, other;
    gateway_start(&one, "a secret", TLS1_3_VERSION);
    gateway_start(&same, "a secret", TLS1_3_VERSION);
    gateway_start(&other, "another", TLS1_3_VERSION);
    assert_false(visit(&one));
    assert_true(visit(&one));
    assert_true(visit(&same));
    assert_false(visit(&other));
    gateway_stop(&one);
    gateway_stop(&same);
    gateway_stop(&other);
}

static void test_keys_change(void **state) {
    (void)state;
    struct gateway one;
    gateway_start(&one, "a secret", TLS1_3_VERSION);
    visit(&one);
    SSL_SESSION *first = kept;
    SSL_SESSION_up_ref(first);
    unsigned char name[TICKET_NAME_LEN];
    memcpy(name, one.keys.now.name, sizeof(name));
    now_ms += PERIOD_MS; /* the key before is still read, and a fresh ticket comes */
    assert_true(visit(&one));
    assert_memory_not_equal(name, one.keys.now.name, sizeof(name));
    assert_memory_equal(name, one.keys.before.name, sizeof(name));
    now_ms += PERIOD_MS;
    assert_true(visit(&one)); /* that one */
    forget();
    kept = first;
    assert_false(visit(&one)); /* and not the first one any more */
    gateway_stop(&one);
}

static void test_none_without_a_secret_or_in_older_tls(void **state) {
    (void)state;
    struct gateway none, older;
    gateway_start(&none, NULL, TLS1_3_VERSION);
    visit(&none);
    assert_false(visit(&none));
    gateway_stop(&none);
    forget();
    gateway_start(&older, "a secret", TLS1_2_VERSION);
    visit(&older);
    assert_false(visit(&older));
    gateway_stop(&older);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_taken_up_by_who_has_the_secret, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keys_change, setup, teardown),
        cmocka_unit_test_setup_teardown(test_none_without_a_secret_or_in_older_tls, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
