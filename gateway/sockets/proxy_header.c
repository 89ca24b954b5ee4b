/* See proxy_header.h. */
#include "sockets/proxy_header.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#define V1_MAX 107
#define V2_HEAD 16
#define V2_SIGNATURE VIEW("\r\n\r\n\0\r\nQUIT\n")

static void set_v4(struct proxy_header *header, const void *address, uint16_t port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    memcpy(&to.sin_addr, address, sizeof(to.sin_addr));
    memcpy(&header->address, &to, sizeof(to));
    header->address_len = sizeof(to);
    header->has_address = true;
}

static void set_v6(struct proxy_header *header, const void *address, uint16_t port) {
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    memcpy(&to.sin6_addr, address, sizeof(to.sin6_addr));
    memcpy(&header->address, &to, sizeof(to));
    header->address_len = sizeof(to);
    header->has_address = true;
}

/* ---- version 1: one line ---- */

/* Decimal, without zeros in front. */
static bool port_parse(struct view text, uint16_t *ret_port) {
    uint64_t number;
    if (text.len == 0 || text.len > 5 || (text.len > 1 && text.ptr[0] == '0')) return false;
    if (!view_parse_u64(text, &number) || number > UINT16_MAX) return false;
    *ret_port = (uint16_t)number;
    return true;
}

static bool address_parse(int family, struct view text, unsigned char out[16]) {
    char copy[INET6_ADDRSTRLEN];
    return view_copy_to(text, copy, sizeof(copy)) && inet_pton(family, copy, out) == 1;
}

static bool read_tcp(struct view rest, int family, struct proxy_header *header) {
    struct view parts[4];
    unsigned char from[16], to[16];
    uint16_t from_port, to_port;
    for (size_t i = 0; i < 4; i++)
        if (!view_split(&rest, ' ', &parts[i])) return false;
    if (rest.ptr) return false; /* more, or a space at the end */
    if (!address_parse(family, parts[0], from) || !address_parse(family, parts[1], to) ||
        !port_parse(parts[2], &from_port) || !port_parse(parts[3], &to_port))
        return false;
    if (family == AF_INET)
        set_v4(header, from, from_port);
    else
        set_v6(header, from, from_port);
    return true;
}

static bool read_line(struct view line, struct proxy_header *header) {
    if (view_eq(line, VIEW("PROXY UNKNOWN")) || view_starts_with(line, VIEW("PROXY UNKNOWN "))) return true;
    if (view_starts_with(line, VIEW("PROXY TCP4 "))) return read_tcp(view_skip(line, 11), AF_INET, header);
    return view_starts_with(line, VIEW("PROXY TCP6 ")) && read_tcp(view_skip(line, 11), AF_INET6, header);
}

static enum proxy_header_step parse_v1(struct view bytes, struct proxy_header *header) {
    size_t end = view_find(view_slice(bytes, 0, V1_MAX), '\n');
    if (end == bytes.len) return bytes.len < V1_MAX ? PROXY_HEADER_MORE : PROXY_HEADER_BAD;
    if (end >= V1_MAX || end < 1 || bytes.ptr[end - 1] != '\r') return PROXY_HEADER_BAD;
    header->len = end + 1;
    return read_line(view_slice(bytes, 0, end - 1), header) ? PROXY_HEADER_DONE : PROXY_HEADER_BAD;
}

/* ---- version 2: binary ---- */

static uint16_t number_at(const unsigned char *at) {
    return (uint16_t)(at[0] << 8 | at[1]);
}

/* Behind the head: addresses, then ports; what is said beyond them is passed over. */
static bool read_addresses(const unsigned char *head, struct proxy_header *header) {
    const unsigned char *at = head + V2_HEAD;
    size_t len = number_at(head + 14);
    switch (head[13]) {
    case 0x11: /* TCP over IPv4 */
        if (len < 12) return false;
        set_v4(header, at, number_at(at + 8));
        return true;
    case 0x21: /* TCP over IPv6 */
        if (len < 36) return false;
        set_v6(header, at, number_at(at + 32));
        return true;
    case 0x00: /* unspecified */
    case 0x31: /* a Unix socket */ return true;
    default: return false;
    }
}

static enum proxy_header_step parse_v2(struct view bytes, struct proxy_header *header) {
    const unsigned char *head = (const unsigned char *)bytes.ptr;
    if (bytes.len < V2_HEAD) return PROXY_HEADER_MORE;
    header->len = (size_t)V2_HEAD + number_at(head + 14);
    bool is_local = head[12] == 0x20, is_proxied = head[12] == 0x21;
    if ((!is_local && !is_proxied) || header->len > PROXY_HEADER_MAX) return PROXY_HEADER_BAD;
    if (bytes.len < header->len) return PROXY_HEADER_MORE;
    return is_local || read_addresses(head, header) ? PROXY_HEADER_DONE : PROXY_HEADER_BAD;
}

static bool begins(struct view bytes, struct view with) {
    size_t len = bytes.len < with.len ? bytes.len : with.len;
    return view_eq(view_slice(bytes, 0, len), view_slice(with, 0, len));
}

enum proxy_header_step proxy_header_parse(struct view bytes, struct proxy_header *ret_header) {
    *ret_header = (struct proxy_header){.len = 0};
    if (bytes.len == 0) return PROXY_HEADER_MORE;
    if (begins(bytes, V2_SIGNATURE)) return parse_v2(bytes, ret_header);
    return begins(bytes, VIEW("PROXY ")) ? parse_v1(bytes, ret_header) : PROXY_HEADER_BAD;
}
