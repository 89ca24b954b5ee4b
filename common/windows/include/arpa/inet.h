/* Part of sys/socket.h here. */
#ifndef WINDOWS_ARPA_INET_H
#define WINDOWS_ARPA_INET_H

#include <sys/socket.h>

#endif
