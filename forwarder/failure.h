/* What a command tells its user when it fails. */
#ifndef FORWARDER_FAILURE_H
#define FORWARDER_FAILURE_H

#include <stdbool.h>

/* A line on standard error, behind "ttf: ". Always false. */
__attribute__((format(printf, 1, 2))) bool say_failure(const char *format, ...);

#endif
