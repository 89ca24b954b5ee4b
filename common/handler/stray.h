/* Requests of path mode whose URL does not begin with the prefix of the tunnel that is meant: a script made
 * it ("/api/items" in a page under "/<id>/"). Which tunnel may be meant is said, in this order, by
 *   1. Referer, when it is of the visitor's own origin: the page's tunnel. It comes before what the path
 *      says, as in the page itself, where every root-relative URL is the page's own: so a tunnel that is
 *      called "login" gets no other tunnel's "/login";
 *   2. the first segment of the path, as ever;
 *   3. the cookie that the last page of a tunnel has set.
 * The first of them that is a tunnel's has the request. Each is a name that anyone could write into a URL,
 * by the same rules. A script of a service worker is never looked for so: it would rule over all tunnels.
 *
 * A page's navigation is redirected to where it should have gone, so that what is relative in it stays
 * inside (307). "/<id>" is redirected to "/<id>/" for the same reason (308), when there is such a tunnel.
 * Everything else is served as if it had had the prefix. */
#ifndef HANDLER_STRAY_H
#define HANDLER_STRAY_H

#include "handler/event.h"
#include "handler/ports.h"
#include "http/error.h"

struct exchange;

/* The route has been read, which failed with `error` or did not, and the fields say who the visitor is. Sets
 * exchange->stray when a look at the registry must decide. Else `error` stands. */
enum http_error stray_look(struct exchange *exchange, enum http_error error);

/* Looks. The exchange goes on with dispatch_found(), or ends. */
void stray_start(struct exchange *exchange);

/* A page that a person looks at, or may: asked for by GET, by a browser that says so. */
bool stray_is_navigation(const struct exchange *exchange);

/* A page that is to be remembered is looked at, and the cookie does not name its tunnel yet. By the fields as
 * they came. */
bool stray_is_to_be_remembered(const struct exchange *exchange);

/* Adds the cookie to an answer; in an answer to a guess, says that no cache may keep it: another tunnel's
 * page may ask for the same URL. False without memory. */
bool stray_answer(const struct exchange *exchange, struct headers *headers);

/* The path of cookies that a service sets without one (RFC 6265 5.1.4), where the browser would take the
 * wrong one, as it does not know the prefix; else absent. In the exchange's arena. */
struct view stray_cookie_path(struct exchange *exchange);

#endif
