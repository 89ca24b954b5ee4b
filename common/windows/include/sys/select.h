/* Part of sys/socket.h here. */
#ifndef WINDOWS_SYS_SELECT_H
#define WINDOWS_SYS_SELECT_H

#include <sys/socket.h>

#endif
