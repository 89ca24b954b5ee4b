/* The tools that there are. What each takes and gives is in tools.json. */
#ifndef FORWARDER_MCP_TOOLS_H
#define FORWARDER_MCP_TOOLS_H

#include "mcp/tool_call.h"

extern const unsigned char tools_json[];
extern const size_t tools_json_len;

/* NULL: there is none. */
const struct tool *tool_by_name(const char *name);

/* tools_tunnels.c */
void tool_list_tunnels(struct tool_call *call);
void tool_start_tunnel(struct tool_call *call);
void tool_stop_tunnel(struct tool_call *call);
/* tools_requests.c */
void tool_list_requests(struct tool_call *call);
void tool_inspect_request(struct tool_call *call);
void tool_compare_requests(struct tool_call *call);
/* tools_replay.c */
void tool_replay_request(struct tool_call *call);
/* tools_wait.c */
void tool_wait_for_request(struct tool_call *call);

/* Asks for the lines of requests as the call's filters say, those behind `call->watch.after` (where that is
 * not known: behind the newest now), and again whenever something has happened, until `look` ends the call.
 * When the time is over it gets NULL, and must. (tools_wait.c) */
void tool_watch(struct tool_call *call, unsigned seconds, tool_look_fn *look);
/* The parameters of the filters that the call names. (tools_requests.c) */
void tool_add_filters(const struct tool_call *call, struct buf *target);

#endif
