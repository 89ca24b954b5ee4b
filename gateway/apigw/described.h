/* Puts a description (description.h) under the settings, and keeps what it says of the function's variables.
 */
#ifndef GATEWAY_APIGW_DESCRIBED_H
#define GATEWAY_APIGW_DESCRIBED_H

#include "config/config.h"

#define DESCRIBED_VARIABLES_MAX 64

/* Variables that are no settings of ours, "NAME=value". Zeros: there is no description. */
struct described {
    char *variables[DESCRIBED_VARIABLES_MAX];
    size_t count;
};

/* A config_more_fn; `ctx` is a struct described. Sets AWS_REGION where it is not set. */
int described_read(void *ctx, struct config *config);
void described_done(struct described *described);

#endif
