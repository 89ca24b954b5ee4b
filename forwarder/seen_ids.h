/* The request ids of the recent past: messages may come twice (DynamoDB Streams and API Gateway deliver at
 * least once), and a request must not be executed twice. Remembers the newest SEEN_IDS_MAX. */
#ifndef FORWARDER_SEEN_IDS_H
#define FORWARDER_SEEN_IDS_H

#include "base/list.h"
#include "base/table.h"

#define SEEN_IDS_MAX 8192u

struct seen_ids {
    struct table table;
    struct list oldest_first;
};

void seen_ids_init(struct seen_ids *seen);
void seen_ids_done(struct seen_ids *seen);

/* True when the id is new (it is not any more); also without memory, when nothing can be remembered. */
bool seen_ids_add(struct seen_ids *seen, struct view id);

#endif
