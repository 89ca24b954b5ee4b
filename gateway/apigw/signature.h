/* Checks AWS Signature Version 4 of a request that came in, as API Gateway does where IAM guards a route, and
 * says with its words what is wrong. (A signature in the query, as browsers are given, is not taken.) No I/O.
 */
#ifndef GATEWAY_APIGW_SIGNATURE_H
#define GATEWAY_APIGW_SIGNATURE_H

#include "aws/sigv4.h"

/* Whose signature is right, and for what. */
struct signature_rules {
    struct aws_credentials credentials;
    struct view region, service;
};

struct signature_verdict {
    const char *type;    /* x-amzn-ErrorType, with status 403; NULL: it is right */
    struct view message; /* in the arena */
};

/* `headers`: all that came. `now_s` of the wall clock: a signature lives 5 minutes. */
struct signature_verdict signature_check(const struct signature_rules *rules,
                                         const struct sigv4_request *request, const struct headers *headers,
                                         uint64_t now_s, struct arena *arena);

#endif
