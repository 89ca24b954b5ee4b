/* Is a secret one? Published defaults are in every scanner's list, and few characters are soon tried. */
#ifndef AUTH_SECRET_STRENGTH_H
#define AUTH_SECRET_STRENGTH_H

#include "base/view.h"

/* NULL, or what is wrong with the secret, for people, without a byte of it. Its length is the caller's
 * affair. */
const char *secret_weakness(struct view secret);

#endif
