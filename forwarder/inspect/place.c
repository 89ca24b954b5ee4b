/* See place.h. */
#include "inspect/place.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#include "base/platform.h"
#include "net/sockaddr.h"

#define HOST_MAX INET6_ADDRSTRLEN

/* ---- the word ---- */

static bool set_host(struct inspect_place *place, struct view host) {
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&place->address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&place->address;
    char text[HOST_MAX];
    bool is_literal = view_starts_with(host, VIEW("[")) && view_ends_with(host, VIEW("]")) && host.len > 2;
    if (!host.len || view_eq(host, VIEW("localhost"))) host = VIEW("127.0.0.1");
    if (is_literal) host = view_slice(host, 1, host.len - 1);
    if (!view_copy_to(host, text, sizeof(text))) return false;
    place->address.ss_family = is_literal ? AF_INET6 : AF_INET;
    return inet_pton(place->address.ss_family, text,
                     is_literal ? (void *)&v6->sin6_addr : (void *)&v4->sin_addr) == 1;
}

bool inspect_place_parse(struct view word, struct inspect_place *ret_place) {
    size_t colon = view_find_last(word, ':');
    bool has_host = colon < word.len;
    uint64_t port = INSPECT_DEFAULT_PORT;
    *ret_place = (struct inspect_place){.is_asked = word.ptr, .is_off = view_eq(word, VIEW("off"))};
    if (ret_place->is_off) return true;
    if (word.ptr && !view_parse_u64(has_host ? view_skip(word, colon + 1) : word, &port)) return false;
    if (port > UINT16_MAX || !set_host(ret_place, has_host ? view_slice(word, 0, colon) : VIEW("")))
        return false;
    ret_place->port = (uint16_t)port;
    ret_place->is_loopback = sockaddr_is_loopback((const struct sockaddr *)&ret_place->address);
    return true;
}

/* ---- the socket ---- */

static int listen_at(const struct inspect_place *place, uint16_t port) {
    struct sockaddr_storage address = place->address;
    int yes = 1, fd = platform_socket(address.ss_family, SOCK_STREAM, false);
    if (fd < 0) return -1;
    sockaddr_set_port(&address, port);
    socklen_t size = address.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(fd, (const struct sockaddr *)&address, size) == 0 && listen(fd, 32) == 0) return fd;
    int error = errno;
    platform_close_socket(fd);
    errno = error;
    return -1;
}

static void print_url(int fd, char *url, size_t size) {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {.v6 = {0}};
    socklen_t len = sizeof(address);
    char host[HOST_MAX] = "";
    getsockname(fd, &address.any, &len);
    if (address.any.sa_family == AF_INET6) {
        bool is_any = IN6_IS_ADDR_UNSPECIFIED(&address.v6.sin6_addr);
        inet_ntop(AF_INET6, &address.v6.sin6_addr, host, sizeof(host));
        snprintf(url, size, "http://[%s]:%u/", is_any ? "::1" : host, ntohs(address.v6.sin6_port));
        return;
    }
    bool is_any = address.v4.sin_addr.s_addr == htonl(INADDR_ANY);
    inet_ntop(AF_INET, &address.v4.sin_addr, host, sizeof(host));
    snprintf(url, size, "http://%s:%u/", is_any ? "127.0.0.1" : host, ntohs(address.v4.sin_port));
}

int inspect_place_listen(const struct inspect_place *place, char *ret_url, size_t url_size) {
    int error = EADDRINUSE;
    for (unsigned i = 0; i <= INSPECT_PORTS_TRIED && place->port + i <= UINT16_MAX; i++) {
        int fd = listen_at(place, (uint16_t)(place->port + i));
        if (fd >= 0) print_url(fd, ret_url, url_size);
        if (fd >= 0) return fd;
        if (!i) error = errno;
    }
    errno = error;
    return -1;
}
