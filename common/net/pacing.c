/* See pacing.h. */
#include "net/pacing.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "net/sockaddr.h"

#define NAME_MAX_BYTES 16 /* TCP_CA_NAME_MAX of Linux */

void pacing_spare(int fd, const struct sockaddr *address) {
#ifdef TCP_CONGESTION
    static const char unpaced[] = "reno"; /* every kernel has it, and every user may ask for it */
    char name[NAME_MAX_BYTES] = "";
    socklen_t len = sizeof(name);
    if (!sockaddr_is_loopback(address)) return;
    if (getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len) != 0) return;
    if (strncmp(name, "bbr", 3) == 0)
        setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, unpaced, sizeof(unpaced) - 1);
#else
    (void)fd, (void)address;
#endif
}
