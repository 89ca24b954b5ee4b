/* libFuzzer target: headers of the PROXY protocol. However the bytes are cut, the verdict is the same; a
 * header is never longer than its bound, and what stands behind it changes nothing. */
#include <netinet/in.h>

#include "fuzz.h"
#include "sockets/proxy_header.h"

static enum proxy_header_step parse(const uint8_t *data, size_t size, struct proxy_header *ret_header) {
    char *copy = exact_copy(view_of(data, size));
    enum proxy_header_step step = proxy_header_parse(view_of(copy, size), ret_header);
    free(copy);
    return step;
}

static void require_sound(const struct proxy_header *header, size_t size) {
    require(header->len > 0 && header->len <= size && header->len <= PROXY_HEADER_MAX);
    if (!header->has_address) return;
    bool is_v4 = header->address.ss_family == AF_INET, is_v6 = header->address.ss_family == AF_INET6;
    require(is_v4 || is_v6);
    require(header->address_len == (is_v4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct proxy_header header, part;
    if (size > 2 * PROXY_HEADER_MAX) return 0;
    enum proxy_header_step step = parse(data, size, &header);
    require(step != PROXY_HEADER_MORE || size < PROXY_HEADER_MAX);
    if (step != PROXY_HEADER_DONE) return 0;
    require_sound(&header, size);
    for (size_t cut = 0; cut < header.len; cut++) require(parse(data, cut, &part) == PROXY_HEADER_MORE);
    require(parse(data, header.len, &part) == PROXY_HEADER_DONE);
    require(part.len == header.len && part.has_address == header.has_address);
    require(memcmp(&part.address, &header.address, sizeof(part.address)) == 0);
    return 0;
}
