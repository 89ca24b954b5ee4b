/* See user_unit.h. There is no systemd. */
#include "failure.h"
#include "user_unit.h"

int user_unit_run(const struct options *options) {
    (void)options;
    say_failure("ttf service is systemd's, which Windows has not: let the Task Scheduler start ttf");
    return 1;
}
