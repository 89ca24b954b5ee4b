/* Part of sys/socket.h here. */
#ifndef WINDOWS_NETDB_H
#define WINDOWS_NETDB_H

#include <sys/socket.h>

#endif
