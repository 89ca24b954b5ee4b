/* The doorman (handler/ports.h) that asks a service over HTTP, as nginx's auth_request and Traefik's
 * ForwardAuth do; oauth2-proxy and Authelia understand it. A GET without a body, with
 *
 *     X-Forwarded-Method, -Proto, -Host, -Uri, -For    what the visitor wants, and who he is
 *     X-Original-URL                                   the same, as one
 *     Cookie, Authorization, Accept, Accept-Language, User-Agent, X-Requested-With    as he sent them
 *
 * 2xx lets him in. 401, 403 and redirects are told to him as they are (door_word.h). All else lets nobody in.
 *
 * What let somebody in is remembered for a while (door_cache.h) by a hash of all that was asked, or, where
 * the answer does not hang on the URL, of who asked for which host. Redirects are not followed, no more than
 * DOOR_CALLS_MAX questions are under way at once. */
#ifndef DOORMAN_DOORMAN_H
#define DOORMAN_DOORMAN_H

#include "fetch/http_client.h"
#include "handler/ports.h"

#define DOOR_CALLS_MAX ((size_t)256)
#define DOOR_URL_MAX ((size_t)2048)

/* What the settings are where nobody says them: the fields and cookies of Authelia and oauth2-proxy. */
#define DOOR_FIELDS_DEFAULT                                                                                  \
    "remote-user,remote-groups,remote-name,remote-email,x-auth-request-user,x-auth-request-email,"           \
    "x-auth-request-groups,x-auth-request-preferred-username"
#define DOOR_COOKIES_DEFAULT "_oauth2_proxy,authelia_session"
#define DOOR_TIMEOUT_MS 5000
#define DOOR_KEEP_MS 5000

struct doorman_settings {
    struct http_client *http;
    struct timers *timers;
    struct tasks *tasks;
    struct view url;
    const struct view *fields; /* of its answer, that the service gets; each once */
    size_t fields_count;
    uint64_t timeout_ms;
    uint64_t keep_ms; /* 0: each request is asked for */
    bool per_url;     /* an answer counts for the very same request alone */
};

struct door;

/* NULL, or what is wrong with such an URL, for people. */
const char *door_url_fault(struct view url);
/* Are these names of fields that a service may be told by him (and not how to frame a request, or whom it is
 * for)?
 */
bool door_names_are_fields(const struct view *names, size_t count);
bool door_names_are_cookies(const struct view *names, size_t count);

/* What `settings` points to outlives it. NULL without memory. */
struct door *door_new(const struct doorman_settings *settings);
/* Questions under way are dropped: of the http client, which goes after this. */
void door_free(struct door *door);
struct doorman door_port(struct door *door);

#endif
