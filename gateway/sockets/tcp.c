/* See tcp.h. */
#include "sockets/tcp.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/platform.h"

static struct tcp_info get_info(int fd) {
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0) return (struct tcp_info){0};
    return info;
}

uint64_t tcp_acked_bytes(int fd) {
    return get_info(fd).tcpi_bytes_acked;
}

struct tcp_state tcp_look(int fd) {
    struct tcp_info info = get_info(fd);
    return (struct tcp_state){.acked = info.tcpi_bytes_acked,
                              .written = info.tcpi_bytes_acked + platform_unacked_bytes(fd),
                              .is_in_flight = info.tcpi_unacked > 0};
}

void tcp_limit_unsent(int fd, int bytes) {
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof(bytes));
}

void tcp_reset(int fd) {
    /* Dissolving the association sends RST. */
    struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    (void)!connect(fd, &nobody, sizeof(nobody));
}
