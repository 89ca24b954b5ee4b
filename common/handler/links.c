/* Which agents have requests of ours, and how a connection ends that is not to serve any more. */
#include <stdlib.h>

#include "base/log.h"
#include "handler/core_state.h"

struct link_use *link_use_find(struct core *core, struct view connection_id) {
    struct table_node *node = table_get(&core->links, connection_id);
    return node ? TABLE_ENTRY(node, struct link_use, node) : NULL;
}

static void on_retire_timer(struct timer *timer) {
    struct link_use *use = LIST_ENTRY(timer, struct link_use, retire_timer);
    log_from(LOG_LEVEL_INFO, "core", view_from_cstr(use->link.connection),
             "was to finish, and did not in time");
    use->core->ports.agents.close(use->core->ports.agents.ctx, &use->link);
}

struct link_use *link_use_get(struct core *core, const struct link *link) {
    struct link_use *use = link_use_find(core, view_from_cstr(link->connection));
    if (use) return use;
    use = calloc(1, sizeof(*use));
    if (!use) return NULL;
    use->core = core;
    use->link = *link;
    list_init(&use->exchanges);
    timer_init(&use->retire_timer, on_retire_timer);
    if (table_put(&core->links, &use->node, view_from_cstr(use->link.connection))) return use;
    free(use);
    return NULL;
}

void link_use_free(struct link_use *use) {
    timer_stop(use->core->ports.clock.timers, &use->retire_timer);
    table_remove(&use->core->links, &use->node);
    free(use);
}

static bool is_used(const struct link_use *use) {
    return use->stream_count > 0 || !list_empty(&use->exchanges);
}

void link_use_settle(struct link_use *use) {
    if (is_used(use)) return;
    struct agents *agents = &use->core->ports.agents;
    if (use->retiring) agents->close(agents->ctx, &use->link);
    link_use_free(use);
}

struct link_use *link_use_stream(struct core *core, const struct link *link) {
    struct link_use *use = link_use_get(core, link);
    if (use) use->stream_count++;
    return use;
}

void link_use_stream_ended(struct link_use *use) {
    use->stream_count--;
    link_use_settle(use);
}

static void tell(struct core *core, const struct link *link, struct view code, struct view message) {
    struct buf text;
    buf_init(&text, 1024);
    if (v1_encode_error(&text, (struct view){0}, code, message, (struct view){0}))
        core->ports.agents.send(core->ports.agents.ctx, link, buf_view(&text), NULL, NULL, 0);
    buf_done(&text);
}

void link_retire(struct core *core, const struct link *link, struct view code, struct view message) {
    owner_let_go(core, view_from_cstr(link->connection)); /* its tunnel is another connection's, or will be */
    struct link_use *use = link_use_get(core, link);
    if (!use) return;
    use->retiring = !core->ports.agents.is_shared;
    tell(core, link, code, message);
    if (!is_used(use))
        link_use_settle(use);
    else if (use->retiring)
        timer_start(core->ports.clock.timers, &use->retire_timer, core->settings.retire_ms);
}

void link_taken_over(struct core *core, const struct link *link) {
    link_retire(core, link, VIEW(V1_CODE_TAKEN_OVER),
                VIEW("Another agent with the same credentials took this tunnel over."));
}
