/* See kept.h. To find who has most is to look at each agent that has any, which is done when there is no more
 * room, and for each answer once. */
#include "store/kept.h"

#include <stdlib.h>

#include "handler/ports.h"

struct kept_agent {
    struct table_node node;
    struct list answers; /* struct kept_answer.own */
    size_t count, bytes;
    char connection_id[CONNECTION_ID_MAX + 1];
};

void kept_init(struct kept *kept, size_t count_max, size_t bytes_max) {
    *kept = (struct kept){.count_max = count_max, .bytes_max = bytes_max};
    list_init(&kept->answers);
    table_init(&kept->agents);
}

void kept_done(struct kept *kept) {
    table_done(&kept->agents);
}

/* ---- whose ---- */

static struct kept_agent *agent_new(struct kept *kept, struct view connection_id) {
    struct kept_agent *agent = calloc(1, sizeof(*agent));
    if (!agent) return NULL;
    list_init(&agent->answers);
    if (view_copy_to(connection_id, agent->connection_id, sizeof(agent->connection_id)) &&
        table_put(&kept->agents, &agent->node, view_from_cstr(agent->connection_id)))
        return agent;
    free(agent);
    return NULL;
}

static struct kept_agent *agent_of(struct kept *kept, struct view connection_id) {
    struct table_node *node = table_get(&kept->agents, connection_id);
    return node ? TABLE_ENTRY(node, struct kept_agent, node) : agent_new(kept, connection_id);
}

static void agent_forget(struct kept *kept, struct kept_agent *agent) {
    if (kept->newest == agent) kept->newest = NULL;
    table_remove(&kept->agents, &agent->node);
    free(agent);
}

/* ---- what ---- */

bool kept_add(struct kept *kept, struct kept_answer *answer, struct view connection_id, size_t bytes) {
    struct kept_agent *agent = agent_of(kept, connection_id);
    if (!agent) return false;
    answer->agent = kept->newest = agent;
    answer->bytes = bytes;
    list_append(&kept->answers, &answer->node);
    list_append(&agent->answers, &answer->own);
    kept->count++;
    kept->bytes += bytes;
    agent->count++;
    agent->bytes += bytes;
    return true;
}

static void take_bytes(struct kept *kept, struct kept_answer *answer) {
    kept->bytes -= answer->bytes;
    answer->agent->bytes -= answer->bytes;
    answer->bytes = 0;
}

void kept_remove(struct kept *kept, struct kept_answer *answer) {
    struct kept_agent *agent = answer->agent;
    take_bytes(kept, answer);
    list_remove(&answer->node);
    list_remove(&answer->own);
    kept->count--;
    answer->agent = NULL;
    if (--agent->count == 0) agent_forget(kept, agent);
}

void kept_shrink(struct kept *kept, struct kept_answer *answer) {
    take_bytes(kept, answer);
    list_remove(&answer->own);
    list_append(answer->agent->answers.next, &answer->own); /* before the first */
}

/* ---- too much ---- */

struct search {
    struct kept_agent *most;
    bool in_bytes;
};

static void look_at(void *ctx, struct table_node *node) {
    struct search *search = ctx;
    struct kept_agent *agent = TABLE_ENTRY(node, struct kept_agent, node), *most = search->most;
    bool has_more = !most || (search->in_bytes ? agent->bytes > most->bytes : agent->count > most->count);
    if (has_more) search->most = agent;
}

static struct kept_answer *last_of_most(struct kept *kept, bool in_bytes) {
    struct search search = {.most = kept->newest, .in_bytes = in_bytes};
    table_each(&kept->agents, look_at, &search);
    return LIST_ENTRY(search.most->answers.prev, struct kept_answer, own);
}

struct kept_answer *kept_too_many(struct kept *kept) {
    return kept->count > kept->count_max ? last_of_most(kept, false) : NULL;
}

struct kept_answer *kept_too_large(struct kept *kept) {
    return kept->bytes > kept->bytes_max ? last_of_most(kept, true) : NULL;
}
