/* The Host field and the names a gateway answers to (RFC 9110 7.2, RFC 3986 3.2.2). */
#ifndef HTTP_HOST_H
#define HTTP_HOST_H

#include "base/arena.h"

struct host {
    struct view name; /* lower case, one trailing dot taken off; an IPv6 literal without its brackets */
    uint16_t port;    /* 0: none given */
    bool is_ip;       /* IPv4 or IPv6 literal */
};

/* `name[:port]`, a registered name of letters, digits, '-', '_' and '.', or an IP literal. The name is copied
 * to the arena. False for anything else (user info, empty, bad port, no memory). */
bool host_parse(struct view v, struct arena *arena, struct host *ret_host);

/* Does a Host field name this machine by its loopback (localhost, 127.0.0.1, ::1, any port)? A page of
 * another site reaches a loopback port too; by a name of its own that leads here (DNS rebinding) it could
 * even read the answer. NULL: no. */
bool host_is_this_machine(const char *field);

/* A tunnel id or a claimed name: 3-63 of [a-z0-9-], no hyphen at either end. */
bool host_is_tunnel_label(struct view label);

#endif
