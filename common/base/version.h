/* What `--version` of each program begins with: its name, the version, and the commit that it was built of.
 */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

#include <stdio.h>

/* One line, "ttf 0.1.0 (1a2b3c4)"; without the commit where the build was not told it. */
void version_line(FILE *out, const char *program);

/* A line of "libuv 1.44.2, nghttp2 1.52.0": NULL among the names is a library that this build lacks. */
void version_libraries(FILE *out, const char *const *names, size_t count);

#endif
