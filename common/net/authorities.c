#include "net/authorities.h"

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

const char *authorities_file(void) {
    static const char *const places[] = {"/etc/ssl/certs/ca-certificates.crt", /* Debian, Alpine, Arch, Nix */
                                         "/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora, Amazon Linux */
                                         "/etc/ssl/ca-bundle.pem",             /* SUSE */
                                         "/etc/ssl/cert.pem"};
    const char *named = getenv("SSL_CERT_FILE");
    if (named && *named) return named;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        if (access(places[i], R_OK) == 0) return places[i];
    return NULL;
}
