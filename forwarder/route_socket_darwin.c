/* See route_socket.h. */
#include <sys/socket.h>

#include "base/platform.h"
#include "route_socket.h"

int route_socket_open(void) {
    return platform_socket(PF_ROUTE, SOCK_RAW, false);
}
