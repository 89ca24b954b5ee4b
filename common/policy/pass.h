/* A pass: what a visitor shows to come in, in a link or in a cookie, and what nobody makes without the key:
 *
 *     <expires>.<mac>   HMAC-SHA256(key, "1\n" purpose "\n" tunnel "\n" expires), base64url
 *
 * Good for one purpose and one tunnel until it expires (seconds since 1970). Checked without keeping
 * anything. Text of [A-Za-z0-9_.-]. */
#ifndef POLICY_PASS_H
#define POLICY_PASS_H

#include "base/buf.h"
#include "http/headers.h"

#define PASS_KEY_LEN 32
#define PASS_TEXT_MAX 80 /* characters */

bool pass_append(struct buf *out, const unsigned char key[PASS_KEY_LEN], struct view purpose,
                 struct view tunnel, uint64_t expires_s);

/* Compared in constant time. */
bool pass_holds(struct view pass, const unsigned char key[PASS_KEY_LEN], struct view purpose,
                struct view tunnel, uint64_t now_s, uint64_t *ret_expires_s);

/* Takes the value of the next cookie of that name off the front of *rest, a Cookie's value; absent: none. */
struct view cookie_next(struct view *rest, struct view name);

/* Does a Set-Cookie's value set a cookie whose name, as it comes back, begins so? One without a name comes
 * back as its value alone, which may look like a name with another value ("=a=b", RFC 6265bis 5.6). */
bool cookie_is_set_as(struct view set_cookie, struct view prefix);

/* Does one of the cookies of this name, of the first few, hold such a pass? */
bool pass_in_cookies(const struct headers *headers, struct view name, const unsigned char key[PASS_KEY_LEN],
                     struct view purpose, struct view tunnel, uint64_t now_s);

#endif
