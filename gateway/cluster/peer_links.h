/* The links to other gateways, by which requests for their agents of v2 travel. One a gateway, dialed when it
 * is wanted first, kept, and dialed again when it is wanted after it broke, a little later each time nobody
 * answered. */
#ifndef CLUSTER_PEER_LINKS_H
#define CLUSTER_PEER_LINKS_H

#include "auth/secret.h"
#include "handler/ports.h"
#include "link/link.h"
#include "net/loop.h"

struct peer_links;

/* `url` is our own peer URL; it and `budget` outlive the links. NULL without memory. */
struct peer_links *peer_links_new(struct loop *loop, const char *url, struct link_budget *budget);
/* Derived from the secret, for PEER_KEY_LABEL; before the first use. */
void peer_links_set_key(struct peer_links *links, const unsigned char key[SECRET_LEN]);

/* `open` of the agents' port for a claim of another gateway: a stream of a link (common/link), which may wait
 * until that is up. */
struct agent_stream *peer_links_open(struct peer_links *links, const struct claim *claim,
                                     const struct stream_head *head, bool body_follows,
                                     const struct stream_events *events, void *target,
                                     enum status *ret_status);

/* How many links are up. */
size_t peer_links_count(const struct peer_links *links);

/* Closes them; memory goes in peer_links_free, after the loop has run the close callbacks. NULL is fine for
 * both. */
void peer_links_stop(struct peer_links *links);
void peer_links_free(struct peer_links *links);

#endif
