/* What went wrong with a socket, in words. */
#ifndef NET_ERROR_TEXT_H
#define NET_ERROR_TEXT_H

/* Of an errno: as libuv says it where libuv's errors are those of errno. */
const char *error_text(int error);

#endif
