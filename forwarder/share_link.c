/* See share_link.h. */
#include "share_link.h"

#include <stdlib.h>
#include <time.h>

#include "policy/policy.h"

#define URL_MAX 4096

void share_link_make(struct share_link *link, const struct visitor_rules *rules, struct view url,
                     struct view tunnel_id) {
    struct buf out;
    if (!rules->share_s) return;
    if (!link->expires_s) link->expires_s = (uint64_t)time(NULL) + rules->share_s;
    buf_init(&out, URL_MAX);
    bool made = buf_printf(&out, "%.*s%s?" POLICY_SHARE_PARAMETER "=", VIEW_ARG(url),
                           view_ends_with(url, VIEW("/")) ? "" : "/") &&
                policy_share_token(&out, rules->share_key, tunnel_id, link->expires_s);
    free(link->url);
    link->url = made ? view_to_cstr(buf_view(&out)) : NULL;
    buf_done(&out);
}

void share_link_done(struct share_link *link) {
    free(link->url);
    link->url = NULL;
}
