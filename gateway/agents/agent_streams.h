/* Protocol v2 on an agent's WebSocket: the HTTP/2 session (common/link) whose bytes travel in its binary
 * messages. Parts of agent_link that only links of v2 have. */
#ifndef GATEWAY_AGENT_STREAMS_H
#define GATEWAY_AGENT_STREAMS_H

#include "agents/agent_link.h"

#define AGENT_SUBPROTOCOL_V2 "http-tunnel.v2"

/* The link speaks v2 from now on. False without memory. */
bool agent_streams_start(struct agent_link *link);
/* Each open stream is lost. Harmless on a link of v1. */
void agent_streams_stop(struct agent_link *link);

/* Bytes of a binary message, in any pieces. What is not STATUS_OK ends the link. */
enum status agent_streams_receive(struct agent_link *link, struct view bytes);
/* Writes what is ready as one message. False when the link is broken. */
bool agent_streams_write(struct agent_link *link);

/* The functions of the core's `agents` port that only v2 has. */
void agent_streams_port(struct agents *port);

#endif
