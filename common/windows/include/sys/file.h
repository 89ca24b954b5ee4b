/* POSIX's flock(). */
#ifndef WINDOWS_SYS_FILE_H
#define WINDOWS_SYS_FILE_H

#define LOCK_EX 2
#define LOCK_NB 4

int flock(int fd, int how);

#endif
