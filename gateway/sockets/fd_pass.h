/* Descriptors that pass from one process to another, each with one byte that says what it is, over a pair of
 * sockets (unix(7), SOCK_SEQPACKET). Nothing here waits. */
#ifndef GATEWAY_FD_PASS_H
#define GATEWAY_FD_PASS_H

#include <stdbool.h>

/* Both ends close on exec. */
bool fd_pass_pair(int ret_ends[2]);
/* `fd`, which stays the caller's, or -1 for none. False when the other end is gone or its queue is full. */
bool fd_pass_send(int end, char what, int fd);
/* 1: a message; *ret_fd is the caller's, closes on exec, and is -1 where there is none. 0: nothing now.
 * -1: the other end is gone. */
int fd_pass_receive(int end, char *ret_what, int *ret_fd);

#endif
