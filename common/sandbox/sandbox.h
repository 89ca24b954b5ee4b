/* What a process gives up once it has started, so that a hole in it is of less use: system calls that it does
 * not need (seccomp, by libseccomp), writing files elsewhere (Landlock), new privileges, core dumps and being
 * read by other programs of the same user. Where the kernel or the build has one of these not, the others
 * hold.
 *
 * It is for good, and programs that are started have it from their parent: who starts any that are not ours
 * (a token command, a browser) keeps the sandbox off. Call it while there is one thread. */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

struct sandbox {
    bool calls;  /* what is no use of a network program's is refused with EPERM */
    bool files;  /* nothing is written but beneath the places given */
    bool memory; /* is dumped nowhere, and read by root alone */
};

#define SANDBOX_TEXT_MAX 160

/* "auto" or "off"; NULL is auto. */
bool sandbox_parse(const char *how, bool *ret_wanted);

/* `writable`: directories with all below them, and files; those that are NULL or not there are passed over.
 * A process whose parent had entered already adds nothing. */
struct sandbox sandbox_enter(const char *const *writable, size_t count);
/* Of all that the last alone: no core dumps, and no other program of the user reads its memory. It is not
 * passed on to programs that are started. */
bool sandbox_hide(void);
/* This process, or the one that started it, has entered. */
bool sandbox_holds(void);
/* The library that refuses system calls, and its version; NULL in a build without. */
const char *sandbox_library(void);
/* For the log: what holds. */
void sandbox_print(const struct sandbox *sandbox, char text[SANDBOX_TEXT_MAX]);

/* Keeps a secret's bytes out of swap and of core dumps; best effort. */
void sandbox_lock(const void *bytes, size_t len);

#endif
