/* What an answer of the service that is asked means, and what of it reaches whom. Foreign bytes: nothing is
 * taken that no answer of ours could have (gate_check_fields), nor more than DOOR_FIELDS_MAX of fields. */
#ifndef DOORMAN_DOOR_WORD_H
#define DOORMAN_DOOR_WORD_H

#include "handler/ports.h"

#define DOOR_FIELDS_MAX ((size_t)16 * 1024) /* bytes */
#define DOOR_BODY_MAX ((size_t)64 * 1024)   /* likewise */

/* The word's headers are made with `arena`; its body is that of the answer. DOOR_BROKEN where the answer is
 * no such one, or without memory. `fields`: those that the visited service gets, of a 2xx. */
struct door_word door_word_of(int status, const struct headers *headers, struct view body,
                              const struct view *fields, size_t fields_count, struct arena *arena);

#endif
