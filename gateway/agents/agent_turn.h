/* What an agent may take of what all share: the time of one turn of the loop, for messages and frames, which
 * may be many and small. One of v1 besides: the loop's time, for messages that take long to read, and memory,
 * for those that are not complete (v2 has windows and a budget for that, common/link), and for those that
 * wait for a store. */
#ifndef GATEWAY_AGENT_TURN_H
#define GATEWAY_AGENT_TURN_H

#include "agents/agent_link.h"

/* One message, whole. Who has used up his turn with it is not read for a while: four times as long as it
 * took, and longer the more of them there are, so that they have a fifth of the time together. Nor is one
 * read of whom the core has many messages that it is not done with, until it has half as many. */
void agent_turn_message(struct agent_link *link, struct view text);
/* link->message has grown, or was given back. */
void agent_turn_count(struct agent_link *link);
/* The same. False: all together hold too much, and this link is the one to go, since its message has been
 * incomplete for the longest time. Others may have gone. */
bool agent_turn_holds(struct agent_link *link);
/* How many of the bytes that have come are taken now, before this is asked again; 0: no more in this turn of
 * the loop. All that was read, as long as it is worth few frames; then as much as is worth a few. A link that
 * has had no rivals lately may have four times as much (base/rivals.h). */
size_t agent_turn_takes(struct agent_link *link);
/* Within those: does it have no more of this turn? */
bool agent_turn_has_had(const struct agent_link *link);
void agent_turn_init(struct agent_link *link);
void agent_turn_done(struct agent_link *link);
/* What is left of `asks` when the core is gone. */
void agent_turn_forget(struct agent_ws *ws);

#endif
