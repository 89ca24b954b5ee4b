/* The calls of AWS that the function makes; actions.def is the table. */
#ifndef AWS_ACTIONS_H
#define AWS_ACTIONS_H

#include "base/view.h"

enum aws_action {
#define AWS_ACTION(name, service, operation, resource, rights) ACTION_##name,
#include "aws/actions.def"
#undef AWS_ACTION
    ACTION_COUNT
};

/* "dynamodb": what signs it. */
struct view aws_action_service(enum aws_action action);
/* "GetItem"; the method of "execute-api". */
const char *aws_action_operation(enum aws_action action);

#endif
