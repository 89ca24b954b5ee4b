#include "fetch/authorities.h"

#include <openssl/err.h>

#include "base/log.h"

void authorities_init(struct authorities *authorities, const char *ca_file) {
    *authorities = (struct authorities){.ca_file = ca_file};
}

void authorities_done(struct authorities *authorities) {
    X509_STORE_free(authorities->store);
    authorities->store = NULL;
}

static bool load(X509_STORE *store, const char *ca_file) {
    return ca_file ? X509_STORE_load_file(store, ca_file) == 1 : X509_STORE_set_default_paths(store) == 1;
}

X509_STORE *authorities_store(struct authorities *authorities) {
    if (authorities->store) return authorities->store;
    X509_STORE *store = X509_STORE_new();
    if (store && load(store, authorities->ca_file)) {
        X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN); /* an intermediate one may be trusted alone */
        authorities->store = store;
    } else {
        log_error("tls", "no certificate authorities can be read from %s",
                  authorities->ca_file ? authorities->ca_file : "OpenSSL's own places");
        X509_STORE_free(store);
    }
    ERR_clear_error();
    return authorities->store;
}
