/* How fast the kernel lets go of what is written to a TCP socket. */
#ifndef NET_PACING_H
#define NET_PACING_H

#include <sys/socket.h>

/* For a socket before connect(), or one that listens: what it accepts from now on is as it is. Where
 * `address` (its peer's, or its own to listen on) is a loopback one and the system would pace it (BBR), it is
 * not paced (Reno). Pacing spares the queues of a network, and within a machine there is none: each 64 KiB
 * would wait for a timer and wake the reader, which is a quarter of the time of a large body. Other
 * congestion controls are left as they are. */
void pacing_spare(int fd, const struct sockaddr *address);

#endif
