/* See admin_state.h. Caddy asks here before it gets a certificate for a name (`on_demand_tls`, `ask`). */
#include "admin/admin_state.h"

static void on_verdict(void *ctx, enum status status) {
    struct waiting *waiting = ctx;
    const char *text = status == STATUS_OK ? "yes\n" : status == STATUS_NOT_FOUND ? "no\n" : "not now\n";
    buf_append_view(&waiting->text, view_from_cstr(text));
    waiting_answer(waiting, status == STATUS_OK          ? MHD_HTTP_OK
                            : status == STATUS_NOT_FOUND ? MHD_HTTP_NOT_FOUND
                                                         : MHD_HTTP_SERVICE_UNAVAILABLE);
}

struct waiting *tls_ask_new(struct admin *admin, struct MHD_Connection *connection) {
    struct waiting *waiting = waiting_new(admin, connection, ADMIN_PLAIN);
    if (waiting && !core_certify(admin->core, admin_argument(connection, "domain"), on_verdict, waiting))
        on_verdict(waiting, STATUS_NO_MEMORY);
    return waiting;
}
