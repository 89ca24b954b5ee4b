/* A new program takes over without anybody noticing: SIGUSR2 starts it, with this one's arguments and
 * environment, and it inherits the listening sockets (sockets/inherited.h). Until it is ready this process
 * serves as before; should it fail, nothing has happened. Then this process gives up its ports, tells the
 * successor which tunnels there are, passes visitors on whose connections are between two requests, and
 * drains (drain.h). The other half is successor.h.
 *
 * Between the two, over fd_pass.h: the successor says READY; the answer is GO with a file of the claims
 * (store/claims_file.h), and then a VISITOR each. */
#ifndef GATEWAY_HANDOVER_H
#define GATEWAY_HANDOVER_H

#include "base/view.h"
#include "net/loop.h"
#include "sockets/inherited.h"
#include "sockets/listener.h"

#define HANDOVER_VARIABLE "TTF_GATEWAY_HANDOVER" /* "<parent's id>:<life>:<descriptor>" */

enum handover_message { HANDOVER_READY = 'R', HANDOVER_GO = 'G', HANDOVER_VISITOR = 'V' };

enum handover_state {
    HANDOVER_NO,
    HANDOVER_STARTED, /* the successor is not ready yet */
    HANDOVER_DONE,    /* it has the ports */
};

enum { HANDOVER_PORTS = 5 };

/* Borrowed until handover_stop(). */
struct handover_parts {
    struct loop *loop;
    char **argv; /* of main() */
    unsigned life;
    struct {
        const char *name;
        struct listener **listener; /* to NULL: there is no such port */
    } ports[HANDOVER_PORTS];
    void *ctx;
    /* May it begin? False while the gateway starts or stops. */
    bool (*may)(void *ctx);
    /* The successor waits for handover_go(). */
    void (*ready)(void *ctx);
};

struct handover {
    struct handover_parts parts;
    enum handover_state state;
    bool listens;     /* for the signal */
    int end;          /* -1: there is no successor */
    unsigned closing; /* of the handles, which a successor has for itself: none begins before that */
    uv_signal_t signal;
    uv_process_t process;
    uv_poll_t poll;
    struct timer limit; /* the successor must be ready by then */
};

/* Waits for SIGUSR2 from now on. */
void handover_init(struct handover *handover, const struct handover_parts *parts);
/* This process has closed its ports: the successor opens. `claims` as store/claims_file.h has them. */
void handover_go(struct handover *handover, struct view claims);
/* A visitor's connection between two requests; `fd` stays the caller's, to be closed. A visitors_pass_fn.
 * False when it did not get through; errno is EAGAIN where it may a little later. */
bool handover_pass(void *ctx, int fd);
/* A successor that is not ready yet is ended. Also where handover_init() was not called. */
void handover_stop(struct handover *handover);

#endif
