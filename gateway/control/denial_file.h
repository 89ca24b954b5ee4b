/* The file of those who are kept out: a JSON object, key -> record (denial_list.h). */
#ifndef CONTROL_DENIAL_FILE_H
#define CONTROL_DENIAL_FILE_H

#include "control/denial_list.h"

/* A malloc'ed text of *ret_len bytes. NULL without memory. */
char *denial_file_text(const struct denial_list *list, size_t *ret_len);
/* False for what is no such text; entries that make no sense are left out, and the log says how
 * many. */
bool denial_file_read(struct view text, struct denial_list *list);

/* A file that is not there is an empty one. False with errno, EINVAL for what cannot be understood. */
bool denial_file_load(const char *path, struct denial_list *list);

#endif
