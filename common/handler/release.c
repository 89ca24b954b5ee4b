/* A name is given back before its time: its claim, whose agent is gone, expires now. */
#include <stdlib.h>

#include "handler/core_state.h"

struct release {
    struct operation operation;
    core_done_fn *done;
    void *ctx;
};

static void release_drop(struct operation *operation) {
    free(operation);
}

static void finish(struct release *release, enum status status) {
    operation_end(&release->operation);
    release->done(release->ctx, status);
    free(release);
}

static void on_stored(void *target, uint64_t ticket, enum status status) {
    (void)ticket;
    finish(target, status);
}

static void on_claim(void *target, uint64_t ticket, enum status status, const struct claim *claim,
                     struct view options) {
    (void)ticket, (void)options;
    struct release *release = target;
    struct core *core = release->operation.core;
    if (status != STATUS_OK || claim->member.state != CLAIM_OFFLINE) {
        finish(release, status == STATUS_OK ? STATUS_CONFLICT : status);
        return;
    }
    struct claim changed = *claim;
    changed.expires_ms = core_wall_ms(core);
    struct claim_write write = {
        .claim = &changed, .expected_epoch = claim->epoch, .expected_states = CLAIM_OFFLINE};
    core->ports.registry.store(core->ports.registry.ctx, &write, on_stored, release, 0);
}

bool core_release(struct core *core, struct view name, core_done_fn *done, void *ctx) {
    struct release *release = calloc(1, sizeof(*release));
    if (!release) return false;
    release->done = done;
    release->ctx = ctx;
    operation_start(core, &release->operation, release_drop);
    core->ports.registry.lookup(core->ports.registry.ctx, name, on_claim, release, 0);
    return true;
}
