/* See user_dir.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user_dir.h"

char *user_path(const char *dir, const char *name) {
    size_t size = dir ? strlen(dir) + strlen(name) + 2 : 0;
    char *path = dir ? malloc(size) : NULL;
    if (path) snprintf(path, size, "%s/%s", dir, name);
    return path;
}
