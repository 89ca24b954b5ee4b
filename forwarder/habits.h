/* What people type who come from another tunnel, or who mistyped a command; and what they want here. */
#ifndef FORWARDER_HABITS_H
#define FORWARDER_HABITS_H

#include "base/view.h"

/* What to use instead of an option that ttf has not (its name without dashes); static. NULL: not known. */
const char *habit_of_option(struct view name);

/* What to say of a first word that is neither a command nor a service; static. NULL: not known. */
const char *habit_of_word(struct view word);

/* The command that was probably meant; NULL: none is near. */
const char *habit_nearest_command(struct view word);

#endif
