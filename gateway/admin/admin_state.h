/* What the files of the admin port share; nothing outside gateway/admin includes this. */
#ifndef GATEWAY_ADMIN_STATE_H
#define GATEWAY_ADMIN_STATE_H

#include "admin/admin.h"
#include "admin/waiting.h"
#include "mhd/mhd_loop.h"

#define ADMIN_PLAIN "text/plain; charset=utf-8"

struct admin_page {
    const char *path;
    admin_page_fn *print;
    void *ctx;
};

struct admin {
    struct mhd_loop mhd;
    struct core *core; /* NULL: not yet */
    struct api *api;   /* NULL: there is none */
    enum admin_state state;
    const char *degraded;    /* NULL: no */
    uint64_t ready_asked_ms; /* 0: never */
    bool any_host;
    struct client *accepting;
    struct client owner; /* whoever came through the socket that is its owner's alone; counted nowhere */
    struct list waiting; /* struct waiting.node: all there are */
    struct admin_page pages[ADMIN_PAGES_MAX];
    size_t page_count;
};

enum MHD_Result admin_answer(struct MHD_Connection *connection, unsigned status, const char *type,
                             struct view body);
/* `policy`: the page's Content-Security-Policy; NULL: it needs nothing. The response moves. */
enum MHD_Result admin_answer_with(struct MHD_Connection *connection, unsigned status, const char *type,
                                  struct view body, const char *policy);
enum MHD_Result admin_answer_response(struct MHD_Connection *connection, unsigned status, const char *type,
                                      struct MHD_Response *response, const char *policy);
enum MHD_Result admin_say(struct MHD_Connection *connection, unsigned status, const char *text);
/* Of the query, decoded; absent: there is none. */
struct view admin_argument(struct MHD_Connection *connection, const char *name);

/* Who asks; never NULL. &admin->owner: see there. */
const struct client *admin_client(struct MHD_Connection *connection);

/* /api/v1/tls-ask. Suspends the connection and asks the core. NULL without memory. */
struct waiting *tls_ask_new(struct admin *admin, struct MHD_Connection *connection);

#endif
