/* What the files of the inspector share; nothing outside forwarder/inspect includes this. */
#ifndef FORWARDER_INSPECT_STATE_H
#define FORWARDER_INSPECT_STATE_H

#include "base/list.h"
#include "inspect/hold.h"
#include "inspect/inspect.h"
#include "inspect/store.h"
#include "inspect/traffic.h"
#include "mhd/mhd_loop.h"

#define INSPECT_BODY_MAX ((size_t)2 * 1024 * 1024) /* of a request to the API */

struct inspect {
    struct loop *loop;
    struct mhd_loop mhd;
    struct store store;
    struct watch watch; /* what is told from outside: counted, and kept */
    struct traffic traffic;
    struct inspect_tunnels tunnels; /* zeroed: none yet */
    struct list followers;          /* struct follower.node: pages that wait for news */
    struct timer news;
    bool is_stopping;    /* nobody waits for news any more */
    struct list replays; /* struct replay.node */
    size_t replay_count;
    size_t bodies_bytes; /* of requests to the API that are coming, or waiting for their answers */
    size_t unread_bytes; /* of answers of inspect_answer_large() that have not left yet */
    struct guard guard;
    struct holds holds;
    char url[96];
};

/* One request to the inspector's port, as long as libmicrohttpd has it. */
struct ask {
    struct inspect *inspect;
    struct buf body;
    bool is_too_large, is_held;
    struct guard_fault fault;
    struct hold hold; /* its answer is due later */
    char awaited[64]; /* the tunnel that it waits for; empty: none */
};

/* The request is answered when `is_over` says so of the ask, or after so long: it is asked again, `is_held`.
 */
enum MHD_Result inspect_hold(struct ask *ask, uint64_t most_ms, bool (*is_over)(void *ask));

/* ---- what is kept (inspect.c): as struct watch says it, without the counts ---- */

uint64_t record_request(struct inspect *inspect, const struct watch_request *request);
void record_request_body(struct inspect *inspect, uint64_t id, struct view data);
void record_answer(struct inspect *inspect, uint64_t id, int status, const struct headers *headers);
void record_answer_body(struct inspect *inspect, uint64_t id, struct view data);
void record_end(struct inspect *inspect, uint64_t id, const struct watch_end *end);

/* ---- answers (inspect.c) ---- */

/* What the API answers. The body is taken. */
enum MHD_Result inspect_answer(struct MHD_Connection *connection, unsigned status, const char *type,
                               struct buf *body);
/* The same of what may take megabytes: it is counted until it has left, or its connection is gone. When
 * inspect_is_unread() says so, too much waits for those that asked to read it, and none is to be made. */
enum MHD_Result inspect_answer_large(struct inspect *inspect, struct MHD_Connection *connection,
                                     struct buf *body);
bool inspect_is_unread(const struct inspect *inspect);
/* As ngrok says it: {"error_code","status_code","msg","details":{"err"}}. */
enum MHD_Result inspect_refuse(struct MHD_Connection *connection, unsigned status, const char *why);

/* ---- the API (api.c) ---- */

#define API_ANSWER_MAX ((size_t)64 * 1024 * 1024)
#define API_JSON "application/json"

/* `path` begins with "/api/". Writes have been allowed. */
enum MHD_Result api_answer(struct inspect *inspect, struct MHD_Connection *connection, const char *method,
                           const char *path, struct ask *ask);
enum MHD_Result api_answer_nothing(struct MHD_Connection *connection);

/* ---- tunnels, and endpoints, which are the same (api_tunnels.c) ---- */

/* Whether the path is one of these. */
bool tunnels_are_meant(const char *path);
enum MHD_Result tunnels_answer(struct inspect *inspect, struct MHD_Connection *connection, const char *method,
                               const char *path, struct ask *ask);
/* Finds the one of that name; its cursor is the port's. */
bool api_find_tunnel(const struct inspect *inspect, struct view name, const void **ret_cursor,
                     struct inspect_tunnel *ret_tunnel);

/* ---- for Prometheus (agent_metrics.c) ---- */

enum MHD_Result metrics_answer(struct inspect *inspect, struct MHD_Connection *connection);

/* ---- JSON of a record (record_json.c) ---- */

/* In ngrok's shape, with the raw messages. */
void record_json(const struct inspect *inspect, const struct store_record *record, struct buf *out);
/* The same, and the bodies without their content codings besides (decoded.h): not for lists, it takes time.
 */
void record_json_decoded(const struct inspect *inspect, const struct store_record *record, struct buf *out);
/* What a line of the page's list says. */
void record_json_line(const struct inspect *inspect, const struct store_record *record, struct buf *out);

/* ---- replay (replay.c) ---- */

#define REPLAYS_MAX 100 /* at once */

struct replay_order {
    const struct store_record *record;
    const struct local_target *target;
    struct view method, target_path; /* absent: the record's */
    const struct headers *headers;   /* NULL: the record's */
    struct view body;                /* absent: the record's */
};
/* The record must be held (store_hold): a new one may push it out. Returns the new record's id; 0: without
 * memory, or too many at once, or it cannot be sent. */
uint64_t replay_start(struct inspect *inspect, const struct replay_order *order);
void replays_stop(struct inspect *inspect);

/* ---- news for pages (follow.c) ---- */

void follow_init(struct inspect *inspect);
enum MHD_Result follow_answer(struct inspect *inspect, struct MHD_Connection *connection);
/* Something has happened: pages hear of it within 250 ms. */
void follow_tell(struct inspect *inspect);
void follow_stop(struct inspect *inspect);

#endif
