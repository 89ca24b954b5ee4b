/* Events as API Gateway makes them, and what functions answer. Sources, for each: API Gateway Developer
 * Guide, "Create AWS Lambda proxy integrations for HTTP APIs in API Gateway", "Manage connected users and
 * client apps: $connect and $disconnect routes", "WebSocket mapping template reference". No I/O. */
#ifndef GATEWAY_APIGW_SHAPE_H
#define GATEWAY_APIGW_SHAPE_H

#include <jansson.h>

#include "base/buf.h"
#include "http/headers.h"

#define SHAPE_ID_MAX 24

/* How the two APIs are set up. */
struct shape_api {
    const char *id;         /* "a1b2c3d4e5" */
    const char *domain;     /* no custom domain: "<id>.execute-api.<…>"; else the custom one */
    const char *stage;      /* "$default", or a name */
    bool has_custom_domain; /* then paths do not begin with the stage */
    bool is_payload_1;
    uint16_t port; /* where visitors come, for x-forwarded-port */
};

/* What stands behind the stage in a path: "/x" of "/dev/x". With a custom domain, and where the stage is
 * `$default`, it need not be there. Absent (ptr NULL): the path is of no stage of ours. */
struct view shape_behind_stage(const struct shape_api *api, struct view path);

struct shape_request {
    struct view method, target;    /* origin form */
    struct view version;           /* "HTTP/1.1" */
    const struct headers *headers; /* lower case */
    struct view host;              /* that counts, with its port (an absolute form's goes before Host) */
    struct view body;
    struct view client;
    const char *id; /* of API Gateway */
    uint64_t now_ms;
};

/* The event, as JSON. NULL without memory. */
json_t *shape_http(const struct shape_api *api, const struct shape_request *request);

/* What stands for one connection in each of its events. */
struct shape_connection {
    const char *id;
    struct view client, user_agent;
    uint64_t connected_ms;
};

json_t *shape_connect(const struct shape_api *api, const struct shape_connection *connection,
                      const struct shape_request *request);
json_t *shape_message(const struct shape_api *api, const struct shape_connection *connection, const char *id,
                      uint64_t now_ms, struct view text);
json_t *shape_disconnect(const struct shape_api *api, const struct shape_connection *connection,
                         const char *id, uint64_t now_ms, int code, const char *reason);
json_t *shape_schedule(uint64_t now_ms);

/* ---- what functions answer ---- */

struct shape_answer {
    int status;
    struct headers headers; /* in the arena given */
    struct view body;       /* malloc'ed, see shape_answer_done() */
};

/* False where API Gateway would say 500: it is not JSON, has no status (payload 1.0) or none that makes
 * sense, or base64 that is none. Names and values that cannot stand in a header are left out. */
bool shape_answer_read(struct view text, bool is_payload_1, struct arena *arena, struct shape_answer *answer);
void shape_answer_done(struct shape_answer *answer);

/* ---- small things ---- */

/* "GXLKJGnVliAFVcg=": as API Gateway's ids of requests, messages and connections are. */
void shape_id(char out[SHAPE_ID_MAX]);
/* A JSON string; what is not UTF-8 is read as Latin-1. */
json_t *shape_text(struct view v);
/* Percent-decoded; as it was where that is not UTF-8 or holds a NUL. */
json_t *shape_decoded(struct view v, bool plus_is_space);
/* `{"a":"x,y"}`, `{"a":["x","y"]}`, `{"a":"x"}` or `{"a":"y"}` of what comes more than once. */
enum shape_repeats { REPEATS_JOIN, REPEATS_LIST, REPEATS_FIRST, REPEATS_LAST };
json_t *shape_query(struct view query, enum shape_repeats repeats);
void shape_add(json_t *object, const char *name, json_t *value, enum shape_repeats repeats);
/* "12/Mar/2020:19:03:58 +0000" */
json_t *shape_clf_time(uint64_t ms);
/* Of type application/json, text and the like, and UTF-8: goes into an event as it is. */
bool shape_is_text(struct view content_type, struct view body);
/* x-amzn-trace-id, x-forwarded-for, -port, -proto and host: what stands in `headers` of a visitor or agent.
 */
bool shape_forwarded(struct headers *out, const struct shape_api *api, const struct shape_request *request);

#endif
