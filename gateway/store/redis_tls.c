/* See redis_tls.h. */
#include "store/redis_tls.h"

#ifdef TTF_REDIS_TLS

#include <arpa/inet.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/ssl.h>

bool redis_tls_available(void) {
    return true;
}

static bool expect_host(SSL *tls, const char *host) {
    unsigned char address[16];
    bool is_address = inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
    if (is_address) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), host) == 1;
    return SSL_set_tlsext_host_name(tls, host) == 1 && SSL_set1_host(tls, host) == 1;
}

bool redis_tls_start(redisAsyncContext *context, const char *host) {
    SSL_CTX *settings = SSL_CTX_new(TLS_client_method());
    SSL *tls = NULL;
    if (settings && SSL_CTX_set_default_verify_paths(settings) == 1 &&
        SSL_CTX_set_min_proto_version(settings, TLS1_2_VERSION) == 1) {
        SSL_CTX_set_verify(settings, SSL_VERIFY_PEER, NULL);
        tls = SSL_new(settings);
    }
    SSL_CTX_free(settings); /* `tls` holds on to it */
    if (tls && expect_host(tls, host) && redisInitiateSSL(&context->c, tls) == REDIS_OK) return true;
    if (tls && !context->c.privctx) SSL_free(tls); /* otherwise it is the context's */
    return false;
}

#else

bool redis_tls_available(void) {
    return false;
}

bool redis_tls_start(redisAsyncContext *context, const char *host) {
    (void)context, (void)host;
    return false;
}

#endif
