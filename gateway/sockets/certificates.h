/* Certificates of our own ports with their chains and keys, several of them: a client is shown the one for
 * the name that it asks for (RFC 6066 3), else the first. A set is never changed, only replaced by another.
 */
#ifndef GATEWAY_CERTIFICATES_H
#define GATEWAY_CERTIFICATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/view.h"

#define CERTIFICATES_MAX 64
#define CERTIFICATES_WHY_MAX 512

struct ssl_st;
struct certificates;

/* Files of PEM: the certificate with its chain behind it, and its key, which may be in the same file. NULL,
 * and *ret_why says which one, what is wrong and what helps: one that cannot be read, has expired or is not
 * valid yet, names no host, does not belong to its key, or has a key that is encrypted or too weak. */
struct certificates *certificates_load(const struct view *certificate_paths, const struct view *key_paths,
                                       size_t count, int64_t now_s, char ret_why[CERTIFICATES_WHY_MAX]);
void certificates_free(struct certificates *set);
/* One more, before the set is used. False and why, as above, or that there is no room. */
bool certificates_add(struct certificates *set, struct view certificate_path, struct view key_path,
                      int64_t now_s, char ret_why[CERTIFICATES_WHY_MAX]);

/* Puts the one for `name` (NULL: it has not said one) into a handshake; 1, or 0 on failure, as when there is
 * none at all. */
int certificates_use(const struct certificates *set, const char *name, struct ssl_st *tls);
/* Is there one for this name? */
bool certificates_name(const struct certificates *set, const char *name);
size_t certificates_count(const struct certificates *set);
/* When the first of them ends, in seconds since 1970. There is one. */
int64_t certificates_end_s(const struct certificates *set);

#endif
