/* The inspector: a port, usually of this machine's loopback, with a page that shows the requests as they
 * pass, and the agent's API in ngrok's shapes (docs/INSPECTOR.md). A libmicrohttpd daemon on the loop.
 *
 * Who may do what: docs/decisions/inspector-guard.md. */
#ifndef FORWARDER_INSPECT_INSPECT_H
#define FORWARDER_INSPECT_INSPECT_H

#include <stdio.h>

#include "inspect/guard.h"
#include "inspect/place.h"
#include "inspect/watch.h"
#include "local/local_client.h"
#include "net/loop.h"

#define INSPECT_MEMORY_DEFAULT ((size_t)32 * 1024 * 1024)

/* One tunnel of the process; all borrowed until the next turn of the loop. */
struct inspect_tunnel {
    const char *name;       /* never NULL */
    const char *label;      /* as watch_request.tunnel; NULL: the only one has none */
    const char *public_url; /* NULL: not known yet */
    char service[300];      /* for people */
    struct local_target target;
    bool is_up;
};

/* One that is to be added. Texts are borrowed until return, and may be NULL but for the first two. */
struct inspect_wish {
    const char *label;
    const char *service;                  /* a word of the command line */
    const char *name;                     /* that is asked of the gateway */
    const char *basic_auth, *host_header; /* as the options of these names */
};

/* What the API does with tunnels; the agent's part. */
struct inspect_tunnels {
    void *ctx;
    /* The one behind *cursor, which begins as NULL. False: no more. */
    bool (*next)(void *ctx, const void **cursor, struct inspect_tunnel *ret_tunnel);
    /* False: why is in `error`. */
    bool (*add)(void *ctx, const struct inspect_wish *wish, char *error, size_t error_size);
    void (*remove)(void *ctx, const void *cursor);
};

struct inspect;

struct inspect_settings {
    struct inspect_place place;
    size_t memory_bytes;
    char login[GUARD_LOGIN_MAX]; /* guard_hash_password(); empty: no password is asked */
};

/* NULL, and a line for people, when no port is free. */
struct inspect *inspect_new(struct loop *loop, const struct inspect_settings *settings, char *error,
                            size_t error_size);
/* What `call` is to tell. */
const struct watch *inspect_watch(const struct inspect *inspect);
/* Copied; its ctx is borrowed until inspect_stop(). Until then there are no tunnels. */
void inspect_set_tunnels(struct inspect *inspect, const struct inspect_tunnels *tunnels);
/* The page, with the key that lets it write: "http://127.0.0.1:4040/#k3v9…"; where a password is asked,
 * without. */
const char *inspect_url(const struct inspect *inspect);
/* Not from within an event. Memory goes in inspect_free(), after the loop has let go. NULL is fine. */
void inspect_stop(struct inspect *inspect);
void inspect_free(struct inspect *inspect);

#endif
