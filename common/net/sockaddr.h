/* What an address of a socket is. */
#ifndef NET_SOCKADDR_H
#define NET_SOCKADDR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* 127.0.0.0/8, ::1, or one of the former written as IPv6 (::ffff:127.0.0.1). */
bool sockaddr_is_loopback(const struct sockaddr *address);
/* Of an address of IPv4 or IPv6; others have none, and stay as they are. */
void sockaddr_set_port(struct sockaddr_storage *address, uint16_t port);

#endif
