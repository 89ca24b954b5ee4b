/* See tls.h. */
#include "sockets/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "sockets/certificates.h"
#include "sockets/challenges.h"
#include "sockets/ticket_keys.h"
#include "sockets/tls_subject.h"
#include "sockets/trust.h"

#define SHAKE_BYTES_MAX 65536 /* of a client: hellos have some 2 KiB */
#define RECORD_BYTES ((size_t)16 * 1024)
#define SENT_A_TURN ((size_t)512 * 1024)

struct tls_server {
    SSL_CTX *context;
    struct certificates *const *certificates;
    const struct challenges *challenges; /* NULL: there are none */
    const char *protocols;
};

/* ---- what the connections share ---- */

/* What ALPN offers when an authority looks, and nothing else does (RFC 8737 3). */
static const unsigned char challenge_offer[] = "\0\x0b\x0a" CHALLENGE_PROTOCOL;

/* What is known of a handshake: it is an authority's, or has waited for a certificate. */
static char mark_challenge, mark_waited;

static int mark_index(void) {
    static int index = -1;
    if (index < 0) index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    return index;
}

static bool is_challenge(const SSL *ssl) {
    return SSL_get_ex_data(ssl, mark_index()) == &mark_challenge;
}

/* Is there one perhaps soon? */
static bool awaits(const struct tls_server *server, SSL *ssl, const char *name) {
    const struct challenges *challenges = server->challenges;
    if (!challenges || !challenges->awaits || !name || certificates_name(*server->certificates, name))
        return false;
    bool is_first = !SSL_get_ex_data(ssl, mark_index());
    SSL_set_ex_data(ssl, mark_index(), &mark_waited);
    return challenges->awaits(challenges->ctx, view_from_cstr(name), is_first);
}

/* First of all: certificates are chosen before ALPN is looked at. */
static int on_hello(SSL *ssl, int *alert, void *ctx) {
    const unsigned char *offer;
    size_t len;
    (void)alert, (void)ctx;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &offer, &len) &&
        len == sizeof(challenge_offer) - 1 && memcmp(offer, challenge_offer, len) == 0)
        SSL_set_ex_data(ssl, mark_index(), &mark_challenge);
    return SSL_CLIENT_HELLO_SUCCESS;
}

/* RFC 6066 3: a name that nobody has gets the first certificate, which the client will refuse by itself. */
static int on_certificate(SSL *ssl, void *ctx) {
    const struct tls_server *server = ctx;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (server->challenges && is_challenge(ssl)) return challenges_use(server->challenges, name, ssl);
    if (awaits(server, ssl, name)) return -1;
    return certificates_use(*server->certificates, name, ssl);
}

/* Who offers only what we do not speak is told so (RFC 7301 3.2). */
static int on_protocols(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                        unsigned in_len, void *ctx) {
    const struct tls_server *server = ctx;
    const unsigned char *ours = (const unsigned char *)server->protocols;
    unsigned char *chosen;
    if (server->challenges && is_challenge(ssl)) {
        *out = in + 1;
        *out_len = in[0];
        return SSL_TLSEXT_ERR_OK;
    }
    if (SSL_select_next_proto(&chosen, out_len, ours, (unsigned)strlen(server->protocols), in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static bool set_up(SSL_CTX *context) {
    static const unsigned char id[] = "ttf-gateway";
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                     SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_max_early_data(context, 0);
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_session_id_context(context, id, sizeof(id) - 1) == 1 &&
           SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1;
}

struct tls_server *tls_server_new(struct certificates *const *certificates, struct ticket_keys *tickets,
                                  const char *protocols) {
    struct tls_server *server = calloc(1, sizeof(*server));
    if (!server) return NULL;
    *server = (struct tls_server){
        .context = SSL_CTX_new(TLS_server_method()), .certificates = certificates, .protocols = protocols};
    if (!server->context || !set_up(server->context)) {
        tls_server_free(server);
        return NULL;
    }
    SSL_CTX_set_cert_cb(server->context, on_certificate, server);
    SSL_CTX_set_alpn_select_cb(server->context, on_protocols, server);
    if (tickets) {
        ticket_keys_use(tickets, server->context);
    } else {
        SSL_CTX_set_options(server->context, SSL_OP_NO_TICKET); /* TLS 1.2 */
        SSL_CTX_set_num_tickets(server->context, 0);            /* TLS 1.3 */
    }
    return server;
}

bool tls_server_ask(struct tls_server *server, const struct trust *trust) {
    return tls_ask_subject(server->context) && trust_use(trust, server->context);
}

void tls_server_show(struct tls_server *server, const struct challenges *challenges) {
    server->challenges = challenges;
    SSL_CTX_set_client_hello_cb(server->context, on_hello, server);
}

void tls_server_free(struct tls_server *server) {
    if (!server) return;
    SSL_CTX_free(server->context);
    free(server);
}

/* ---- one connection ---- */

SSL *tls_new(struct tls_server *server, int fd) {
    SSL *tls = SSL_new(server->context);
    if (!tls) return NULL;
    if (SSL_set_fd(tls, fd) == 1) {
        SSL_set_accept_state(tls);
        return tls;
    }
    SSL_free(tls);
    return NULL;
}

void tls_free(SSL *tls) {
    SSL_free(tls);
    ERR_clear_error();
}

enum tls_shake tls_shake(SSL *tls) {
    ERR_clear_error();
    int result = SSL_do_handshake(tls), why = SSL_get_error(tls, result);
    if (result == 1) return TLS_DONE;
    if (BIO_number_read(SSL_get_rbio(tls)) > SHAKE_BYTES_MAX) return TLS_FAILED;
    if (why == SSL_ERROR_WANT_READ) return TLS_WANTS_READ;
    if (why == SSL_ERROR_WANT_X509_LOOKUP) return TLS_WANTS_TIME;
    return why == SSL_ERROR_WANT_WRITE ? TLS_WANTS_WRITE : TLS_FAILED;
}

bool tls_was_http(void) {
    return ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_HTTP_REQUEST;
}

const char *tls_why(const SSL *tls) {
    const char *why = ERR_reason_error_string(ERR_peek_last_error());
    if (why) return why;
    return BIO_number_read(SSL_get_rbio(tls)) > SHAKE_BYTES_MAX ? "it is too long" : "it was cut";
}

bool tls_speaks(const SSL *tls, struct view protocol) {
    const unsigned char *chosen;
    unsigned len;
    SSL_get0_alpn_selected(tls, &chosen, &len);
    return len && view_eq(view_of(chosen, len), protocol);
}

bool tls_is_over(const SSL *tls) {
    return tls_speaks(tls, VIEW(CHALLENGE_PROTOCOL));
}

/* ---- bytes ---- */

static ssize_t failed(SSL *tls, int result) {
    int why = SSL_get_error(tls, result);
    if (why == SSL_ERROR_ZERO_RETURN) return 0;
    errno = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? EAGAIN : EPROTO;
    return -1;
}

ssize_t tls_recv(SSL *tls, void *to, size_t max, bool *ret_more) {
    size_t total = 0, len = 0;
    int result = 1;
    while (total < max) {
        ERR_clear_error();
        result = SSL_read_ex(tls, (char *)to + total, max - total, &len);
        if (result != 1) break;
        total += len;
    }
    *ret_more = result == 1;
    return total ? (ssize_t)total : failed(tls, result);
}

/* What goes into one record, copied together: a head and its body leave in one. */
static size_t gather(const struct iovec *parts, size_t count, size_t skip, char *to) {
    size_t len = 0;
    for (size_t i = 0; i < count && len < RECORD_BYTES; i++) {
        if (skip >= parts[i].iov_len) {
            skip -= parts[i].iov_len;
            continue;
        }
        size_t more = parts[i].iov_len - skip, room = RECORD_BYTES - len;
        if (more > room) more = room;
        memcpy(to + len, (const char *)parts[i].iov_base + skip, more);
        len += more;
        skip = 0;
    }
    return len;
}

ssize_t tls_send(SSL *tls, const struct iovec *parts, size_t count) {
    static char record[RECORD_BYTES];
    size_t total = 0, len, written = 0;
    int result = 1;
    while (total < SENT_A_TURN && (len = gather(parts, count, total, record))) {
        ERR_clear_error();
        result = SSL_write_ex(tls, record, len, &written);
        if (result != 1) break;
        total += written;
    }
    if (total || result == 1) return (ssize_t)total;
    ssize_t none = failed(tls, result);
    if (none == 0) errno = EPIPE;
    return -1;
}

void tls_end(SSL *tls) {
    ERR_clear_error();
    if (SSL_is_init_finished(tls)) SSL_shutdown(tls);
    ERR_clear_error();
}
