/* Which sockets the kernel does not pace. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "cmocka_setup.h"
#include "net/pacing.h"

union any_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static union any_address address_from(const char *text) {
    union any_address address = {.v4 = {.sin_family = AF_INET}};
    if (inet_pton(AF_INET, text, &address.v4.sin_addr) == 1) return address;
    address = (union any_address){.v6 = {.sin6_family = AF_INET6}};
    assert_int_equal(inet_pton(AF_INET6, text, &address.v6.sin6_addr), 1);
    return address;
}

static void control_of(int fd, char *ret_name, size_t size) {
    socklen_t len = (socklen_t)size;
    memset(ret_name, 0, size);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, ret_name, &len), 0);
}

/* A socket that had `before`, if this kernel has it at all; what it has then. */
static bool spare(const char *before, const char *text, char *ret_name, size_t size) {
    union any_address address = address_from(text);
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return false; /* no IPv6 here */
    bool has = setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, before, (socklen_t)strlen(before)) == 0;
    pacing_spare(fd, &address.any);
    control_of(fd, ret_name, size);
    close(fd);
    return has;
}

static void which(void **state) {
    (void)state;
    static const struct {
        const char *before, *address, *after;
    } rows[] = {
        {"bbr", "127.0.0.1", "reno"},        {"bbr", "127.1.2.3", "reno"},  {"bbr", "::1", "reno"},
        {"bbr", "::ffff:127.0.0.1", "reno"}, {"bbr", "0.0.0.0", "bbr"},     {"bbr", "192.0.2.1", "bbr"},
        {"bbr", "2001:db8::1", "bbr"},       {"bbr", "::", "bbr"},          {"cubic", "127.0.0.1", "cubic"},
        {"cubic", "192.0.2.1", "cubic"},     {"reno", "127.0.0.1", "reno"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char name[16];
        if (!spare(rows[i].before, rows[i].address, name, sizeof(name))) continue;
        if (strcmp(name, rows[i].after) != 0)
            fail_msg("%s to %s: %s, not %s", rows[i].before, rows[i].address, name, rows[i].after);
    }
}

/* What a listener accepts is as the listener is. */
static void accepted(void **state) {
    (void)state;
    union any_address address = address_from("127.0.0.1");
    socklen_t len = sizeof(address.v4);
    char name[16];
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool has = setsockopt(listening, IPPROTO_TCP, TCP_CONGESTION, "bbr", 3) == 0;
    assert_int_equal(bind(listening, &address.any, len), 0);
    assert_int_equal(listen(listening, 1), 0);
    pacing_spare(listening, &address.any);
    assert_int_equal(getsockname(listening, &address.any, &len), 0);
    assert_int_equal(connect(client, &address.any, len), 0);
    int end = accept(listening, NULL, NULL);
    assert_true(end >= 0);
    control_of(end, name, sizeof(name));
    if (has) assert_string_equal(name, "reno");
    close(end);
    close(client);
    close(listening);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(which), cmocka_unit_test(accepted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
