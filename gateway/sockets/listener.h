/* Accepts connections on one port, IPv4 and IPv6, and hands them on. Every port of the gateway is opened
 * here. */
#ifndef GATEWAY_LISTENER_H
#define GATEWAY_LISTENER_H

#include "net/loop.h"
#include "sockets/clients.h"

/* Both move to the callee: a non-blocking socket with TCP_NODELAY, and the client to be released with it. */
typedef void listener_fn(void *ctx, int fd, struct client *client, const struct sockaddr *address,
                         socklen_t len);

struct listener;

/* Binds at once; NULL with *ret_why (a static text) and errno when not a single address can be had, or when
 * the address is taken. A machine without IPv6 is no error. `clients` outlives the listener. */
struct listener *listener_new(struct loop *loop, const struct listen_address *address,
                              struct clients *clients, listener_fn *accepted, void *ctx,
                              const char **ret_why);
/* The same for a port of the configuration: what is wrong is said on standard error, with its flag. Sockets
 * that were handed to the process for it (inherited.h) take the place of the address. */
struct listener *listener_open(struct loop *loop, const char *flag, const struct listen_address *address,
                               struct clients *clients, listener_fn *accepted, void *ctx);
/* Who connects while it is held waits in the sockets' queue. It begins not held. */
void listener_hold(struct listener *listener, bool held);
/* From now on attempts to connect get no answer; handshakes under way are finished. Call it a moment before
 * the end, so that nobody who got through is reset by it. */
void listener_turn_away(struct listener *listener);
/* One that was accepted elsewhere comes as if it had been here; `fd` moves. */
void listener_adopt(struct listener *listener, int fd);
/* How many sockets it has; the first `max` of them stay its own. */
size_t listener_sockets(const struct listener *listener, int *ret_fds, size_t max);
/* Takes whoever has connected already. */
void listener_accept_waiting(struct listener *listener);
/* The sockets are closed at once, memory follows with the loop. NULL is fine. */
void listener_free(struct listener *listener);

uint16_t listener_port(const struct listener *listener);
/* "127.0.0.1:8080", of the first address bound. */
void listener_text(const struct listener *listener, char out[ADDRESS_TEXT_MAX]);

#endif
