/* The tunnel as the user sees it: connects to the gateway, prints the URL, and connects again when the link
 * is lost, or when the gateway says that it goes down: then before the old link is broken. */
#ifndef FORWARDER_TUNNEL_H
#define FORWARDER_TUNNEL_H

#include "console.h"
#include "endpoint.h"
#include "hints.h"
#include "host_field.h"
#include "local/local_client.h"
#include "resume_store.h"
#include "token.h"

struct tunnel;

/* Strings are borrowed for the tunnel's life. */
struct tunnel_settings {
    const struct endpoint *endpoint;
    bool endpoint_is_default; /* nobody gave it: the gateway on this machine is only tried */
    struct token *token;      /* read anew for each connection */
    const char *name, *ca_file;
    const struct local_target *target; /* the local service */
    const struct host_field *host_field;
    const char *rewrite; /* rewrite_wish.h; may be NULL */
    struct hints *hints;
    uint64_t connect_timeout_ms, request_timeout_ms;
    uint64_t heartbeat_ms;
    struct console *console;
    struct resume_store *resume; /* may keep nothing */
};

/* `on_exit` is called once, from the loop: the process is to end with that code, and why is on standard
 * error. */
struct tunnel *tunnel_new(struct loop *loop, const struct tunnel_settings *settings,
                          void (*on_exit)(void *ctx, int code), void *ctx, char *error, size_t error_size);
void tunnel_start(struct tunnel *tunnel);
/* Says goodbye to the gateway and exits with 0, within 150 ms. */
void tunnel_stop(struct tunnel *tunnel);
/* Lets go of the loop, which must run a little more (loop_done_within) before tunnel_free(). */
void tunnel_shut(struct tunnel *tunnel);
void tunnel_free(struct tunnel *tunnel);

#endif
