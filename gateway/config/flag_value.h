/* Flags of the program's commands, beside those that are settings (config.h). */
#ifndef CONFIG_FLAG_VALUE_H
#define CONFIG_FLAG_VALUE_H

#include <stdbool.h>

#include "base/view.h"

/* Is argv[*i] the flag `name`? Then its value: what stands behind '=', or in the next argument, to which *i
 * moves on; empty where there is none. */
bool flag_value(const char *name, int argc, char **argv, int *i, struct view *ret_value);

#endif
