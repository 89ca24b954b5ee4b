/* A request of the admin port that waits for its answer, suspended meanwhile. Freed when both sides are
 * through with it: it was answered (or the port stops), and the request has ended. */
#ifndef GATEWAY_ADMIN_WAITING_H
#define GATEWAY_ADMIN_WAITING_H

#include <microhttpd.h>

#include "base/buf.h"
#include "base/list.h"

struct admin;

#define WAITING_BYTES_MAX ((size_t)8 * 1024 * 1024)

struct waiting {
    struct list node;
    struct admin *admin;
    struct MHD_Connection *suspended; /* NULL: it is not, or not any more */
    bool is_answered, is_ended;
    unsigned status;
    const char *type; /* static */
    struct buf text;  /* the answer */
    void *extra;      /* malloc'ed, whoever answers keeps something there; goes with it */
};

/* Suspends the connection; every one is answered, once, or freed with the port. NULL without memory. */
struct waiting *waiting_new(struct admin *admin, struct MHD_Connection *connection, const char *type);
/* waiting->text holds the answer. The pointer may be dead on return. */
void waiting_answer(struct waiting *waiting, unsigned status);
/* The connection was resumed: answers it. */
enum MHD_Result waiting_reply(const struct waiting *waiting, struct MHD_Connection *connection);
/* The request is over, answered or not. */
void waiting_end(struct waiting *waiting);
/* Nothing may be suspended when the daemon stops. */
void waitings_stop(struct admin *admin);
void waitings_free(struct admin *admin);

#endif
