/* May a proxy in front ask a certificate authority for this name? Every certificate is public and counts
 * against a quota, so that a stranger must not be able to cause one: not by asking for a name, and not by
 * claiming it without a token. Random ids are for nobody's eyes and have the wildcard certificate. */
#include <stdlib.h>

#include "handler/core_state.h"
#include "http/host.h"

struct certify {
    struct operation operation;
    struct task task;
    enum status verdict;
    core_done_fn *done;
    void *ctx;
};

static void certify_drop(struct operation *operation) {
    struct certify *certify = LIST_ENTRY(operation, struct certify, operation);
    task_cancel(&certify->task);
    free(certify);
}

static void finish(struct certify *certify, enum status verdict) {
    operation_end(&certify->operation);
    certify->done(certify->ctx, verdict);
    free(certify);
}

static void on_task(struct task *task) {
    struct certify *certify = LIST_ENTRY(task, struct certify, task);
    finish(certify, certify->verdict);
}

static void on_claim(void *target, uint64_t ticket, enum status status, const struct claim *claim,
                     struct view options) {
    (void)ticket, (void)options;
    finish(target, status == STATUS_OK && claim_is_anonymous(claim) ? STATUS_NOT_FOUND : status);
}

bool core_certify(struct core *core, struct view name, core_done_fn *done, void *ctx) {
    struct certify *certify = calloc(1, sizeof(*certify));
    if (!certify) return false;
    certify->done = done;
    certify->ctx = ctx;
    task_init(&certify->task, on_task);
    operation_start(core, &certify->operation, certify_drop);
    struct arena arena;
    struct host host;
    arena_init(&arena, 1024);
    struct registry *registry = &core->ports.registry;
    struct view label = {0};
    certify->verdict = STATUS_NOT_FOUND;
    if (host_parse(name, &arena, &host) && !host.is_ip && !host.port) {
        label = route_tunnel_label(&core->names, host.name);
        if (!label.ptr) label = route_custom_name(&core->names, host.name, &arena);
        if (route_is_own_name(&core->names, host.name)) certify->verdict = STATUS_OK;
    }
    if (label.ptr && host_is_tunnel_label(label) && !claim_id_is_generated(label))
        registry->lookup(registry->ctx, label, on_claim, certify, 0);
    else
        tasks_post(core->ports.clock.tasks, &certify->task);
    arena_done(&arena);
    return true;
}
