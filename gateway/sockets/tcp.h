/* What the socket API of Linux knows of a TCP connection (apart, because <linux/tcp.h> and <netinet/tcp.h> do
 * not mix). */
#ifndef GATEWAY_TCP_H
#define GATEWAY_TCP_H

#include <stdbool.h>
#include <stdint.h>

/* Bytes that the client has acknowledged so far: the only sign of life of one who reads slowly. */
uint64_t tcp_acked_bytes(int fd);
/* Of what we have sent. */
struct tcp_state {
    uint64_t acked, written; /* bytes, from the same beginning: the difference waits in the kernel */
    bool is_in_flight; /* some are on the way, and may be lost; otherwise what waits has found no room */
};
/* All 0 where it is no TCP. */
struct tcp_state tcp_look(int fd);
/* Keeps what waits unsent in the kernel small, so that a slow reader is felt here and not megabytes later. */
void tcp_limit_unsent(int fd, int bytes);
/* Ends the connection with RST, at once: what was sent of an answer cannot look whole. The descriptor stays
 * open. */
void tcp_reset(int fd);

#endif
