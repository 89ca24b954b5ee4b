/* What `ttf --version` says: the program, the commit it was built of, and its libraries as they are loaded.
 */
#ifndef FORWARDER_VERSION_H
#define FORWARDER_VERSION_H

#include <stdio.h>

void version_print(FILE *out);

#endif
