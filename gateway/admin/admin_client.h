/* Asks the administration of a gateway, for `ttf-gateway admin`: blocking, one connection a question. */
#ifndef GATEWAY_ADMIN_CLIENT_H
#define GATEWAY_ADMIN_CLIENT_H

#include <jansson.h>

#include "base/buf.h"
#include "config/config.h"

struct admin_client {
    const char *socket; /* path; NULL: the admin port, with the token */
    const struct listen_address *port;
    struct view token;
    bool is_quiet; /* what goes wrong is not said */
};

/* Which way the settings lead; `token` has room for SECRET_TEXT_MAX bytes and is borrowed. False after saying
 * why on standard error. */
bool admin_client_init(struct admin_client *client, const struct config *config, char *token);

/* Appends '/' and a segment of the path, whatever bytes it has. */
void admin_target_descend(struct buf *target, struct view segment);

/* Appends "?name=value", or '&' where a '?' is there already. */
void admin_target_add(struct buf *target, const char *name, struct view value);

/* The answer, NULL after saying on standard error what went wrong (unless `is_quiet`), which what the gateway
 * says is, too. */
json_t *admin_client_ask(const struct admin_client *client, const char *method, struct view target);

#endif
