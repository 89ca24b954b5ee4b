/* The URLs by which this gateway is known where no setting says one. */
#ifndef GATEWAY_URLS_H
#define GATEWAY_URLS_H

#include "config/config.h"
#include "entrance.h"

/* What the URLs shown to people begin with; no slash at its end. */
void urls_public(const struct config *config, const struct entrance *visitors, char ret_url[PUBLIC_URL_MAX]);
/* How other gateways reach the agent port; a port on all addresses by the machine's name. `size` is that of
 * ret_url. */
void urls_peer(const struct config *config, const struct listener *agent_port, char *ret_url, size_t size);

#endif
