/* TLS to the local service, over the socket itself. Nobody's certificate is checked: the service is the
 * developer's own, on his own machine or network, and its certificate mostly self-signed. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>

#include "local/local_state.h"

#define RECORD_MAX ((size_t)16 * 1024)

struct ssl_ctx_st *tls_context_new(void) {
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (!context) return NULL;
    static const unsigned char protocols[] = "\x08http/1.1";
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    /* Many small servers close without a close_notify; what counts is HTTP's own framing. */
    SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_alpn_protos(context, protocols, sizeof(protocols) - 1);
    return context;
}

void tls_context_free(struct ssl_ctx_st *context) {
    SSL_CTX_free(context);
}

static bool is_ip(const char *host) {
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    return uv_ip4_addr(host, 0, &v4) == 0 || uv_ip6_addr(host, 0, &v6) == 0;
}

void tls_name_of(const struct local_client *client, const struct headers *headers, char *out, size_t size) {
    struct view host = headers_get(headers, VIEW("host"));
    if (!host.ptr) host = view_from_cstr(client->host);
    if (view_starts_with(host, VIEW("["))) host.len = 0;
    host = view_slice(host, 0, view_find(host, ':'));
    if (!view_copy_to(host, out, size) || is_ip(out)) out[0] = '\0';
}

bool tls_begin(struct local_connection *connection) {
    connection->tls = SSL_new(connection->client->tls);
    if (!connection->tls) return false;
    SSL_set_connect_state(connection->tls);
    if (connection->tls_name[0]) SSL_set_tlsext_host_name(connection->tls, connection->tls_name);
    return SSL_set_fd(connection->tls, connection->fd) == 1;
}

void tls_end(struct local_connection *connection) {
    if (!connection->tls) return;
    ERR_clear_error();
    if (connection->stage == CONNECTION_UP && !connection->broken) SSL_shutdown(connection->tls);
    SSL_free(connection->tls);
    connection->tls = NULL;
}

enum tls_progress tls_shake_hands(struct local_connection *connection) {
    ERR_clear_error();
    int result = SSL_do_handshake(connection->tls);
    if (result == 1) return TLS_DONE;
    switch (SSL_get_error(connection->tls, result)) {
    case SSL_ERROR_WANT_READ: return TLS_WANTS_READ;
    case SSL_ERROR_WANT_WRITE: return TLS_WANTS_WRITE;
    default: return TLS_FAILED;
    }
}

void tls_error(char *out, size_t size) {
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    snprintf(out, size, "the TLS handshake failed: %s",
             reason ? reason : "the service closed the connection");
    ERR_clear_error();
}

ssize_t tls_read(struct local_connection *connection, char *bytes, size_t len) {
    ERR_clear_error();
    errno = 0;
    int result = SSL_read(connection->tls, bytes, (int)len);
    if (result > 0) return result;
    int why = SSL_get_error(connection->tls, result), error = errno;
    ERR_clear_error();
    if (why == SSL_ERROR_ZERO_RETURN) return 0;
    if (why == SSL_ERROR_WANT_WRITE) connection->tls_wants_write = true;
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
        errno = EAGAIN;
    else
        errno = why == SSL_ERROR_SYSCALL && error ? error : EPROTO;
    return -1;
}

/* One record at most. A record that the socket did not take whole must be given again, with the same bytes in
 * front; more may follow them. */
ssize_t tls_write(struct local_connection *connection, const struct iovec *pieces, int count) {
    char record[RECORD_MAX];
    size_t len = 0;
    for (int i = 0; i < count && len < RECORD_MAX; i++) {
        size_t piece = pieces[i].iov_len < RECORD_MAX - len ? pieces[i].iov_len : RECORD_MAX - len;
        if (piece) memcpy(record + len, pieces[i].iov_base, piece);
        len += piece;
    }
    ERR_clear_error();
    errno = 0;
    int result = SSL_write(connection->tls, record, (int)len);
    if (result > 0) return result;
    int why = SSL_get_error(connection->tls, result), error = errno;
    ERR_clear_error();
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
        errno = EAGAIN;
    else
        errno = why == SSL_ERROR_SYSCALL && error ? error : EPROTO;
    return -1;
}

bool tls_holds_bytes(const struct local_connection *connection) {
    return connection->tls && SSL_pending(connection->tls) > 0;
}

bool tls_is_quiet(struct local_connection *connection) {
    char byte;
    ERR_clear_error();
    int result = SSL_peek(connection->tls, &byte, 1);
    bool quiet = result <= 0 && SSL_get_error(connection->tls, result) == SSL_ERROR_WANT_READ;
    ERR_clear_error();
    return quiet;
}

void tls_shut_write(struct local_connection *connection) {
    SSL_shutdown(connection->tls);
    ERR_clear_error();
}
