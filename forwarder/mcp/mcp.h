/* `ttf mcp`: the tools of the inspector for coding agents, by the Model Context Protocol over standard input
 * and output (docs/MCP.md). Wires session, stdlines and agent_api. */
#ifndef FORWARDER_MCP_MCP_H
#define FORWARDER_MCP_MCP_H

#include <stdbool.h>

/* `url` of the inspector (NULL: it is found), `password` of it (empty: none; wiped). Until standard input
 * ends. The exit code. */
int mcp_run(const char *url, char *password);

#endif
