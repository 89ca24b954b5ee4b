/* The agent's API of a running ttf (docs/INSPECTOR.md), over HTTP: the port `asker` of tools. Which ttf: the
 * one whose URL is given, or the first that answers at 127.0.0.1, from the inspector's default port on. That
 * is looked for with the first request, and again when it has gone. */
#ifndef FORWARDER_MCP_AGENT_API_H
#define FORWARDER_MCP_AGENT_API_H

#include "mcp/ask.h"
#include "net/loop.h"

struct agent_api;

struct agent_api_place {
    char host[256]; /* "": it is to be found */
    uint16_t port;
};

/* "http://127.0.0.1:4040", perhaps with what the inspector's page has behind it. NULL, or what is wrong with
 * it (static). */
const char *agent_api_parse(const char *url, struct agent_api_place *ret_place);

/* `password` may be empty; copied. It is shown to a place that was given, never to what is found: any program
 * may listen there. NULL without memory. */
struct agent_api *agent_api_new(struct loop *loop, const struct agent_api_place *place, const char *password);
struct asker agent_api_asker(struct agent_api *api);
/* All that is asked has been answered or cancelled. Not from within an event. */
void agent_api_free(struct agent_api *api);

#endif
