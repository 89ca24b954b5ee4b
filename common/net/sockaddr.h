/* What an address of a socket is. */
#ifndef NET_SOCKADDR_H
#define NET_SOCKADDR_H

#include <stdbool.h>
#include <sys/socket.h>

/* 127.0.0.0/8, ::1, or one of the former written as IPv6 (::ffff:127.0.0.1). */
bool sockaddr_is_loopback(const struct sockaddr *address);

#endif
