/* What the files of the admin port share; nothing outside gateway/admin includes this. */
#ifndef GATEWAY_ADMIN_STATE_H
#define GATEWAY_ADMIN_STATE_H

#include "admin/admin.h"
#include "base/list.h"
#include "mhd/mhd_loop.h"

struct admin_page {
    const char *path;
    admin_page_fn *print;
    void *ctx;
};

struct admin {
    struct mhd_loop mhd;
    struct core *core; /* NULL: not yet */
    enum admin_state state;
    const char *degraded;    /* NULL: no */
    uint64_t ready_asked_ms; /* 0: never */
    bool any_host;
    struct client *accepting;
    struct list asks; /* struct tls_ask.node: all there are */
    struct admin_page pages[ADMIN_PAGES_MAX];
    size_t page_count;
};

enum MHD_Result admin_answer(struct MHD_Connection *connection, unsigned status, const char *text);

/* ---- /api/v1/tls-ask: a request that waits for the core ---- */

struct tls_ask;

/* Suspends the connection and asks. NULL without memory. */
struct tls_ask *tls_ask_new(struct admin *admin, struct MHD_Connection *connection);
/* The connection was resumed: answers it. */
enum MHD_Result tls_ask_answer(const struct tls_ask *ask, struct MHD_Connection *connection);
/* The request is over, answered or not. */
void tls_ask_end(struct tls_ask *ask);
/* Nothing may be suspended when the daemon stops. */
void tls_asks_stop(struct admin *admin);
void tls_asks_free(struct admin *admin);

#endif
