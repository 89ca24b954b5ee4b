/* See address.h. */
#include "sockets/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

static const char *const shape = "expected host:port, :port (all addresses) or loopback:port";

static bool split_host(struct view text, struct view *ret_host, struct view *ret_port) {
    size_t colon = view_find_last(text, ':');
    if (colon == text.len) return false;
    *ret_port = view_skip(text, colon + 1);
    struct view host = view_slice(text, 0, colon);
    if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        host = view_slice(host, 1, host.len - 1);
    else if (view_find(host, ':') != host.len)
        return false; /* an IPv6 literal without brackets */
    *ret_host = host;
    return true;
}

bool listen_address_parse(struct view text, struct listen_address *ret_address, const char **ret_why) {
    struct view host, port;
    uint64_t number;
    *ret_why = shape;
    if (!split_host(text, &host, &port)) return false;
    if (!view_parse_u64(port, &number) || number > 65535) {
        *ret_why = "the port is not a number from 0 to 65535";
        return false;
    }
    if (host.len == 0) host = VIEW("*");
    if (view_eq_nocase(host, VIEW("localhost"))) host = VIEW("loopback");
    if (!view_copy_to(host, ret_address->host, sizeof(ret_address->host))) return false;
    ret_address->port = (uint16_t)number;
    return true;
}

bool listen_address_is_loopback(const struct listen_address *address) {
    struct in_addr v4;
    struct in6_addr v6;
    if (strcmp(address->host, "loopback") == 0) return true;
    if (inet_pton(AF_INET, address->host, &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
    return inet_pton(AF_INET6, address->host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

bool network_parse(struct view text, struct network *ret_network) {
    struct view address = view_slice(text, 0, view_find(text, '/'));
    char host[ADDRESS_TEXT_MAX];
    if (!view_copy_to(address, host, sizeof(host))) return false;
    *ret_network = (struct network){.bits = 0};
    if (inet_pton(AF_INET, host, ret_network->bytes) == 1)
        ret_network->bits = 32;
    else if (inet_pton(AF_INET6, host, ret_network->bytes) == 1)
        ret_network->bits = 128, ret_network->is_v6 = true;
    else
        return false;
    if (address.len == text.len) return true;
    uint64_t bits;
    if (!view_parse_u64(view_skip(text, address.len + 1), &bits) || bits > ret_network->bits) return false;
    ret_network->bits = (unsigned)bits;
    return true;
}

bool network_has(const struct network *network, const struct sockaddr *address) {
    unsigned char bytes[16];
    if (address_bytes(address, bytes) != (network->is_v6 ? 16u : 4u)) return false;
    unsigned whole = network->bits / 8, rest = network->bits % 8;
    if (memcmp(bytes, network->bytes, whole) != 0) return false;
    return rest == 0 || ((bytes[whole] ^ network->bytes[whole]) >> (8 - rest)) == 0;
}

bool sockaddr_parse(struct view text, struct sockaddr_storage *ret_address) {
    char host[ADDRESS_TEXT_MAX];
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    memset(ret_address, 0, sizeof(*ret_address));
    if (!view_copy_to(text, host, sizeof(host))) return false;
    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1)
        memcpy(ret_address, &v4, sizeof(v4));
    else if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1)
        memcpy(ret_address, &v6, sizeof(v6));
    else
        return false;
    return true;
}

void address_text(const struct sockaddr *address, char out[ADDRESS_TEXT_MAX]) {
    unsigned char bytes[16];
    size_t len = address_bytes(address, bytes);
    if (len == 0 || !inet_ntop(len == 4 ? AF_INET : AF_INET6, bytes, out, ADDRESS_TEXT_MAX))
        snprintf(out, ADDRESS_TEXT_MAX, "?");
}

size_t address_bytes(const struct sockaddr *address, unsigned char out[16]) {
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof(v4));
        memcpy(out, &v4.sin_addr, 4);
        return 4;
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof(v6));
        if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
            memcpy(out, v6.sin6_addr.s6_addr + 12, 4);
            return 4;
        }
        memcpy(out, &v6.sin6_addr, 16);
        return 16;
    }
    return 0;
}
