/* Quotas of tunnels, owners and visitors (docs/QUOTAS.md). */
#ifndef HANDLER_QUOTAS_H
#define HANDLER_QUOTAS_H

#include "http/headers.h"
#include "http/quota.h"

struct exchange;

/* May it be sent to the agent of its claim? Asked as often as one likes, counted once. QUOTA_NONE: yes. */
enum quota quota_admit(struct exchange *exchange);
/* It has ended: what is counted at once goes. */
void quota_leave(struct exchange *exchange);

/* Has its visitor a request left in this second? Counts it. */
bool quota_admit_visitor(struct exchange *exchange);

/* Tells the visitor, and now and then the agent; ends the exchange. From a safe point. */
void quota_refuse(struct exchange *exchange, enum quota quota);
/* Another gateway, which counts it, has refused it so. */
void quota_heard(struct exchange *exchange, const struct headers *headers);

#endif
