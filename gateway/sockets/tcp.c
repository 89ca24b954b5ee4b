/* See tcp.h. */
#include "sockets/tcp.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

uint64_t tcp_acked_bytes(int fd) {
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0) return 0;
    return info.tcpi_bytes_acked;
}

void tcp_limit_unsent(int fd, int bytes) {
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof(bytes));
}

void tcp_reset(int fd) {
    /* Dissolving the association sends RST. */
    struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    (void)!connect(fd, &nobody, sizeof(nobody));
}
