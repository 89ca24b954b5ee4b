#include "aws/actions.h"

static const struct {
    const char *service, *operation;
} actions[ACTION_COUNT] = {
#define AWS_ACTION(name, service, operation, resource, rights) [ACTION_##name] = {service, operation},
#include "aws/actions.def"
#undef AWS_ACTION
};

struct view aws_action_service(enum aws_action action) {
    return view_from_cstr(actions[action].service);
}

const char *aws_action_operation(enum aws_action action) {
    return actions[action].operation;
}
