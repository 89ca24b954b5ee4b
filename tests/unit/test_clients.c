/* Connections counted by address (sockets/clients.c). */
#include "cmocka_setup.h"
#include "sockets/clients.h"

static struct clients clients;

static struct client *take(const char *text) {
    struct sockaddr_storage address;
    assert_true(sockaddr_parse(view_from_cstr(text), &address));
    return clients_take(&clients, (struct sockaddr *)&address);
}

static int teardown(void **state) {
    (void)state;
    assert_int_equal(clients.count, 0);
    assert_int_equal(clients.table.count, 0);
    assert_int_equal(clients.nets.count, 0);
    clients_done(&clients);
    return 0;
}

static void test_a_network_of_64_bits_is_one(void **state) {
    (void)state;
    clients_init(&clients, 0, 2, NULL, 0);
    struct client *first = take("2001:db8::1"), *second = take("2001:db8::ffff:0:0:2");
    assert_non_null(first);
    assert_non_null(second);
    assert_string_equal(second->text, "2001:db8::ffff:0:0:2");
    assert_int_equal(first->number, second->number);
    assert_null(take("2001:db8::3"));
    assert_null(take("2001:db8::1"));
    struct client *other = take("2001:db8:0:1::3");
    assert_non_null(other);
    assert_true(other->number != first->number);
    client_release(first);
    struct client *third = take("2001:db8::3");
    assert_non_null(third);
    client_release(second);
    client_release(third);
    client_release(other);
}

static void test_numbers(void **state) {
    (void)state;
    struct network proxy;
    assert_true(network_parse(VIEW("192.0.2.9"), &proxy));
    clients_init(&clients, 0, 1, &proxy, 1);
    struct client *v4 = take("192.0.2.1"), *next = take("192.0.2.2"), *local = take("127.0.0.1"),
                  *v6 = take("::1"), *mapped = take("::ffff:192.0.2.3"), *front = take("192.0.2.9");
    assert_int_equal(v4->number, 0x1c0000201);
    assert_int_equal(next->number, 0x1c0000202);
    assert_int_equal(mapped->number, 0x1c0000203);
    assert_int_equal(local->number | v6->number | front->number, 0);
    struct client *all[] = {v4, next, local, v6, mapped, front};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) client_release(all[i]);
}

/* It is not forgotten with the last connection. */
static void test_how_often(void **state) {
    (void)state;
    clients_init(&clients, 0, 0, NULL, 0);
    assert_true(clients_limit_rate(&clients, 5));
    int count = 0, others = 0;
    for (int i = 0; i < 20; i++) {
        struct client *client = take("192.0.2.1"), *local = take("127.0.0.1"), *v6 = take("2001:db8::1"),
                      *neighbour = take("2001:db8::2");
        assert_non_null(local);
        client_release(local);
        if (client) client_release(client);
        if (v6) client_release(v6);
        if (neighbour) client_release(neighbour);
        count += client != NULL;
        others += (v6 != NULL) + (neighbour != NULL);
    }
    assert_in_range(count, 5, 6); /* a part of a second may have passed */
    assert_in_range(others, 5, 6);
    assert_true(clients.refused >= 14 + 34);
}

static struct client *spare_one;

static bool on_spare(void *ctx) {
    assert_ptr_equal(ctx, &clients);
    if (!spare_one) return false;
    client_release(spare_one);
    spare_one = NULL;
    return true;
}

static void test_room_is_made(void **state) {
    (void)state;
    clients_init(&clients, 2, 2, NULL, 0);
    struct client *first = take("192.0.2.1"), *second = take("192.0.2.2");
    assert_null(take("192.0.2.3")); /* nobody makes room */
    clients.spare = on_spare;
    clients.spare_ctx = &clients;
    assert_null(take("192.0.2.3")); /* nor can */
    assert_int_equal(clients.refused, 2);
    spare_one = first;
    struct client *again = take("192.0.2.1"); /* whose own last one is ended for it */
    assert_non_null(again);
    assert_int_equal(clients.count, 2);
    assert_int_equal(clients.spared, 1);
    assert_string_equal(again->text, "192.0.2.1");
    spare_one = second;
    struct client *third = take("192.0.2.1");
    assert_non_null(third);
    spare_one = third;
    assert_null(take("192.0.2.1")); /* who has his share has nobody ended */
    assert_ptr_equal(spare_one, third);
    spare_one = NULL;
    client_release(again);
    client_release(third);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_a_network_of_64_bits_is_one, teardown),
        cmocka_unit_test_teardown(test_numbers, teardown),
        cmocka_unit_test_teardown(test_how_often, teardown),
        cmocka_unit_test_teardown(test_room_is_made, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
