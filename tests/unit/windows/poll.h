/* POSIX's poll.h, of sockets. */
#ifndef UNIT_WINDOWS_POLL_H
#define UNIT_WINDOWS_POLL_H

#define poll(fds, count, ms) WSAPoll(fds, count, ms)

#endif
