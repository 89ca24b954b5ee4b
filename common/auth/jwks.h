/* A JSON Web Key Set (RFC 7517 5): the keys that agents' tokens may be signed with. */
#ifndef AUTH_JWKS_H
#define AUTH_JWKS_H

#include "auth/jwk.h"
#include "base/buf.h"

#define JWKS_TEXT_MAX ((size_t)64 * 1024)
#define JWKS_READ_MAX (JWKS_TEXT_MAX + 8192)
#define JWKS_KEYS_MAX 64
#define JWKS_TRIES_MAX 4 /* keys that one token is tried with */
#define JWKS_WHY_MAX 256

struct jwks;

/* NULL, and in `why` what is wrong with which key, without a byte of it: a text that is no set, a malformed
 * key, or none that could verify a token. Keys for other purposes or of other kinds are passed over. */
struct jwks *jwks_parse(struct view text, char why[JWKS_WHY_MAX]);
/* Likewise of a text that anybody can read: secrets (`oct`) are passed over. */
struct jwks *jwks_parse_public(struct view text, char why[JWKS_WHY_MAX]);
/* A set without keys. NULL without memory. */
struct jwks *jwks_none(void);
void jwks_free(struct jwks *set);

/* Appends what stands in the file, or of a larger one enough for jwks_parse to see that it is too large:
 * `out` has room for JWKS_READ_MAX. 0, or errno; EINVAL for what is no file. */
int jwks_read_file(const char *path, struct buf *out);

size_t jwks_count(const struct jwks *set);
size_t jwks_passed_over(const struct jwks *set);

/* The keys for that algorithm that have that name, or, with an absent `kid`, any name or none: how many there
 * are, of which the first JWKS_TRIES_MAX are in *ret_keys. Borrowed from the set. */
size_t jwks_find(const struct jwks *set, enum jws_alg alg, struct view kid,
                 const struct jwk *ret_keys[JWKS_TRIES_MAX]);

#endif
