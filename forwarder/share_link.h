/* The link that is shared (`--share`): the tunnel's URL with a token that the gateway knows by the key in the
 * policy (policy.h). Good for as long as was said from when the tunnel is first up, whatever becomes of its
 * link to the gateway meanwhile. */
#ifndef FORWARDER_SHARE_LINK_H
#define FORWARDER_SHARE_LINK_H

#include "visitor_rules.h"

struct share_link {
    char *url;          /* NULL: nothing is shared, or the tunnel's URL is not known yet */
    uint64_t expires_s; /* since 1970; 0: the tunnel has not been up */
};

/* The tunnel is up, at `url`. Nothing happens where `rules` share none. */
void share_link_make(struct share_link *link, const struct visitor_rules *rules, struct view url,
                     struct view tunnel_id);
void share_link_done(struct share_link *link);

#endif
