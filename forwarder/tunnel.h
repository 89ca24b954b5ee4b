/* The tunnel as the user sees it: connects to the gateway, prints the URL, and connects again when the link
 * is lost, or when the gateway says that it goes down: then before the old link is broken. */
#ifndef FORWARDER_TUNNEL_H
#define FORWARDER_TUNNEL_H

#include "console.h"
#include "endpoint.h"
#include "hints.h"
#include "host_field.h"
#include "inspect/watch.h"
#include "local/local_client.h"
#include "resume_store.h"
#include "token_command.h"
#include "tunnel_turn.h"
#include "uplink.h"
#include "visitor_rules.h"

struct tunnel;

/* All borrowed for the tunnel's life. */
struct tunnel_settings {
    const struct endpoint *endpoint;
    bool endpoint_is_default;            /* nobody gave it: the gateway on this machine is only tried */
    struct uplinks *uplinks;             /* to that endpoint */
    struct token *token;                 /* read anew for each connection */
    struct token_command *token_command; /* that prints it; NULL: none */
    const char *label; /* in front of what is said, where there are several tunnels; otherwise NULL */
    const char *name;
    const char *domain;  /* that stands for the name; NULL: none */
    const char *service; /* the local one, for people */
    const struct local_target *target;
    const struct host_field *host_field;
    const char *health_check; /* a path of the service (health.h); NULL: none */
    const char *rewrite;      /* rewrite_wish.h; may be NULL */
    const struct visitor_rules *rules;
    bool may_index; /* by search engines */
    const struct tunnel_turn *turn;
    struct hints *hints;
    bool opens_url; /* in a browser, when it is first known */
    uint64_t connect_timeout_ms, request_timeout_ms;
    uint64_t heartbeat_ms;
    struct console *console;
    const struct watch *watch;   /* NULL: nobody looks at requests */
    struct resume_store *resume; /* may keep nothing */
};

/* `on_exit` is called once, from the loop: the tunnel has ended for good with that exit code, and why is on
 * standard error. NULL without memory. */
struct tunnel *tunnel_new(struct loop *loop, const struct tunnel_settings *settings,
                          void (*on_exit)(void *ctx, int code), void *ctx);
void tunnel_start(struct tunnel *tunnel);
/* Says goodbye to the gateway and exits with 0, within 150 ms. */
void tunnel_stop(struct tunnel *tunnel);
/* The network has changed: a link that lives says so, and one that is waited for may come about. */
void tunnel_doubt(struct tunnel *tunnel);
bool tunnel_is_up(const struct tunnel *tunnel);
/* The public URL; NULL: the gateway has not said it yet. */
const char *tunnel_url(const struct tunnel *tunnel);
/* Ends what is left, at once; `on_exit` is not called any more. Not from within an event of the local service
 * or the gateway. */
void tunnel_shut(struct tunnel *tunnel);
/* After tunnel_shut(). NULL is fine. */
void tunnel_free(struct tunnel *tunnel);

#endif
