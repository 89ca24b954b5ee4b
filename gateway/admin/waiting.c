/* See waiting.h. */
#include "admin/waiting.h"

#include <stdlib.h>

#include "admin/admin_state.h"

static void waiting_free(struct waiting *waiting) {
    list_remove(&waiting->node);
    buf_done(&waiting->text);
    free(waiting->extra);
    free(waiting);
}

static void settle(struct waiting *waiting) {
    if (waiting->is_answered && waiting->is_ended) waiting_free(waiting);
}

static void resume(struct waiting *waiting) {
    if (!waiting->suspended) return;
    MHD_resume_connection(waiting->suspended);
    waiting->suspended = NULL;
    mhd_loop_kick(&waiting->admin->mhd);
}

struct waiting *waiting_new(struct admin *admin, struct MHD_Connection *connection, const char *type) {
    struct waiting *waiting = calloc(1, sizeof(*waiting));
    if (!waiting) return NULL;
    *waiting = (struct waiting){
        .admin = admin, .suspended = connection, .status = MHD_HTTP_SERVICE_UNAVAILABLE, .type = type};
    buf_init(&waiting->text, WAITING_BYTES_MAX);
    list_init(&waiting->node);
    list_append(&admin->waiting, &waiting->node);
    MHD_suspend_connection(connection);
    return waiting;
}

void waiting_answer(struct waiting *waiting, unsigned status) {
    waiting->status = status;
    waiting->is_answered = true;
    resume(waiting);
    settle(waiting);
}

enum MHD_Result waiting_reply(const struct waiting *waiting, struct MHD_Connection *connection) {
    if (waiting->text.failed) return MHD_NO;
    return admin_answer(connection, waiting->status, waiting->type, buf_view(&waiting->text));
}

void waiting_end(struct waiting *waiting) {
    waiting->is_ended = true;
    settle(waiting);
}

void waitings_stop(struct admin *admin) {
    for (struct list *node = admin->waiting.next; node != &admin->waiting; node = node->next)
        resume(LIST_ENTRY(node, struct waiting, node));
}

void waitings_free(struct admin *admin) {
    while (!list_empty(&admin->waiting)) waiting_free(LIST_ENTRY(admin->waiting.next, struct waiting, node));
}
