/* A connection serves no longer than the token that it was let in with. Who holds connections calls
 * core_expire() at the time that it was told; where nobody does (the Lambda), the claim says when, and who
 * comes after that finds out. In either case nothing is given to it any more. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "handler/core_state.h"

bool claim_has_expired(const struct core *core, const struct claim *claim) {
    return claim->member.until_ms && claim->member.until_ms <= core_wall_ms(core);
}

static void end_link(struct core *core, const struct link *link, const char *what) {
    char text[100];
    log_from(LOG_LEVEL_INFO, "core", view_from_cstr(link->connection), "its %s has expired", what);
    snprintf(text, sizeof(text), "The %s of this connection has expired: connect with a new one.", what);
    link_retire(core, link, VIEW(V1_CODE_TOKEN_EXPIRED), view_from_cstr(text));
}

void claim_expired(struct core *core, const struct claim *claim) {
    if (!core->ports.agents.is_shared) return;
    claim_gone(core, claim);
    end_link(core, &claim->member.link, "token"); /* agents have no certificates there */
}

/* ---- told by the host ---- */

struct expire {
    struct operation operation;
};

static void expire_drop(struct operation *operation) {
    free(operation);
}

static void on_connection(void *target, uint64_t ticket, enum status status, const struct claim *claim,
                          struct view options) {
    (void)ticket, (void)options;
    struct expire *expire = target;
    if (status == STATUS_OK) claim_gone(expire->operation.core, claim);
    operation_end(&expire->operation);
    free(expire);
}

void core_expire(struct core *core, struct view connection_id, bool by_certificate) {
    struct registry *registry = &core->ports.registry;
    struct link link = {.gateway = ""};
    struct expire *expire = calloc(1, sizeof(*expire));
    if (expire) { /* otherwise when its connection has ended */
        operation_start(core, &expire->operation, expire_drop);
        registry->lookup_connection(registry->ctx, connection_id, on_connection, expire, 0);
    }
    if (view_copy_to(connection_id, link.connection, sizeof(link.connection)))
        end_link(core, &link, by_certificate ? "certificate" : "token");
}
