/* Unix sockets, which Windows has for streams. */
#ifndef WINDOWS_SYS_UN_H
#define WINDOWS_SYS_UN_H

#include <afunix.h>
#include <sys/socket.h>

#endif
