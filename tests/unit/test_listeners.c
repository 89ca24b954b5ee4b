#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmocka_setup.h"
#include "listeners.h"

/* At all addresses, so that nobody else can have the port meanwhile. */
static int bind_somewhere(uint16_t *ret_port) {
    int off = 0, fd = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 address = {.sin6_family = AF_INET6};
    socklen_t len = sizeof(address);
    assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *ret_port = ntohs(address.sin6_port);
    return fd;
}

static void only_who_listens_is_known(void **state) {
    (void)state;
    uint16_t port;
    int fd = bind_somewhere(&port);
    assert_false(listeners_have(port));
    assert_int_equal(listen(fd, 1), 0);
    assert_true(listeners_have(port));
    close(fd);
}

static void who_is_connected_does_not_listen(void **state) {
    (void)state;
    uint16_t port;
    int fd = bind_somewhere(&port), client = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
    int server = accept(fd, NULL, NULL);
    assert_true(server >= 0);
    close(fd);
    assert_false(listeners_have(port));
    close(client);
    close(server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_who_listens_is_known),
        cmocka_unit_test(who_is_connected_does_not_listen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
