/* The header of the PROXY protocol, versions 1 and 2 (haproxy's doc/proxy-protocol.txt), by which a proxy
 * says whose connection it passes on. No I/O. */
#ifndef GATEWAY_PROXY_HEADER_H
#define GATEWAY_PROXY_HEADER_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/view.h"

/* Of version 2, with what it may say beside the addresses; version 1 has 107 at most. */
#define PROXY_HEADER_MAX 2048

enum proxy_header_step {
    PROXY_HEADER_MORE, /* all of it is of the header, and there is more to come */
    PROXY_HEADER_DONE,
    PROXY_HEADER_BAD,
};

struct proxy_header {
    size_t len;                      /* of the header; what follows is the connection's */
    bool has_address;                /* false: the proxy itself connects (LOCAL, UNKNOWN), or not by IP */
    struct sockaddr_storage address; /* of the client, with its port */
    socklen_t address_len;
};

enum proxy_header_step proxy_header_parse(struct view bytes, struct proxy_header *ret_header);

#endif
