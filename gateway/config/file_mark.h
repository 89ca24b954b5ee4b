/* Has a file changed? By what stat(2) says of it, links followed: that sees a rename, a link to another
 * folder (as certbot and Kubernetes do), and what was written in place. */
#ifndef GATEWAY_FILE_MARK_H
#define GATEWAY_FILE_MARK_H

#include <stdint.h>

#include "base/view.h"

#define FILE_MARK_NONE 0xcbf29ce484222325u

/* Adds a file to the mark of several. One that is not there counts, too. */
void file_mark_add(uint64_t *mark, struct view path);

#endif
