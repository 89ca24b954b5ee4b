/* Where the inspector listens: a word of the command line or of ttf.yaml, and the socket that is made of it.
 */
#ifndef FORWARDER_INSPECT_PLACE_H
#define FORWARDER_INSPECT_PLACE_H

#include <sys/socket.h>

#include "base/view.h"

#define INSPECT_DEFAULT_PORT 4040
#define INSPECT_PORTS_TRIED 20 /* behind the one that was said */

struct inspect_place {
    bool is_off;
    bool is_asked;    /* somebody said it: why it cannot be is an error, not a line among others */
    bool is_loopback; /* only this machine reaches it */
    struct sockaddr_storage address; /* without the port */
    uint16_t port;                   /* 0: the system chooses */
};

/* "off", "4040", ":4040", "localhost:4040", an IPv4 address or one of IPv6 in brackets, with a port. Absent:
 * the default. False: it is none of these. */
bool inspect_place_parse(struct view word, struct inspect_place *ret_place);

/* A socket that listens there, or at one of the next INSPECT_PORTS_TRIED ports; *ret_url is its page,
 * "http://127.0.0.1:4040/", at this machine's loopback where it listens on all addresses. -1, and errno of
 * the first port: none is free. */
int inspect_place_listen(const struct inspect_place *place, char *ret_url, size_t url_size);

#endif
