/* share=<key>: the visitor has opened the link that the owner shared. The link's token is a pass (pass.h) in
 * the query; a page's visitor gets it as a cookie and is led to the same URL without it, a program is let in
 * as it is. Nothing is kept of who has it: when the owner's ttf ends, the key goes with the claim. */
#include "base/base64.h"
#include "http/uri.h"
#include "policy/policy_rules.h"

#define KEY_TEXT_LEN 43
#define PURPOSE VIEW("share")

static bool read_key(struct view text, unsigned char key[PASS_KEY_LEN]) {
    char bytes[KEY_TEXT_LEN + 3];
    size_t len;
    if (text.len != KEY_TEXT_LEN || !base64url_decode(text, bytes, &len) || len != PASS_KEY_LEN) return false;
    memcpy(key, bytes, PASS_KEY_LEN);
    return true;
}

bool policy_share_append(struct buf *out, const unsigned char key[PASS_KEY_LEN]) {
    return base64url_append(out, view_of(key, PASS_KEY_LEN));
}

bool policy_share_token(struct buf *out, const unsigned char key[PASS_KEY_LEN], struct view tunnel,
                        uint64_t expires_s) {
    return pass_append(out, key, PURPOSE, tunnel, expires_s);
}

bool policy_share_valid(struct view value) {
    unsigned char key[PASS_KEY_LEN];
    return read_key(value, key);
}

/* ---- the token in a query ---- */

static bool is_token(struct view parameter, struct arena *arena) {
    struct view name = view_slice(parameter, 0, view_find(parameter, '='));
    if (view_find(name, '%') < name.len) name = uri_decode(name, arena);
    return view_eq(name, VIEW(POLICY_SHARE_PARAMETER));
}

static bool keep_others(struct view query, struct buf *out, struct arena *arena) {
    struct view parameter;
    char sign = '?';
    while (view_split(&query, '&', &parameter)) {
        if (is_token(parameter, arena)) continue;
        if (!buf_append(out, &sign, 1) || !buf_append_view(out, parameter)) return false;
        sign = '&';
    }
    return true;
}

/* Absent: there is none. */
static struct view token_of(struct view target, struct arena *arena) {
    size_t sign = view_find(target, '?');
    struct view query = view_skip(target, sign + 1), parameter;
    while (sign < target.len && view_split(&query, '&', &parameter))
        if (is_token(parameter, arena)) return view_skip(parameter, view_find(parameter, '=') + 1);
    return (struct view){0};
}

struct view policy_share_strip(struct view target, struct arena *arena) {
    size_t sign = view_find(target, '?');
    struct buf out;
    if (!token_of(target, arena).ptr) return target;
    buf_init(&out, target.len + 1);
    bool ok = buf_append_view(&out, view_slice(target, 0, sign)) &&
              keep_others(view_skip(target, sign + 1), &out, arena);
    struct view stripped = ok ? arena_copy(arena, buf_view(&out)) : (struct view){0};
    buf_done(&out);
    return stripped;
}

/* ---- the rule ---- */

static enum policy_verdict lead(const struct policy_request *request, struct view token, uint64_t expires_s,
                                struct policy_outcome *outcome) {
    outcome->target = policy_share_strip(request->target, request->arena);
    outcome->cookie = arena_printf(request->arena, POLICY_SHARE_COOKIE "=%.*s", VIEW_ARG(token));
    outcome->cookie_age_s = expires_s - request->now_s;
    return outcome->target.ptr && outcome->cookie.ptr ? POLICY_LEADS : POLICY_FAILS;
}

enum policy_verdict policy_share_check(struct view value, const struct policy_request *request,
                                       struct policy_outcome *outcome) {
    unsigned char key[PASS_KEY_LEN];
    uint64_t expires_s;
    if (!read_key(value, key)) return POLICY_FAILS;
    struct view token = token_of(request->target, request->arena);
    if (token.ptr && pass_holds(token, key, PURPOSE, request->tunnel, request->now_s, &expires_s))
        return request->is_navigation ? lead(request, token, expires_s, outcome) : POLICY_LETS_IN;
    bool has_cookie = pass_in_cookies(request->headers, VIEW(POLICY_SHARE_COOKIE), key, PURPOSE,
                                      request->tunnel, request->now_s);
    return has_cookie ? POLICY_LETS_IN : POLICY_ASKS_LINK;
}
