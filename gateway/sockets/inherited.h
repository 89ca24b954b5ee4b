/* Listening sockets that were open before the process was: systemd opened them (socket activation,
 * sd_listen_fds(3)), or the gateway that this one takes over from (handover.h). Each has the name of a port:
 * "public", "public-tls", "agent", "agent-tls" or "admin"; a port may have several (IPv4 and IPv6). */
#ifndef GATEWAY_INHERITED_H
#define GATEWAY_INHERITED_H

#include <stdbool.h>
#include <stddef.h>

enum { INHERITED_FIRST_FD = 3, INHERITED_MAX = 32 };

/* Reads LISTEN_FDS, LISTEN_FDNAMES and LISTEN_PID, and takes them out of the environment. `from_parent`: they
 * are of the process that started this one, which could not know our id. Call it once, before any socket is
 * opened. */
void inherited_init(bool from_parent);
/* Moves the sockets of that name to the caller, ready for the loop; returns how many, at most `max`. What
 * does not listen for TCP is closed and said on standard error. */
size_t inherited_take(const char *name, int *ret_fds, size_t max);
/* All ports have been opened: closes what nobody has asked for, and says so on standard error. */
void inherited_close_rest(void);

#endif
