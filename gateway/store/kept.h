/* Answers of agents that wait until they can be given to the store, and whose they are: so many, and so many
 * bytes of them. Where that is too much the agent that has most of it loses its last one; whose newcomer does
 * not fit, where nobody has more. So no agent, whatever it answers, takes the room of one that has little.
 *
 * Nothing is freed here: who keeps an answer embeds a kept_answer, and takes off what is too much. */
#ifndef STORE_KEPT_H
#define STORE_KEPT_H

#include "base/list.h"
#include "base/table.h"

struct kept_agent;

struct kept_answer {
    struct list node; /* of kept->answers, the first that was kept first */
    struct list own;  /* of its agent's: those without their bytes before the others */
    struct kept_agent *agent;
    size_t bytes;
};

struct kept {
    struct list answers;       /* struct kept_answer */
    struct table agents;       /* struct kept_agent by connection id: those that have some */
    struct kept_agent *newest; /* whose was kept last; NULL when it has none any more */
    size_t count, bytes, count_max, bytes_max;
};

void kept_init(struct kept *kept, size_t count_max, size_t bytes_max);
/* When all have been taken off. */
void kept_done(struct kept *kept);

/* False, and nothing is kept, without memory. The id of the connection is copied. */
bool kept_add(struct kept *kept, struct kept_answer *answer, struct view connection_id, size_t bytes);
void kept_remove(struct kept *kept, struct kept_answer *answer);
/* It is kept without what was large in it, and counts no bytes from now on. */
void kept_shrink(struct kept *kept, struct kept_answer *answer);

/* The one that is to be taken off, or (large) to be taken off or shrunk; NULL: there is room for all. */
struct kept_answer *kept_too_many(struct kept *kept);
struct kept_answer *kept_too_large(struct kept *kept);

#endif
