/* The files of a folder as a local service: GET and HEAD, ranges, conditional requests, index.html, listings
 * where they are wanted. To the rest of ttf it is a service like any other, but for how it is dialled
 * (local_dialler): a socket pair, so that nobody else on this machine can reach it, and nothing is left on
 * the disk.
 *
 * A libmicrohttpd daemon with a thread of its own, which knows nothing but its folder: a disk that is slow,
 * or hangs, stops no tunnel. */
#ifndef FORWARDER_FOLDER_FOLDER_H
#define FORWARDER_FOLDER_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

struct folder;

/* True when it is a folder and can be read. Otherwise a line for people. */
bool folder_check(const char *path, char *error, size_t error_size);

/* It is the user's home, or all of the machine: more than people mean to show. */
bool folder_is_home(const char *path);

/* `path` is looked up anew for each request: the folder may be removed and made again. NULL, and a line for
 * people, when it cannot be served. */
struct folder *folder_new(const char *path, bool lists, char *error, size_t error_size);
/* Waits for the thread. After the sockets that folder_dial() gave have been closed. NULL is fine. */
void folder_free(struct folder *folder);

/* A socket to it, non-blocking, the caller's. -1 and errno. */
int folder_dial(void *folder);

#endif
