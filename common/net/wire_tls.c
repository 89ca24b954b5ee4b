/* TLS of a wire, between two buffers in memory: what comes from the socket goes into one, what is to go out
 * is taken from the other. */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/authorities.h"
#include "net/wire_state.h"

#define RECORD_MAX ((size_t)16 * 1024)
#define NAME_MAX_BYTES 256

struct wire_tls {
    SSL_CTX *context;
    struct wire_trust trust;
    char host[NAME_MAX_BYTES];
    bool is_address;
};

/* ---- what the connections share ---- */

/* Those of this OpenSSL's own places; of the system's where it has none there. */
static void load_system_authorities(SSL_CTX *context) {
    bool has_own =
        access(X509_get_default_cert_dir(), R_OK) == 0 || access(X509_get_default_cert_file(), R_OK) == 0;
    const char *file = has_own ? NULL : authorities_file();
    if (SSL_CTX_set_default_verify_paths(context) != 1) ERR_clear_error(); /* a system without any */
    if (file && SSL_CTX_load_verify_file(context, file) != 1) ERR_clear_error();
    authorities_add_kept(SSL_CTX_get_cert_store(context));
}

static bool load_authorities(SSL_CTX *context, const char *ca_file, char *error, size_t error_size) {
    load_system_authorities(context);
    if (!ca_file || SSL_CTX_load_verify_file(context, ca_file) == 1) return true;
    const char *why = ERR_reason_error_string(ERR_peek_last_error());
    snprintf(error, error_size, "no certificate authorities can be read from %s%s%s", ca_file,
             why ? ": " : "", why ? why : "");
    ERR_clear_error();
    return false;
}

/* Trusts nobody yet. */
static struct wire_tls *context_new(const char *host) {
    static const unsigned char protocols[] = "\x08http/1.1";
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct wire_tls *tls = calloc(1, sizeof(*tls));
    if (!tls) return NULL;
    tls->context = SSL_CTX_new(TLS_client_method());
    tls->is_address = uv_ip4_addr(host, 0, &v4) == 0 || uv_ip6_addr(host, 0, &v6) == 0;
    snprintf(tls->host, sizeof(tls->host), "%s", host);
    if (!tls->context) {
        free(tls);
        return NULL;
    }
    SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION);
    SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(tls->context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(tls->context, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_alpn_protos(tls->context, protocols, sizeof(protocols) - 1);
    return tls;
}

/* Nobody is asked for a key's passphrase: a program that runs by itself would stand still. */
static int no_passphrase(char *out, int size, int writes, void *ctx) {
    (void)out, (void)size, (void)writes, (void)ctx;
    return -1;
}

static bool complain(const char *what, const char *file, char *error, size_t error_size) {
    const char *why = ERR_reason_error_string(ERR_peek_last_error());
    snprintf(error, error_size, "%s %s%s%s", what, file, why ? ": " : "", why ? why : "");
    ERR_clear_error();
    return false;
}

static bool identify(SSL_CTX *context, const struct wire_trust *trust, char *error, size_t error_size) {
    if (!trust->cert_file) return true;
    ERR_clear_error();
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    if (SSL_CTX_use_certificate_chain_file(context, trust->cert_file) != 1)
        return complain("no certificate (PEM) can be read from", trust->cert_file, error, error_size);
    if (SSL_CTX_use_PrivateKey_file(context, trust->key_file, SSL_FILETYPE_PEM) != 1)
        return complain("no key for the certificate (PEM, without a passphrase) can be read from",
                        trust->key_file, error, error_size);
    return true;
}

struct wire_tls *wire_tls_new(const char *host, const struct wire_trust *trust, char *error,
                              size_t error_size) {
    static const struct wire_trust none;
    struct wire_tls *tls = context_new(host);
    if (!trust) trust = &none;
    snprintf(error, error_size, "out of memory");
    if (tls) tls->trust = *trust;
    if (tls && load_authorities(tls->context, trust->ca_file, error, error_size) &&
        identify(tls->context, trust, error, error_size))
        return tls;
    wire_tls_free(tls);
    return NULL;
}

/* For the next connection: certificates of machines end soon, and are renewed where they stand. What is no
 * good is left, and the one of before is shown. */
static void identify_again(struct wire_tls *tls) {
    char why[400];
    SSL_CTX *probe = tls->trust.cert_file ? SSL_CTX_new(TLS_client_method()) : NULL;
    if (probe && identify(probe, &tls->trust, why, sizeof(why)))
        identify(tls->context, &tls->trust, why, sizeof(why));
    SSL_CTX_free(probe);
}

struct wire_tls *wire_tls_new_trusting(const char *host, X509_STORE *store) {
    struct wire_tls *tls = context_new(host);
    if (tls) SSL_CTX_set1_cert_store(tls->context, store);
    return tls;
}

void wire_tls_free(struct wire_tls *tls) {
    if (!tls) return;
    SSL_CTX_free(tls->context);
    free(tls);
}

/* ---- one connection ---- */

/* The certificate must be for this host (RFC 6125), and a server of several names is told which is meant. */
static bool name_peer(SSL *ssl, const struct wire_tls *tls) {
    if (tls->is_address) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), tls->host) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return SSL_set1_host(ssl, tls->host) == 1 && SSL_set_tlsext_host_name(ssl, tls->host) == 1;
}

bool wire_tls_begin(struct wire *wire) {
    identify_again(wire->context);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    wire->tls = SSL_new(wire->context->context);
    if (!wire->tls || !in || !out || !name_peer(wire->tls, wire->context)) {
        BIO_free(in);
        BIO_free(out);
        return false;
    }
    SSL_set_bio(wire->tls, in, out);
    SSL_set_connect_state(wire->tls);
    return true;
}

void wire_tls_end(struct wire *wire) {
    SSL_free(wire->tls);
    wire->tls = NULL;
    ERR_clear_error();
}

static void flush(struct wire *wire) {
    BIO *out = SSL_get_wbio(wire->tls);
    char *bytes;
    long len = BIO_get_mem_data(out, &bytes);
    if (len > 0) wire_send(wire, view_of(bytes, (size_t)len));
    BIO_reset(out);
}

static void shake_hands_failed(struct wire *wire) {
    long verified = SSL_get_verify_result(wire->tls);
    const char *why = ERR_reason_error_string(ERR_peek_last_error());
    if (verified != X509_V_OK)
        snprintf(wire->reason, sizeof(wire->reason), "the certificate is not trusted: %s",
                 X509_verify_cert_error_string(verified));
    else
        snprintf(wire->reason, sizeof(wire->reason), "the handshake failed%s%s", why ? ": " : "",
                 why ? why : "");
    wire_fail(wire, WIRE_TLS, 0, wire->reason);
}

/* True: done, and the wire lives. */
static bool shake_hands(struct wire *wire) {
    ERR_clear_error();
    int result = SSL_do_handshake(wire->tls);
    int why = SSL_get_error(wire->tls, result);
    flush(wire);
    if (result == 1) {
        wire->is_up = true;
        wire->events.on_up(wire->ctx);
        return !wire->is_closed;
    }
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) shake_hands_failed(wire);
    return false;
}

void wire_tls_receive(struct wire *wire, struct view bytes) {
    char record[RECORD_MAX];
    int len;
    if (bytes.len) BIO_write(SSL_get_rbio(wire->tls), bytes.ptr, (int)bytes.len);
    if (!wire->is_up && !shake_hands(wire)) return;
    for (ERR_clear_error(); (len = SSL_read(wire->tls, record, sizeof(record))) > 0; ERR_clear_error()) {
        wire->events.on_bytes(wire->ctx, view_of(record, (size_t)len));
        if (wire->is_closed) return;
    }
    int why = SSL_get_error(wire->tls, len);
    flush(wire); /* an answer to a key update */
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
        wire_fail(wire, WIRE_CUT, why == SSL_ERROR_ZERO_RETURN ? 0 : UV_EPROTO, NULL);
}

void wire_tls_write(struct wire *wire, struct view bytes) {
    while (bytes.len && !wire->is_broken) {
        struct view part = view_slice(bytes, 0, 1 << 30);
        ERR_clear_error();
        if (SSL_write(wire->tls, part.ptr, (int)part.len) <= 0) {
            wire->is_broken = true;
            break;
        }
        bytes = view_skip(bytes, part.len);
    }
    flush(wire);
}
