/* Identifiers from the system's CSPRNG. All abort the process when the system gives no randomness. */
#ifndef BASE_IDS_H
#define BASE_IDS_H

#include <stddef.h>

#define TUNNEL_ID_LEN 12
#define UUID_LEN 36

void ids_random(void *out, size_t len);
/* 12 of [a-z0-9], uniformly (no modulo bias), NUL-terminated. */
void ids_tunnel(char out[TUNNEL_ID_LEN + 1]);
/* RFC 9562 version 4 in lower case, NUL-terminated. */
void ids_uuid4(char out[UUID_LEN + 1]);

#endif
