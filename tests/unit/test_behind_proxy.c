/* Who stands behind trusted proxies. */
#include "cmocka_setup.h"
#include "sockets/behind_proxy.h"

#define P "10.0.0.1, "

static void test_rows(void **state) {
    (void)state;
    static const struct {
        const char *field, *address; /* NULL: none */
        size_t hops;
    } rows[] = {
        {NULL, NULL, 0},
        {"unknown", NULL, 0},
        {"192.0.2.1", "192.0.2.1", 0},
        {"192.0.2.1:4711", "192.0.2.1", 0},
        {"2001:db8::1", "2001:db8::1", 0},
        {"[2001:db8::1]", "2001:db8::1", 0},
        {"[2001:db8::1]:4711", "2001:db8::1", 0},
        {"[2001:db8::1", "2001:db8::1", 0},
        {":", NULL, 0},
        {"192.0.2.9, 192.0.2.1", "192.0.2.1", 0},
        {"192.0.2.9, 192.0.2.1, 10.0.0.1", "192.0.2.1", 1},
        {"10.0.0.2, 10.0.0.1", "10.0.0.2", 1}, /* only proxies: the farthest */
        {"unknown, 10.0.0.1", "10.0.0.1", 0},
        {"192.0.2.1, " P P P P P P P P P P P P P P "10.0.0.1", "192.0.2.1", 15},
        {"192.0.2.1, " P P P P P P P P P P P P P P P "10.0.0.1", "10.0.0.1", 15}, /* so far and no farther */
    };
    struct network proxy;
    struct clients clients;
    assert_true(network_parse(VIEW("10.0.0.0/8"), &proxy));
    clients_init(&clients, 0, 0, &proxy, 1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena;
        struct headers headers;
        struct sockaddr_storage address;
        size_t hops = 99;
        char text[ADDRESS_TEXT_MAX] = "";
        arena_init(&arena, 4096);
        headers_init(&headers, &arena);
        if (rows[i].field) headers_add(&headers, VIEW("x-forwarded-for"), view_from_cstr(rows[i].field));
        bool found = behind_proxy(&headers, &clients, &address, &hops);
        if (found) address_text((struct sockaddr *)&address, text);
        if (found != (rows[i].address != NULL) || hops != rows[i].hops ||
            (found && strcmp(text, rows[i].address) != 0))
            fail_msg("%s: %s, %zu hops", rows[i].field, text, hops);
        arena_done(&arena);
    }
    clients_done(&clients);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
