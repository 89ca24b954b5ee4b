/* See policy_target.h. */
#include "policy/policy_target.h"

#include "http/chars.h"
#include "http/uri.h"
#include "policy/policy.h"

#define TO_MOST 2048 /* bytes */

/* Browsers would go somewhere else: to a host ("//host", "/\host"), or above the tunnel's prefix. */
static bool is_own(struct view target) {
    struct view path = view_slice(target, 0, view_find(target, '?'));
    return target.len > 0 && target.len <= TO_MOST && target.ptr[0] == '/' && http_is_visible(target) &&
           view_find(target, '\\') == target.len && view_find(target, '#') == target.len &&
           !view_starts_with(target, VIEW("//")) && !path_escapes(path) &&
           !view_starts_with(target, VIEW(POLICY_DOORS));
}

struct view policy_own_target(struct view said) {
    return is_own(said) ? said : VIEW("/");
}
