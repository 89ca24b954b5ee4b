/* Removes what has expired from the stores. */
#include <stdlib.h>

#include "base/heap.h"
#include "base/log.h"
#include "handler/core_state.h"

struct cleanup {
    struct operation operation;
    core_done_fn *done;
    void *ctx;
};

static void cleanup_drop(struct operation *operation) {
    free(operation);
}

static void on_swept(void *target, uint64_t ticket, enum status status, size_t removed) {
    (void)ticket;
    struct cleanup *cleanup = target;
    operation_end(&cleanup->operation);
    log_debug("core", "cleanup: %zu removed, %s", removed, status_text(status));
    if (cleanup->done) cleanup->done(cleanup->ctx, status);
    free(cleanup);
}

void core_cleanup(struct core *core, core_done_fn *done, void *ctx) {
    struct cleanup *cleanup = heap_alloc_owed(sizeof(*cleanup));
    cleanup->done = done;
    cleanup->ctx = ctx;
    operation_start(core, &cleanup->operation, cleanup_drop);
    core->ports.registry.sweep(core->ports.registry.ctx, on_swept, cleanup, 0);
}
