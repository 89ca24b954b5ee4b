/* The stand-in for API Gateway, AWS Lambda and the mapping of DynamoDB's stream, on a developer's machine:
 * any custom-runtime function runs in it. */
#ifndef GATEWAY_APIGW_APIGW_H
#define GATEWAY_APIGW_APIGW_H

#include "apigw/described.h"

/* Until SIGTERM or SIGINT; the exit code. SIGHUP: a new version of the function stands where the old one did.
 */
int apigw_run(const struct config *config, const struct described *described);

#endif
