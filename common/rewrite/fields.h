/* Header fields of an application that was written for "/" and is served under a prefix: pure functions of
 * one field's value. */
#ifndef REWRITE_FIELDS_H
#define REWRITE_FIELDS_H

#include "base/buf.h"
#include "rewrite/url.h"

enum field_fate {
    FIELD_KEPT,    /* as it is; nothing was written */
    FIELD_CHANGED, /* the new value was appended to `out` */
    FIELD_DROPPED, /* must not reach the visitor: it would rule over other tunnels, too */
    FIELD_FAILED   /* no room in `out`; what it then holds is worth nothing */
};

/* A field of an answer. `name` is in lower case.
 *   location content-location refresh link service-worker-allowed access-control-allow-origin
 *   content-security-policy content-security-policy-report-only: what is ours gets the prefix, or becomes the
 *     visitor's origin. `allow_script`: the page's script stands in this answer, so the policy must allow it.
 *   set-cookie: Path gets the prefix, Domain goes where it is ours, __Host- becomes FIELD_HOST_COOKIE (such a
 * cookie must have the path "/", so the browser would refuse it), FIELD_PATH_COOKIE is dropped.
 *   service-worker-allowed: nothing outside of the prefix.
 *   clear-site-data strict-transport-security alt-svc nel report-to origin-agent-cluster use-as-dictionary:
 *     dropped. */
enum field_fate field_of_answer(const struct rewrite_site *site, struct view name, struct view value,
                                bool allow_script, struct buf *out);

/* A field of a request, turned back: referer and destination lose the prefix, cookies get their names again.
 *   if-match if-none-match: we may have made a tag weak, which services compare in many ways: If-Match gets
 *     it strong, as it was, If-None-Match both. accept-encoding: what we could not decode goes. */
enum field_fate field_of_request(const struct rewrite_site *site, struct view name, struct view value,
                                 struct buf *out);

/* The cookie by which we know the tunnel whose page a browser shows: never a service's, never seen by one. */
#define FIELD_PATH_COOKIE "x-tunnel-path"
#define FIELD_HOST_COOKIE "__Secure-ttf-host-"

#endif
