/* What the files of the API share. */
#ifndef GATEWAY_ADMIN_API_STATE_H
#define GATEWAY_ADMIN_API_STATE_H

#include "admin/admin_state.h"
#include "admin/api.h"

#define API_JSON "application/json"
#define API_SEGMENT_MAX 512

struct login_failures;

struct api {
    struct api_settings settings;
    struct api_sources sources; /* control NULL: not yet */
    struct api_events *events;
    struct login_failures *failures; /* NULL: nobody has failed yet */
};

/* One request, while it is looked at. */
struct api_call {
    struct api *api;
    struct MHD_Connection *connection;
    void **request;                  /* MHD's; a struct waiting is left there */
    struct view segment;             /* what stands for the '*' of its route; empty: nothing */
    char who[ADDRESS_TEXT_MAX + 32]; /* for the audit: "token" or "uid 0" */
};

typedef enum MHD_Result api_handler_fn(struct api_call *call);

/* {"error": "..."} */
enum MHD_Result api_refuse(const struct api_call *call, unsigned status, const char *why);
/* Suspends the call. NULL without memory: return MHD_NO then. */
struct waiting *api_wait(const struct api_call *call);
/* What has been done, to the log: `what` is "kick" or the like, `whom` what it was done to. */
void api_audit(const struct api_call *call, const char *what, struct view whom);

/* May this one ask? False: it has been answered, with *ret_result for MHD. */
bool api_let_in(struct api_call *call, enum MHD_Result *ret_result);

/* As JSON, and the end of the wait. */
void api_say_error(struct waiting *waiting, unsigned status, const char *why);
unsigned api_status(enum status status);
/* `limit` of the query: 1 to 1000, 100 where it is not said. */
size_t api_limit(const struct api_call *call);

/* api_events.c */
api_handler_fn api_watch;

/* api_denials.c */
api_handler_fn api_list_blocks, api_block, api_unblock, api_list_revocations, api_revoke, api_unrevoke;

/* api_tunnels.c */
api_handler_fn api_list_names, api_list_tunnels, api_show_tunnel, api_kick_tunnel, api_release_name,
    api_list_gateways, api_drain;

#endif
