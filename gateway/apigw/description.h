/* Reads a description: what a program for infrastructure would make on AWS, one JSON object (infra/tests/
 * description.ts writes it; docs/AWS.md, Developing). What is not known, has another type than it should, or
 * says something that the stand-in does not play is refused, with the place where it stands: whoever trusts
 * in a test on it would trust too much. */
#ifndef GATEWAY_APIGW_DESCRIPTION_H
#define GATEWAY_APIGW_DESCRIPTION_H

#include "base/view.h"
#include "yaml/config_file.h"

enum description_kind {
    DESCRIBED_SETTING, /* of ours, by its name */
    DESCRIBED_VARIABLE /* of the function */
};

/* Borrowed until return. */
struct description_entry {
    enum description_kind kind;
    const char *name;
    const char *place; /* as "throttling.burst" */
    struct view value; /* as a setting is written, without control characters; absent: there is none */
};

/* False: not this one; problem->text says why, and names the place itself. */
typedef bool description_entry_fn(void *ctx, const struct description_entry *entry,
                                  struct config_problem *problem);

/* Calls `take` for each entry; false with *ret_problem at the first thing that is wrong. Texts of more than
 * CONFIG_FILE_BYTES_MAX are refused. */
bool description_parse(struct view text, description_entry_fn *take, void *ctx,
                       struct config_problem *ret_problem);

#endif
