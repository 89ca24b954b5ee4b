/* What became of a command of `ttf-gateway admin` that changes something, as a line for people. */
#ifndef GATEWAY_ADMIN_OUTCOME_H
#define GATEWAY_ADMIN_OUTCOME_H

#include <stdio.h>

#include "base/view.h"

#define OUTCOME_UNKNOWN (-1)

struct outcome {
    const char *verb;
    struct view what;  /* name, token or gateway; absent: all that is `owner`'s */
    struct view owner; /* as gateways call him */
    struct view lasts; /* as it was said; absent: until somebody takes it back */
    long long agents;  /* that it concerns; or OUTCOME_UNKNOWN */
};

/* Nothing for a verb that changes nothing. */
void outcome_print(FILE *out, const struct outcome *outcome);

#endif
