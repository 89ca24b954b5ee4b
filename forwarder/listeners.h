/* Whether something listens at a TCP port of this machine, by the table that Linux keeps of it: asked so, a
 * service is not disturbed by a connection that says nothing (`nc -l` would be used up by one). */
#ifndef FORWARDER_LISTENERS_H
#define FORWARDER_LISTENERS_H

#include <stdbool.h>
#include <stdint.h>

/* False: not that the table knows, or there is none. Reads its first rows, which are those that listen. */
bool listeners_have(uint16_t port);

#endif
