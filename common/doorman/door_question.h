/* A question to the service that is asked, as a request's fields, and what it is remembered by. */
#ifndef DOORMAN_DOOR_QUESTION_H
#define DOORMAN_DOOR_QUESTION_H

#include "doorman/door_cache.h"
#include "handler/ports.h"

/* False without memory: for `headers` that were made with an arena. */
bool door_question_fields(const struct door_question *question, struct headers *headers);

/* A hash of who asks for which host; `per_url`: and for what, and how. False
 * without memory. */
bool door_question_key(const struct door_question *question, bool per_url, unsigned char key[DOOR_KEY_LEN]);

#endif
