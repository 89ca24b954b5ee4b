/* Whom to trust, read once a process and not before somebody asks: the file of all that a system trusts takes
 * 18 ms. Shared by libcurl's connections and our own. */
#ifndef FETCH_AUTHORITIES_H
#define FETCH_AUTHORITIES_H

#include <openssl/x509_vfy.h>

struct authorities {
    const char *ca_file; /* NULL: OpenSSL's own places */
    X509_STORE *store;
};

/* `ca_file` outlives it. Reads nothing. */
void authorities_init(struct authorities *authorities, const char *ca_file);
void authorities_done(struct authorities *authorities);

/* Borrowed. NULL, and a line in the log, where they cannot be read; then it is tried again. */
X509_STORE *authorities_store(struct authorities *authorities);

#endif
