/* See tools.h. */
#include "mcp/tools.h"

static const struct tool tools[] = {
    {"list_tunnels", tool_list_tunnels, false},         {"list_requests", tool_list_requests, false},
    {"inspect_request", tool_inspect_request, false},   {"replay_request", tool_replay_request, false},
    {"compare_requests", tool_compare_requests, false}, {"wait_for_request", tool_wait_for_request, true},
    {"start_tunnel", tool_start_tunnel, false},         {"stop_tunnel", tool_stop_tunnel, false},
};

const struct tool *tool_by_name(const char *name) {
    for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++)
        if (strcmp(name, tools[i].name) == 0) return &tools[i];
    return NULL;
}
