/* What `ttf-gateway --version` and `ttf-apigw --version` say: the program, the commit it was built of, and
 * its libraries as they are loaded. */
#ifndef GATEWAY_VERSION_H
#define GATEWAY_VERSION_H

#include <stdio.h>

void version_print(FILE *out);

#endif
