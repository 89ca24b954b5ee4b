/* The administration API, /api/v1/ on the admin port (openapi.json, docs/ADMINISTRATION.md). Whoever asks
 * shows the administration's token, or has come through the socket that is the gateway's owner's alone. */
#ifndef GATEWAY_ADMIN_API_H
#define GATEWAY_ADMIN_API_H

#include <microhttpd.h>

#include "admin/admin.h"
#include "auth/secret.h"
#include "control/control.h"
#include "control/denial_keep.h"
#include "control/names.h"

#define API_TOKEN_LABEL "admin" /* of secret_derive() */
#define API_TOKEN_MIN 16

struct api_settings {
    struct loop *loop;
    struct admin *admin;
    bool has_token;                  /* otherwise the socket alone leads in */
    unsigned char token[SECRET_LEN]; /* derived of it */
};

/* NULL without memory. */
struct api *api_new(const struct api_settings *settings);
struct api_sources {
    struct control *control;
    struct denial_keep *denials;
    struct core *core;
    struct names_source names;
};
/* From now on there is something to ask; until then it is 503. Borrowed. */
void api_serve(struct api *api, const struct api_sources *sources);
/* Before the admin port's daemon stops. NULL is fine, here and below. */
void api_stop(struct api *api);
void api_free(struct api *api);

/* Is this URL the API's? */
bool api_has(const char *url);
/* Answers, or leaves a struct waiting at *request. */
enum MHD_Result api_request(struct api *api, struct MHD_Connection *connection, const char *url,
                            const char *method, void **request);

#endif
