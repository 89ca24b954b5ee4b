/* basic=<salt>:<hash>,...: the visitor must know one of them (RFC 7617), as policy_hash.h keeps it. */
#include <openssl/crypto.h>

#include "base/base64.h"
#include "policy/policy_hash.h"
#include "policy/policy_rules.h"

#define CREDENTIALS_MAX 512

bool policy_basic_valid(struct view value) {
    struct view rest = value, item;
    while (view_split(&rest, ',', &item))
        if (!policy_hash_valid(view_trim(item))) return false;
    return true; /* of nothing at all the first item is empty */
}

/* False: there are none. */
static bool read_credentials(struct view field, char out[CREDENTIALS_MAX], struct view *ret_credentials) {
    struct view scheme = VIEW("Basic "), text = view_trim(view_skip(field, scheme.len));
    size_t len;
    if (!view_eq_nocase(view_slice(field, 0, scheme.len), scheme)) return false;
    if (base64_decoded_max(text.len) > CREDENTIALS_MAX || !base64_decode(text, out, &len)) return false;
    *ret_credentials = view_of(out, len);
    return view_find(*ret_credentials, ':') < len;
}

/* Of all items, also when one has matched: the time says nothing about which. */
enum policy_verdict policy_basic_check(struct view value, const struct policy_request *request,
                                       struct policy_outcome *outcome) {
    char bytes[CREDENTIALS_MAX];
    struct view credentials, rest = value, item;
    bool matches = false;
    (void)outcome;
    if (!read_credentials(request->authorization, bytes, &credentials)) return POLICY_ASKS_LOGIN;
    while (view_split(&rest, ',', &item))
        if (policy_hash_matches(view_trim(item), credentials)) matches = true;
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return matches ? POLICY_LETS_IN : POLICY_ASKS_LOGIN;
}
