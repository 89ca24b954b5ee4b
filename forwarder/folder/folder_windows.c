/* See folder.h. Files are not served there: what opens them and nothing beside them (beneath.h) is POSIX's.
 */
#include <errno.h>
#include <stdio.h>

#include "folder/folder.h"

bool folder_check(const char *path, char *error, size_t error_size) {
    snprintf(error, error_size,
             "the folder '%.200s' is not served: ttf serves folders on Linux and macOS alone", path);
    return false;
}

bool folder_is_home(const char *path) {
    (void)path;
    return false;
}

struct folder *folder_new(const char *path, bool lists, char *error, size_t error_size) {
    (void)lists;
    folder_check(path, error, error_size);
    return NULL;
}

void folder_free(struct folder *folder) {
    (void)folder;
}

int folder_dial(void *folder) {
    (void)folder;
    errno = ENOTSUP;
    return -1;
}
