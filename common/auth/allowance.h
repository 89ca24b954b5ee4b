/* What a token allows its holder (docs/QUOTAS.md), as claims of its own:
 *
 *   tunnels           a name or an array of names and patterns: "shop", "alice-*"
 *   domains           a domain or an array of domains and patterns: "app.example.com", "*.example.com"
 *   max_tunnels       tunnels at once
 *   max_rate          requests a second
 *   max_bandwidth     bytes a second, ALLOWANCE_BANDWIDTH_MIN at least
 *   max_connections   requests and WebSockets at once
 *
 * Each may be missing: then the gateway's own setting holds. All numbers are whole and not 0, and hold for
 * all tunnels of the token's subject together. */
#ifndef AUTH_ALLOWANCE_H
#define AUTH_ALLOWANCE_H

#include "base/buf.h"

#define ALLOWANCE_NAMES_MAX 1024 /* bytes of all names, each with a space behind it */
#define ALLOWANCE_NUMBER_MAX 1000000
#define ALLOWANCE_BANDWIDTH_MIN 1000
#define ALLOWANCE_BANDWIDTH_MAX 1000000000000 /* a TB a second */
#define ALLOWANCE_TEXT_MAX 64

/* What holds while the tunnel stands; it is kept with its claim. 0: the gateway's setting. */
struct allowance {
    uint32_t rate, connections;
    uint64_t bandwidth;
};

/* What holds when an agent connects. */
struct allowance_names {
    uint32_t tunnels;                      /* at once; 0: the gateway's setting */
    bool is_bound;                         /* to the names below; false: any */
    char text[ALLOWANCE_NAMES_MAX + 1];    /* "shop alice-* " */
    bool says_domains;                     /* those below, and no others */
    char domains[ALLOWANCE_NAMES_MAX + 1]; /* likewise; empty: none */
};

struct json_t;

/* Reads a token's claims (a JSON object). False: *ret_reason says which of them is no allowance. */
bool allowance_read(const struct json_t *claims, struct allowance *ret_allowance,
                    struct allowance_names *ret_names, const char **ret_reason);

/* Is this text a JSON object whose claims are an allowance? */
bool allowance_check(struct view claims, const char **ret_reason);

/* May its holder have this name? '*' in a pattern stands for any characters, or none. */
bool allowance_has(const struct allowance_names *names, struct view name);
/* May it bring this domain? '*' stands for any characters, dots, too; who says nothing of domains has none.
 */
bool allowance_has_domain(const struct allowance_names *names, struct view domain);
/* The one name that there is; absent where there are more, or patterns. */
struct view allowance_only_name(const struct allowance_names *names);

/* As stores keep it: "rate connections bandwidth", three numbers; empty where all are 0. */
bool allowance_is_none(const struct allowance *allowance);
struct view allowance_encode(const struct allowance *allowance, char out[ALLOWANCE_TEXT_MAX]);
/* False for what allowance_encode() does not write. */
bool allowance_decode(struct view text, struct allowance *ret_allowance);

#endif
