/* Which file of a folder a URL's path means: "/docs/a%20b.html" is "docs/a b.html". Pure: asks no disk.
 *
 * A URL says a name in one way only. What says it otherwise, or could mean something outside of the folder,
 * means no file: "..", ".", an empty segment, a slash or NUL that is percent-encoded, an escape that is none.
 * Nor do names that begin with a dot (".git", ".env"), which are not meant for others; "/.well-known/" (RFC
 * 8615) is. All other bytes are a name's own affair. */
#ifndef FORWARDER_FOLDER_FILE_PATH_H
#define FORWARDER_FOLDER_FILE_PATH_H

#include "base/view.h"

#define FILE_PATH_MAX 2048 /* bytes, decoded */

struct file_path {
    char text[FILE_PATH_MAX + 1]; /* relative to the folder, which is "."; no slash at its end */
    bool wants_folder;            /* the URL ends with one */
};

/* `path` is the raw one, without the query. False: it means no file. */
bool file_path_parse(struct view path, struct file_path *ret_path);

/* Whether a name in a folder is for others to see; `is_top`: in the folder that is served itself. */
bool file_path_is_shown(struct view name, bool is_top);

#endif
