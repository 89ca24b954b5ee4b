/* Listening addresses, networks, and what is read out of a sockaddr. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "cmocka_setup.h"
#include "net/sockaddr.h"
#include "sockets/address.h"

static void test_addresses(void **state) {
    (void)state;
    static const struct {
        const char *text, *host; /* host NULL: refused */
        uint16_t port;
        bool is_loopback;
    } rows[] = {
        {"loopback:8080", "loopback", 8080, true},
        {"localhost:80", "loopback", 80, true},
        {":8080", "*", 8080, false},
        {"*:0", "*", 0, false},
        {"127.0.0.1:1", "127.0.0.1", 1, true},
        {"127.9.9.9:1", "127.9.9.9", 1, true},
        {"[::1]:65535", "::1", 65535, true},
        {"[::]:8080", "::", 8080, false},
        {"0.0.0.0:8080", "0.0.0.0", 8080, false},
        {"tunnel.example:443", "tunnel.example", 443, false},
        {"8080", NULL, 0, false},
        {"::1:8080", NULL, 0, false},
        {"a:", NULL, 0, false},
        {"a:65536", NULL, 0, false},
        {"a:-1", NULL, 0, false},
        {"a:80x", NULL, 0, false},
        {"", NULL, 0, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct listen_address address;
        const char *why = NULL;
        bool parsed = listen_address_parse(view_from_cstr(rows[i].text), &address, &why);
        if (parsed != (rows[i].host != NULL)) fail_msg("\"%s\"", rows[i].text);
        if (!parsed) {
            assert_non_null(why);
            continue;
        }
        assert_string_equal(address.host, rows[i].host);
        assert_int_equal(address.port, rows[i].port);
        if (listen_address_is_loopback(&address) != rows[i].is_loopback) fail_msg("\"%s\"", rows[i].text);
    }
}

static struct sockaddr_storage address_of(const char *text) {
    struct sockaddr_storage storage = {0};
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        memcpy(&storage, &v4, sizeof(v4));
    else if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1)
        memcpy(&storage, &v6, sizeof(v6));
    else
        fail_msg("%s", text);
    return storage;
}

static void test_networks(void **state) {
    (void)state;
    static const struct {
        const char *network, *address;
        bool inside;
    } rows[] = {
        {"10.0.0.0/8", "10.255.1.2", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"192.168.4.0/22", "192.168.7.9", true},
        {"192.168.4.0/22", "192.168.8.0", false},
        {"1.2.3.4", "1.2.3.4", true},
        {"1.2.3.4", "1.2.3.5", false},
        {"0.0.0.0/0", "8.8.8.8", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"fd00::/8", "fdff::1", true},
        {"fd00::/8", "fe00::1", false},
        {"::1", "::1", true},
        {"10.0.0.0/8", "::ffff:10.1.1.1", true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct network network;
        struct sockaddr_storage address = address_of(rows[i].address);
        assert_true(network_parse(view_from_cstr(rows[i].network), &network));
        if (network_has(&network, (struct sockaddr *)&address) != rows[i].inside)
            fail_msg("%s in %s", rows[i].address, rows[i].network);
    }
    static const char *const bad[] = {"",         "10.0.0.0/33", "::/129",     "10.0.0.0/",
                                      "10.0.0/8", "host",        "10.0.0.0/8x"};
    struct network network;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (network_parse(view_from_cstr(bad[i]), &network)) fail_msg("\"%s\"", bad[i]);
}

static void test_a_port_is_put_in(void **state) {
    (void)state;
    struct sockaddr_storage v4 = address_of("192.0.2.1"), v6 = address_of("2001:db8::1"), other = {0};
    const struct sockaddr_storage none = {0};
    sockaddr_set_port(&v4, 0x1234);
    sockaddr_set_port(&v6, 443);
    sockaddr_set_port(&other, 443);
    assert_int_equal(ntohs(((struct sockaddr_in *)(void *)&v4)->sin_port), 0x1234);
    assert_int_equal(ntohs(((struct sockaddr_in6 *)(void *)&v6)->sin6_port), 443);
    assert_memory_equal(&other, &none, sizeof(none));
}

static void test_texts(void **state) {
    (void)state;
    static const struct {
        const char *address, *text;
        bool is_loopback;
    } rows[] = {{"127.0.0.1", "127.0.0.1", true},           {"::1", "::1", true},
                {"2001:db8::2", "2001:db8::2", false},      {"::ffff:127.0.0.1", "127.0.0.1", true},
                {"127.255.1.2", "127.255.1.2", true},       {"128.0.0.1", "128.0.0.1", false},
                {"::ffff:10.0.0.127", "10.0.0.127", false}, {"::2", "::2", false}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[ADDRESS_TEXT_MAX];
        struct sockaddr_storage address = address_of(rows[i].address);
        address_text((struct sockaddr *)&address, text);
        assert_string_equal(text, rows[i].text);
        assert_int_equal(sockaddr_is_loopback((struct sockaddr *)&address), rows[i].is_loopback);
    }
    char text[ADDRESS_TEXT_MAX];
    struct sockaddr local = {.sa_family = AF_UNIX};
    address_text(&local, text);
    assert_string_equal(text, "?");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_a_port_is_put_in),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
