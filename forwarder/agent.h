/* All tunnels of this process, to one gateway: each with a link of its own, its local service, its hints and
 * its saved token. They come and go while it runs; when the last one has ended, so has the agent.
 *
 * One thread, the loop's. */
#ifndef FORWARDER_AGENT_H
#define FORWARDER_AGENT_H

#include "console.h"
#include "endpoint.h"
#include "inspect/watch.h"
#include "local/local_client.h"
#include "net/loop.h"
#include "net/proxy.h"
#include "net/wire.h"
#include "token.h"
#include "tunnel_options.h"

struct agent;
struct agent_tunnel;

/* All borrowed for the agent's life. */
struct agent_settings {
    const struct endpoint *endpoint;
    bool endpoint_is_default;  /* nobody gave it */
    const struct proxy *proxy; /* on the way to it; NULL: none */
    struct wire_trust trust;
    struct token *token;
    uint64_t connect_timeout_ms;
    struct console *console;
    const struct watch *watch; /* looks at requests; NULL: nobody does */
};

/* `on_exit` is called once, from the loop: no tunnel is left, and the process is to end with that code, the
 * worst of those of its tunnels. NULL, and a line for people, on failure. */
struct agent *agent_new(struct loop *loop, const struct agent_settings *settings,
                        void (*on_exit)(void *ctx, int code), void *ctx, char *error, size_t error_size);
/* Connects all that were added; who is added later is connected at once. */
void agent_start(struct agent *agent);
/* Says goodbye for all of them; on_exit comes within 150 ms. */
void agent_stop(struct agent *agent);
/* Ends at once what is left; on_exit is not called any more. Not from within an event. */
void agent_shut(struct agent *agent);
/* After agent_shut(). NULL is fine. */
void agent_free(struct agent *agent);

/* One more tunnel; `options` (complete and checked) are copied. NULL, and a line for people: there is one of
 * that label, or another ttf runs the tunnel of that name, or there is no memory. */
struct agent_tunnel *agent_add(struct agent *agent, const struct tunnel_options *options, char *error,
                               size_t error_size);
/* Somebody is told of its end who can do something about it: the agent's exit code does not tell it. */
void agent_tunnel_forgive(struct agent_tunnel *tunnel);
/* Says goodbye for that one; it is gone from the list at once. An agent whose last tunnel was removed
 * ends with code 0, unless another is added in the same turn of the loop. */
void agent_remove(struct agent *agent, struct agent_tunnel *tunnel);

/* In the order they were added. NULL: no more. One that has ended for good is not among them. */
struct agent_tunnel *agent_first(const struct agent *agent);
struct agent_tunnel *agent_next(const struct agent *agent, const struct agent_tunnel *tunnel);
/* NULL: there is none. */
struct agent_tunnel *agent_find(const struct agent *agent, const char *label);
const struct tunnel_options *agent_tunnel_options(const struct agent_tunnel *tunnel);
/* Where its service is asked; borrowed as long as it is not removed. */
struct local_target agent_tunnel_target(const struct agent_tunnel *tunnel);
/* NULL: the gateway has not said it yet. */
const char *agent_tunnel_url(const struct agent_tunnel *tunnel);
bool agent_tunnel_is_up(const struct agent_tunnel *tunnel);

#endif
