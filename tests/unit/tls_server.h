/* A TLS server's context with a certificate of its own making, and what the last client asked it for. */
#ifndef TLS_SERVER_H
#define TLS_SERVER_H

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>

#include "cmocka_setup.h"

static char asked_name[100], asked_protocol[20];

static int on_alpn(SSL *tls, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                   unsigned in_len, void *ctx) {
    (void)tls;
    (void)ctx;
    snprintf(asked_protocol, sizeof(asked_protocol), "%.*s", in[0], in + 1);
    assert_int_equal(in_len, in[0] + 1);
    *out = in + 1;
    *out_len = in[0];
    return SSL_TLSEXT_ERR_OK;
}

static int on_name(SSL *tls, int *alert, void *ctx) {
    (void)alert;
    (void)ctx;
    const char *name = SSL_get_servername(tls, TLSEXT_NAMETYPE_host_name);
    snprintf(asked_name, sizeof(asked_name), "%s", name ? name : "-");
    return SSL_TLSEXT_ERR_OK;
}

static inline SSL_CTX *server_context(int version) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -1000);
    X509_gmtime_adj(X509_getm_notAfter(certificate), -10); /* and expired */
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               (const unsigned char *)"elsewhere", -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    X509_set_pubkey(certificate, key);
    X509_sign(certificate, key, EVP_sha256());
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_max_proto_version(context, version);
    SSL_CTX_use_certificate(context, certificate);
    SSL_CTX_use_PrivateKey(context, key);
    SSL_CTX_set_alpn_select_cb(context, on_alpn, NULL);
    SSL_CTX_set_tlsext_servername_callback(context, on_name);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return context;
}

#endif
