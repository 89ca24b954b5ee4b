/* What an owner has here in all, over his tunnels: agents that are connected, requests at once, and what is
 * left of his buckets. An owner without anything of it costs nothing. */
#include "handler/owners.h"

#include <stdlib.h>

#include "handler/core_state.h"

/* An agent's connection, counted for the owner of its tunnel. */
struct holding {
    struct table_node node; /* core.holdings */
    struct owner_use *owner;
    char connection[CONNECTION_ID_MAX + 1];
};

struct owner_use *owner_use_get(struct core *core, const char *name) {
    struct table_node *node = table_get(&core->owners, view_from_cstr(name));
    struct owner_use *owner = node ? TABLE_ENTRY(node, struct owner_use, node) : calloc(1, sizeof(*owner));
    if (!owner) return NULL;
    if (!node) {
        list_init(&owner->untold_node);
        view_copy_to(view_from_cstr(name), owner->name, sizeof(owner->name));
        if (!table_put(&core->owners, &owner->node, view_from_cstr(owner->name))) {
            free(owner);
            return NULL;
        }
    }
    owner->use_count++;
    return owner;
}

void owner_use_end(struct core *core, struct owner_use *owner) {
    if (--owner->use_count > 0) return;
    list_remove(&owner->untold_node);
    table_remove(&core->owners, &owner->node);
    free(owner);
}

/* ---- tunnels at once ---- */

static struct holding *holding_of(struct core *core, struct view connection) {
    struct table_node *node = table_get(&core->holdings, connection);
    return node ? TABLE_ENTRY(node, struct holding, node) : NULL;
}

static void holding_free(struct core *core, struct holding *holding) {
    holding->owner->tunnel_count--;
    owner_use_end(core, holding->owner);
    table_remove(&core->holdings, &holding->node);
    free(holding);
}

static bool hold(struct core *core, const struct claim *claim, struct owner_use *owner) {
    struct holding *holding = calloc(1, sizeof(*holding));
    if (!holding) return false;
    holding->owner = owner;
    memcpy(holding->connection, claim->member.link.connection, sizeof(holding->connection));
    if (!table_put(&core->holdings, &holding->node, view_from_cstr(holding->connection))) {
        free(holding);
        return false;
    }
    owner->tunnel_count++;
    return true;
}

bool owner_hold(struct core *core, const struct claim *claim, size_t most, bool replaces) {
    if (!most || !core->settings.keeps_links || claim_is_anonymous(claim)) return true;
    if (holding_of(core, view_from_cstr(claim->member.link.connection))) return true;
    struct owner_use *owner = owner_use_get(core, claim->owner);
    bool may = owner && (replaces || owner->tunnel_count < most) && hold(core, claim, owner);
    if (owner && !may) owner_use_end(core, owner);
    return may;
}

void owner_let_go(struct core *core, struct view connection) {
    struct holding *holding = holding_of(core, connection);
    if (holding) holding_free(core, holding);
}

static void free_holding(void *ctx, struct table_node *node) {
    holding_free(ctx, TABLE_ENTRY(node, struct holding, node));
}

void owners_done(struct core *core) {
    table_each(&core->holdings, free_holding, core);
    table_done(&core->holdings);
    timer_stop(core->ports.clock.timers, &core->spend_timer);
    table_done(&core->owners);
}
