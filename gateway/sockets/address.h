/* Where to listen, and networks: "host:port", ":port" and "*:port" (all addresses), "[::1]:port",
 * "loopback:port" (both 127.0.0.1 and ::1); port 0 lets the kernel choose. Networks are "10.0.0.0/8",
 * "fd00::/8", or one address. */
#ifndef GATEWAY_ADDRESS_H
#define GATEWAY_ADDRESS_H

#include <sys/socket.h>

#include "base/view.h"

#define ADDRESS_HOST_MAX 253
#define ADDRESS_TEXT_MAX 64

struct listen_address {
    char host[ADDRESS_HOST_MAX + 1]; /* "loopback", "*", a literal without brackets, or a name */
    uint16_t port;
};

/* On failure *ret_why is a text for the user. */
bool listen_address_parse(struct view text, struct listen_address *ret_address, const char **ret_why);
/* Says nothing of names other than "loopback" and "localhost". */
bool listen_address_is_loopback(const struct listen_address *address);

struct network {
    unsigned char bytes[16];
    unsigned bits;
    bool is_v6;
};

bool network_parse(struct view text, struct network *ret_network);
bool network_has(const struct network *network, const struct sockaddr *address);

/* A literal, without brackets and port. */
bool sockaddr_parse(struct view text, struct sockaddr_storage *ret_address);
/* The address without its port; "?" for what is no IP address. */
void address_text(const struct sockaddr *address, char out[ADDRESS_TEXT_MAX]);
/* The bytes that tell two clients apart; their count (4 or 16, 0 for what is no IP address). */
size_t address_bytes(const struct sockaddr *address, unsigned char out[16]);

#endif
