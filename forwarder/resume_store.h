/* Where ttf keeps its resume tokens, so that a tunnel keeps its URL when ttf is started again: one file for
 * each (endpoint, port or folder, name) in $XDG_STATE_HOME/ttf or ~/.local/state/ttf (mode 0700, files 0600),
 * replaced by rename, and locked (flock on `<file>.lock`, which is never removed) while a ttf uses it. The
 * lock's file says whether the tunnel is up. */
#ifndef FORWARDER_RESUME_STORE_H
#define FORWARDER_RESUME_STORE_H

#include "base/buf.h"

#define RESUME_TOKEN_MAX 4096
#define RESUME_SLOTS 32 /* how many unnamed tunnels of one endpoint and port are remembered */

struct resume_key {
    const char *endpoint; /* without its query, which may hold a token */
    const char *name;     /* NULL: no name asked for */
    const char *label;    /* of ttf.yaml, where it takes the port's place; NULL: none */
    const char *folder;   /* that is served, absolute, where it takes the port's place; NULL: none */
    uint16_t port;
};

enum resume_claim {
    RESUME_HELD,        /* the entry is ours until resume_store_close() */
    RESUME_BUSY,        /* another ttf holds that name */
    RESUME_UNAVAILABLE, /* no directory to keep it in: `error` says why; the store is usable and keeps nothing
                         */
};

struct resume_store {
    char *path;  /* of the token's file; NULL: keeps nothing */
    char *label; /* first line of the file, tells apart what hashed to the same name */
    int lock_fd;
};

/* The user's directory, malloc'ed; NULL when neither variable nor home directory is known. */
char *resume_store_default_dir(void);

/* `dir` is made where it does not exist. An unnamed key takes the first numbered slot that nobody holds. */
enum resume_claim resume_store_open(struct resume_store *ret_store, const char *dir,
                                    const struct resume_key *key, char *error, size_t error_size);
void resume_store_close(struct resume_store *store);

/* The token kept, malloc'ed; NULL when there is none (or what is there is not one of ours). */
char *resume_store_load(const struct resume_store *store);
/* True also where nothing is kept. On failure `error` says why; the old token stays. */
bool resume_store_save(struct resume_store *store, struct view token, char *error, size_t error_size);

/* Whether our tunnel is up, for resume_store_health() of other processes. At first it is down. */
void resume_store_tell(struct resume_store *store, bool is_up);
/* True when a ttf that lives keeps its token in `dir`, and the tunnels of all that do are up. */
bool resume_store_health(const char *dir);

#endif
