/* The admin port: /healthz (the process is well), /readyz (it may be given visitors),
 * /api/v1/tls-ask?domain=NAME (200: a certificate may be had for that host name), and the API (api.h). */
#ifndef GATEWAY_ADMIN_ADMIN_H
#define GATEWAY_ADMIN_ADMIN_H

#include "base/buf.h"
#include "handler/core.h"
#include "net/loop.h"
#include "sockets/clients.h"

enum admin_state { ADMIN_STARTING, ADMIN_READY, ADMIN_DRAINING };

struct admin;

/* `any_host`: the port is open to other machines, by whatever names they have for it. Otherwise only Host
 * fields that name this machine's loopback are answered (a web page could else ask through a name of its own:
 * DNS rebinding). NULL without memory. */
struct admin *admin_new(struct loop *loop, bool any_host);
/* Knows the names; borrowed until admin_stop. Until then tls-ask is 404. */
void admin_set_core(struct admin *admin, struct core *core);
void admin_set_state(struct admin *admin, enum admin_state state);
/* /readyz stays 200 and says so. `what` is a static text ("redis"); NULL: all is well again. */
void admin_set_degraded(struct admin *admin, const char *what);
/* A page, made at each request by `print`, which returns its media type, or NULL where it cannot be made.
 * `accept` is the request's field, absent where it has none. `path` is borrowed for the admin's life; at most
 * ADMIN_PAGES_MAX pages. */
enum { ADMIN_PAGES_MAX = 4 };
typedef const char *admin_page_fn(void *ctx, struct view accept, struct buf *out);
void admin_add_page(struct admin *admin, const char *path, admin_page_fn *print, void *ctx);
/* Has anybody asked for /readyz within the last minute? A balancer does, again and again. */
bool admin_is_watched(const struct admin *admin);
/* A listener_fn; ctx is the admin. */
void admin_accept(void *ctx, int fd, struct client *client, const struct sockaddr *address, socklen_t len);
/* One that came through a socket that is the gateway's owner's alone. The descriptor moves. */
void admin_accept_owner(struct admin *admin, int fd);
/* What stands under /api/v1/, from now on; borrowed until admin_stop. */
struct api;
void admin_set_api(struct admin *admin, struct api *api);
/* Memory goes in admin_free, after the core has been freed (it may still answer) and the loop has run the
 * close callbacks. NULL is fine for both. */
void admin_stop(struct admin *admin);
void admin_free(struct admin *admin);

#endif
