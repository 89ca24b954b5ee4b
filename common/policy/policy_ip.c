/* allow-ip, deny-ip: IPv4 and IPv6 addresses and networks. An IPv4 address that came mapped into IPv6
 * (::ffff:192.0.2.1, RFC 4291 2.5.5.2) is that IPv4 address. */
#include <arpa/inet.h>

#include "policy/policy_rules.h"

struct network {
    unsigned char bytes[16]; /* IPv4: mapped */
    unsigned prefix;         /* bits, of 128 */
};

static bool read_address(struct view text, unsigned char out[16], bool *ret_is_v4) {
    char copy[INET6_ADDRSTRLEN + 1];
    if (!view_copy_to(text, copy, sizeof(copy))) return false;
    memset(out, 0, 10);
    memset(out + 10, 0xff, 2);
    *ret_is_v4 = inet_pton(AF_INET, copy, out + 12) == 1;
    return *ret_is_v4 || inet_pton(AF_INET6, copy, out) == 1;
}

static bool read_network(struct view text, struct network *ret_network) {
    size_t slash = view_find(text, '/');
    uint64_t bits;
    bool is_v4;
    if (!read_address(view_slice(text, 0, slash), ret_network->bytes, &is_v4)) return false;
    uint64_t most = is_v4 ? 32 : 128;
    if (slash == text.len)
        bits = most;
    else if (!view_parse_u64(view_skip(text, slash + 1), &bits) || bits > most)
        return false;
    ret_network->prefix = (unsigned)(is_v4 ? bits + 96 : bits);
    return true;
}

static bool holds(const struct network *network, const unsigned char address[16]) {
    unsigned whole = network->prefix / 8, rest = network->prefix % 8;
    if (memcmp(network->bytes, address, whole) != 0) return false;
    return rest == 0 || (network->bytes[whole] ^ address[whole]) >> (8 - rest) == 0;
}

bool policy_ip_valid(struct view value) {
    struct view rest = value, item;
    struct network network;
    while (view_split(&rest, ',', &item))
        if (!read_network(view_trim(item), &network)) return false;
    return true; /* of nothing at all the first item is empty */
}

/* 1: among them, 0: not, -1: that is no address. */
static int is_among(struct view value, struct view address) {
    struct view rest = value, item;
    struct network network;
    unsigned char bytes[16];
    bool is_v4;
    address = view_slice(address, 0, view_find(address, '%')); /* a zone counts for nobody else */
    if (!read_address(address, bytes, &is_v4)) return -1;
    while (view_split(&rest, ',', &item))
        if (read_network(view_trim(item), &network) && holds(&network, bytes)) return 1;
    return 0;
}

enum policy_verdict policy_allow_ip_check(struct view value, const struct policy_request *request,
                                          struct policy_outcome *outcome) {
    (void)outcome;
    return is_among(value, request->address) == 1 ? POLICY_LETS_IN : POLICY_REFUSES;
}

enum policy_verdict policy_deny_ip_check(struct view value, const struct policy_request *request,
                                         struct policy_outcome *outcome) {
    (void)outcome;
    return is_among(value, request->address) == 0 ? POLICY_LETS_IN : POLICY_REFUSES;
}
