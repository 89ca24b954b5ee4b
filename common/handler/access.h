/* The record of one request and its answer, from whoever took it in: a visitor's connection, an invocation of
 * the Lambda, a stream of another gateway. A host has one in its own request and passes it to access_end()
 * when all is over. That function is the one place from which ended requests are read: the access log is
 * written there and metrics are counted, and whatever else keeps requests is called there. */
#ifndef HANDLER_ACCESS_H
#define HANDLER_ACCESS_H

#include "handler/event.h"
#include "http/quota.h"
#include "metrics/metrics.h"

struct exchange;

enum access_fate {
    ACCESS_WHOLE,   /* the answer was handed over, all of it */
    ACCESS_CUT,     /* it ended within the answer */
    ACCESS_ABORTED, /* it ended before there was a head */
};

/* Views are borrowed from the host's request. */
struct access {
    /* who asked, and for what */
    bool from_peer;             /* another gateway, which has a record of its own of this request */
    struct view client;         /* address of who asked, as far as trusted proxies tell */
    struct view method, target; /* raw: the target may hold secrets (log_redact_target) */
    struct view version;        /* "HTTP/1.1" */
    struct view referer, agent; /* fields, where access_log_wants_fields(); the first may hold secrets, too */

    /* what became of it */
    struct view tunnel;     /* its id; absent: none was found, or there was no head */
    struct view request_id; /* by which an agent of v1 knows it; absent: none */
    bool sent_again;        /* to a second agent, because the first was lost */
    /* Where access_log_wants_facts(). */
    struct view owner, agent_protocol, x_request_id, trace_id;
    int status;            /* of the answer's head; 0: there was none */
    enum http_error error; /* why the answer is one of ours; HTTP_ERROR_NONE: it is the service's */
    enum quota quota;      /* that was met */
    enum access_fate fate;
    uint64_t bytes_in, bytes_out; /* of the request's body handed to the core, of the answer's handed over */
    uint64_t begin_ms, head_ms, end_ms; /* by the loop's clock; head_ms: of the answer, 0 without one */
    /* The same by the clock itself, where the loop's is too coarse; 0: it did not come to that. */
    uint64_t begin_us, given_us; /* the first byte is here; an agent has the request (the last one, of two) */
    uint64_t answered_us, passed_us; /* the agent's head is here; the first byte of an answer has left */
};

/* The request's first byte is here. */
void access_begin(struct access *access, uint64_t now_ms);
/* The answer's head. `exchange` is the one that it comes from, NULL where the host answers by itself; what is
 * needed of it is copied into `arena`. */
void access_head(struct access *access, const struct exchange *exchange, const struct answer_head *head,
                 struct arena *arena, uint64_t now_ms);
/* All is over. `is_whole`: the answer was handed over to its end. */
void access_end(struct access *access, bool is_whole, uint64_t now_ms);

/* Bytes of the request's body went to the core. */
static inline void access_received(struct access *access, size_t bytes) {
    access->bytes_in += bytes;
    if (!access->from_peer) metrics_add(METRIC_REQUEST_BYTES, 0, bytes);
}
/* Some of the answer was handed over, and of it so many bytes of the body; first of all its head. */
static inline void access_passed(struct access *access, size_t bytes) {
    access->bytes_out += bytes;
    if (access->from_peer) return;
    metrics_add(METRIC_RESPONSE_BYTES, 0, bytes);
    if (!access->passed_us) access->passed_us = metrics_now_us();
}

#endif
