/* Which tunnel does a request mean? By the label under the domain, or by the first segment of the path. */
#ifndef HANDLER_ROUTE_H
#define HANDLER_ROUTE_H

#include "http/gate.h"

struct route_names {
    struct view domain;             /* tunnels are its one-label subdomains; itself takes path mode */
    const struct view *other_names; /* these take path mode too */
    size_t other_names_count;
    bool subdomain_routing, path_routing, custom_domains;
};

enum route_mode { ROUTE_SUBDOMAIN, ROUTE_PATH };

struct route {
    enum route_mode mode;
    struct view tunnel_id; /* absent where the request names none */
    struct view target;    /* origin form, what the local service is asked for */
    struct view prefix;    /* path mode: "/<id>"; otherwise absent */
    bool is_custom;        /* by a domain of the tunnel's owner (auth/domain.h) */
    bool is_bare;          /* path mode: the path ends behind the prefix, without a slash */
    bool is_guess;         /* path mode: the request's own path has not the prefix (stray.h) */
};

/* HTTP_ERROR_UNKNOWN_HOST, HTTP_ERROR_TUNNEL_NOT_FOUND (no such name is possible; in path mode another may be
 * meant), HTTP_ERROR_BAD_REQUEST (dot segments that climb above the prefix), HTTP_ERROR_INTERNAL (no memory).
 * Views point into the verdict or the arena. */
enum http_error route_request(const struct route_names *names, const struct gate_verdict *verdict,
                              struct arena *arena, struct route *ret_route);

/* The whole path of a request in path mode is one of this tunnel's. Errors likewise. */
enum http_error route_guess(const struct gate_verdict *verdict, struct view tunnel_id, struct arena *arena,
                            struct route *ret_route);

/* "subdomain", "path" or "both"; false for anything else. */
bool routing_parse(struct view text, bool *ret_subdomain, bool *ret_path);
const char *routing_name(bool subdomain, bool path); /* at least one */

/* The domain, or one of the other names. Names are as host_parse() makes them. */
bool route_is_own_name(const struct route_names *names, struct view name);
/* The name of the tunnel that would have this domain, in the arena; absent where it can be none's. */
struct view route_custom_name(const struct route_names *names, struct view domain, struct arena *arena);
/* The one label in front of the domain; absent when there is none, or more than one. */
struct view route_tunnel_label(const struct route_names *names, struct view name);

#endif
