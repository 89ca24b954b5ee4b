/* What ttf says, once, when it sees why the local service refuses visitors: a host name that the service does
 * not know (--host-header), or TLS where there is none and none where there is (--local-https).
 *
 * It knows by the texts of frameworks, and otherwise by a second try: a GET that was refused in a way that
 * checks of hosts have (400, 403, 421), each status once, is sent again with the service's own Host; where
 * that one passes, the hint is right. The visitor does not wait for it, and its answer is thrown away. */
#ifndef FORWARDER_HINTS_H
#define FORWARDER_HINTS_H

#include "console.h"
#include "host_field.h"
#include "local/local_client.h"

#define HINTS_BODY_MAX ((uint64_t)64 * 1024) /* so far a body is looked at */

struct second_try;

struct hints {
    struct console *console;
    const char *label; /* of the tunnel, where there are several */
    const struct host_field *host_field;
    bool off; /* --no-hints */
    bool said_host, said_tls;
    unsigned tried; /* statuses: bits */
    struct second_try *running;
};

/* All are borrowed. `label`: of the tunnel, where there are several; otherwise NULL. */
void hints_init(struct hints *hints, struct console *console, const char *label,
                const struct host_field *host_field, bool off);
/* Frees what is under way. Call it after local_client_shut(). */
void hints_done(struct hints *hints);

void hints_read(struct hints *hints, int status, struct view body);

/* A piece of an answer's body; `offset` is where in the body it begins. */
static inline void hints_on_data(struct hints *hints, int status, uint64_t offset, struct view body) {
    if (status >= 400 && status < 500 && offset < HINTS_BODY_MAX) hints_read(hints, status, body);
}

/* A request that can be sent again: a GET without body and upgrade, as the service got it. */
struct hints_request {
    struct view target;
    const struct headers *headers;
};

/* The answer with this status has come whole: tries the request again where that may tell something. */
void hints_on_refusal(struct hints *hints, struct local_client *client, const struct hints_request *request,
                      int status);
/* A request failed; `detail` is that of on_end. */
void hints_on_failure(struct hints *hints, const struct local_client *client, const char *detail);

#endif
