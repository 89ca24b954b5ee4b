/* See health.h. Blocking, because nothing else happens in this process. */
#include "admin/health.h"

#include <netdb.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>

static const char request[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

static bool ask(const struct addrinfo *info) {
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    struct timeval limit = {.tv_sec = 3};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    char bytes[64] = "";
    bool well = connect(fd, info->ai_addr, info->ai_addrlen) == 0 &&
                send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) == (ssize_t)sizeof(request) - 1 &&
                recv(fd, bytes, sizeof(bytes) - 1, MSG_WAITALL) > 0 &&
                strncmp(bytes, "HTTP/1.1 200 ", 13) == 0;
    close(fd);
    return well;
}

int health_ask(const struct listen_address *admin) {
    bool is_here = strcmp(admin->host, "loopback") == 0 || strcmp(admin->host, "*") == 0 ||
                   strcmp(admin->host, "::") == 0 || strcmp(admin->host, "0.0.0.0") == 0;
    char port[8];
    snprintf(port, sizeof(port), "%u", admin->port);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *infos = NULL;
    /* NULL: this machine's loopback, either family */
    if (getaddrinfo(is_here ? NULL : admin->host, port, &hints, &infos) != 0) return 1;
    bool well = false;
    for (const struct addrinfo *info = infos; info && !well; info = info->ai_next) well = ask(info);
    freeaddrinfo(infos);
    if (!well) fprintf(stderr, "ttf-gateway: nothing healthy answers at port %s\n", port);
    return well ? 0 : 1;
}
