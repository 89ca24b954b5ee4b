/* A proxy on the way to a gateway: which one (a URL, or the environment's variables as curl reads them), and
 * which hosts are reached without. How it is asked for the way is proxy_shake.h. */
#ifndef NET_PROXY_H
#define NET_PROXY_H

#include "base/view.h"

#define PROXY_PORT_DEFAULT 1080 /* as with curl, of either kind */

enum proxy_kind {
    PROXY_HTTP,  /* CONNECT (RFC 9110 9.3.6), with basic authentication */
    PROXY_SOCKS5 /* RFC 1928, with user and password (RFC 1929) */
};

struct proxy {
    enum proxy_kind kind;
    char host[256]; /* no brackets */
    uint16_t port;
    bool has_user;
    char user[256], password[256]; /* decoded */
    char shown[300];               /* for people: scheme, host and port */
};

/* [http://|socks5://|socks5h://][user[:password]@]host[:port][/]. Names are looked up by the proxy in either
 * case. NULL, or what is wrong with it (static). */
const char *proxy_parse(struct view url, struct proxy *ret_proxy);

/* A list as of NO_PROXY: names (with all below them), addresses, networks (10.0.0.0/8), "*"; separated by
 * commas or spaces. */
bool proxy_list_has(struct view list, const char *host);

enum proxy_choice { PROXY_NONE, PROXY_CHOSEN, PROXY_MALFORMED };

/* What the environment says about a connection to `host`: https_proxy (with `tls`) or http_proxy, then
 * all_proxy, but for what no_proxy names; in lower case before upper case. This machine needs no proxy.
 * PROXY_MALFORMED: *ret_variable is the one that is, *ret_why says why; both are static. */
enum proxy_choice proxy_of_environment(const char *host, bool tls, struct proxy *ret_proxy,
                                       const char **ret_variable, const char **ret_why);

#endif
