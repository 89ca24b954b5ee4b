/* The environment variables of the function: those of a description, or our own, so that whatever it needs
 * can be said where we are started, and over them what only the stand-in knows. The function reads no files,
 * so that secrets are in it as text, from wherever they were said. */
#ifndef GATEWAY_APIGW_FUNCTION_ENVIRONMENT_H
#define GATEWAY_APIGW_FUNCTION_ENVIRONMENT_H

#include "apigw/described.h"
#include "apigw/shape.h"

struct function_environment {
    char **variables; /* up to NULL */
    size_t count;
};

/* `public_url` and `websocket_url` without a slash at the end. False with the reason: no memory, or a secret
 * that cannot be had (then more about it is on standard error). */
bool function_environment_init(struct function_environment *environment, const struct config *config,
                               const struct described *described, const struct shape_api *api,
                               const char *public_url, const char *websocket_url, uint16_t dynamodb_port,
                               const char **ret_why);
void function_environment_done(struct function_environment *environment);

#endif
