/* The admin port as a socket in the file system, which only the gateway's own user (and root) can open: for
 * `ttf-gateway admin` on the same machine, without a token. */
#ifndef GATEWAY_ADMIN_SOCKET_H
#define GATEWAY_ADMIN_SOCKET_H

#include "admin/admin.h"

struct admin_socket;

/* Binds it beside its path, mode 0600. NULL with *ret_why (a static text), also where another gateway listens
 * at the path, unless this one `takes_over` from it. */
struct admin_socket *admin_socket_open(struct loop *loop, const char *path, bool takes_over,
                                       struct admin *admin, const char **ret_why);
/* From now on it is what stands at the path; what a dead gateway has left there is replaced. */
bool admin_socket_show(struct admin_socket *opened);
/* Closes it and removes the file; memory follows with the loop. NULL is fine. */
void admin_socket_free(struct admin_socket *opened);

/* A connection to it, blocking; -1 with errno. */
int admin_socket_connect(const char *path);

#endif
