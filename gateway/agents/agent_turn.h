/* What an agent of v1 may take of what all share: the loop's time, for messages that take long to read, and
 * memory, for those that are not complete. (v2 has windows and a budget for both, common/link.) */
#ifndef GATEWAY_AGENT_TURN_H
#define GATEWAY_AGENT_TURN_H

#include "agents/agent_link.h"

/* One message, whole. Who has used up his turn with it is not read for a while: four times as long as it
 * took, and longer the more of them there are, so that they have a fifth of the time together. */
void agent_turn_message(struct agent_link *link, struct view text);
/* link->message has grown, or was given back. */
void agent_turn_count(struct agent_link *link);
/* The same. False: all together hold too much, and this link is the one to go, since its message has been
 * incomplete for the longest time. Others may have gone. */
bool agent_turn_holds(struct agent_link *link);
void agent_turn_init(struct agent_link *link);
void agent_turn_done(struct agent_link *link);

#endif
