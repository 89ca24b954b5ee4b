/* An agent's connection has ended: its requests learn of it, and its claim goes offline if it is still that
 * connection's. */
#include <stdlib.h>

#include "base/heap.h"
#include "base/log.h"
#include "handler/core_state.h"

struct disconnect {
    struct operation operation;
    core_done_fn *done;
    void *ctx;
    char connection_id[CONNECTION_ID_MAX + 1];
};

static struct claim offline(const struct core *core, const struct claim *claim) {
    struct claim changed = *claim;
    changed.member.state = CLAIM_OFFLINE;
    changed.member.changed_ms = core_wall_ms(core);
    changed.expires_ms =
        changed.member.changed_ms +
        (claim_is_anonymous(claim) ? core->settings.keep_anonymous_ms : core->settings.keep_owned_ms);
    return changed;
}

static void disconnect_drop(struct operation *operation) {
    free(operation);
}

static void on_removed(void *target, uint64_t ticket, enum status status) {
    (void)ticket;
    struct disconnect *disconnect = target;
    operation_end(&disconnect->operation);
    if (disconnect->done) disconnect->done(disconnect->ctx, status);
    free(disconnect);
}

static void remove_connection(struct disconnect *disconnect) {
    struct registry *registry = &disconnect->operation.core->ports.registry;
    registry->remove_connection(registry->ctx, view_from_cstr(disconnect->connection_id), on_removed,
                                disconnect, 0);
}

/* A conflict means that the claim has moved on to another connection, which is fine. */
static void on_offline(void *target, uint64_t ticket, enum status status) {
    (void)ticket;
    (void)status;
    remove_connection(target);
}

static void on_connection(void *target, uint64_t ticket, enum status status, const struct claim *accepted,
                          struct view options) {
    (void)ticket, (void)options;
    struct disconnect *disconnect = target;
    if (status != STATUS_OK) {
        remove_connection(disconnect);
        return;
    }
    struct core *core = disconnect->operation.core;
    struct claim claim = offline(core, accepted);
    struct claim_write write = {
        .claim = &claim, .expected_epoch = claim.epoch, .expected_states = CLAIM_CONNECTING | CLAIM_READY};
    core->ports.registry.store(core->ports.registry.ctx, &write, on_offline, disconnect, 0);
}

/* ---- found out otherwise: by a message that could not be sent, or its token's end ---- */

struct gone {
    struct operation operation;
};

static void gone_drop(struct operation *operation) {
    free(operation);
}

static void on_gone_stored(void *target, uint64_t ticket, enum status status) {
    (void)ticket;
    (void)status;
    struct gone *gone = target;
    operation_end(&gone->operation);
    free(gone);
}

void claim_gone(struct core *core, const struct claim *claim) {
    struct gone *gone = calloc(1, sizeof(*gone));
    if (!gone) return; /* the next message finds out too */
    operation_start(core, &gone->operation, gone_drop);
    struct claim changed = offline(core, claim);
    struct claim_write write = {
        .claim = &changed, .expected_epoch = claim->epoch, .expected_states = CLAIM_CONNECTING | CLAIM_READY};
    core->ports.registry.store(core->ports.registry.ctx, &write, on_gone_stored, gone, 0);
}

/* ---- told by the host ---- */

void link_lost(struct core *core, struct view connection_id) {
    struct link_use *use = link_use_find(core, connection_id);
    if (!use) return;
    use->retiring = false; /* it is closed already */
    struct list lost;
    list_init(&lost);
    list_move_all(&lost, &use->exchanges);
    for (struct list *node; (node = list_pop(&lost));) {
        struct exchange *exchange = LIST_ENTRY(node, struct exchange, link_node);
        exchange->link = NULL;
        mailbox_delivery_agent_gone(exchange);
    }
    link_use_settle(use);
}

void core_disconnect(struct core *core, struct view connection_id, core_done_fn *done, void *ctx) {
    link_lost(core, connection_id);
    owner_let_go(core, connection_id);
    chunks_forget(&core->chunks, connection_id);
    struct disconnect *disconnect = heap_alloc_owed(sizeof(*disconnect));
    disconnect->done = done;
    disconnect->ctx = ctx;
    view_copy_to(connection_id, disconnect->connection_id, sizeof(disconnect->connection_id));
    operation_start(core, &disconnect->operation, disconnect_drop);
    core->ports.registry.lookup_connection(core->ports.registry.ctx, connection_id, on_connection, disconnect,
                                           0);
}
