/* See admin_state.h. Caddy asks here before it gets a certificate for a name (`on_demand_tls`, `ask`). */
#include <stdlib.h>

#include "admin/admin_state.h"

/* Freed when both sides are through with it: the request has ended, and the core has answered (or is gone).
 */
struct tls_ask {
    struct list node;
    struct admin *admin;
    struct MHD_Connection *suspended; /* NULL: it is not, or not any more */
    enum status status;
    bool is_answered, is_ended;
};

static void settle(struct tls_ask *ask) {
    if (!ask->is_answered || !ask->is_ended) return;
    list_remove(&ask->node);
    free(ask);
}

static void resume(struct tls_ask *ask) {
    if (!ask->suspended) return;
    MHD_resume_connection(ask->suspended);
    ask->suspended = NULL;
    mhd_loop_kick(&ask->admin->mhd);
}

static void on_verdict(void *ctx, enum status status) {
    struct tls_ask *ask = ctx;
    ask->status = status;
    ask->is_answered = true;
    resume(ask);
    settle(ask);
}

struct tls_ask *tls_ask_new(struct admin *admin, struct MHD_Connection *connection) {
    static const char key[] = "domain";
    const char *text = NULL;
    size_t len = 0; /* a name may have a NUL in it */
    MHD_lookup_connection_value_n(connection, MHD_GET_ARGUMENT_KIND, key, sizeof(key) - 1, &text, &len);
    struct tls_ask *ask = calloc(1, sizeof(*ask));
    if (!ask) return NULL;
    *ask = (struct tls_ask){.admin = admin, .suspended = connection, .status = STATUS_UNAVAILABLE};
    if (!core_certify(admin->core, view_of(text, text ? len : 0), on_verdict, ask)) {
        free(ask);
        return NULL;
    }
    list_init(&ask->node);
    list_append(&admin->asks, &ask->node);
    MHD_suspend_connection(connection);
    return ask;
}

enum MHD_Result tls_ask_answer(const struct tls_ask *ask, struct MHD_Connection *connection) {
    if (ask->status == STATUS_OK) return admin_answer(connection, MHD_HTTP_OK, "yes\n");
    if (ask->status == STATUS_NOT_FOUND) return admin_answer(connection, MHD_HTTP_NOT_FOUND, "no\n");
    return admin_answer(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "not now\n");
}

void tls_ask_end(struct tls_ask *ask) {
    ask->is_ended = true;
    settle(ask);
}

void tls_asks_stop(struct admin *admin) {
    for (struct list *node = admin->asks.next; node != &admin->asks; node = node->next)
        resume(LIST_ENTRY(node, struct tls_ask, node));
}

void tls_asks_free(struct admin *admin) {
    for (struct list *node; (node = list_pop(&admin->asks));) free(LIST_ENTRY(node, struct tls_ask, node));
}
