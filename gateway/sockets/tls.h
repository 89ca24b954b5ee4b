/* TLS 1.2 and 1.3 of our own ports (RFC 8446, RFC 5246): OpenSSL on a socket that does not wait.
 * Renegotiation, compression and early data are off; ciphers are those with forward secrecy and an AEAD (RFC
 * 9325 4.2). */
#ifndef GATEWAY_TLS_H
#define GATEWAY_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/view.h"

struct ssl_st;
struct certificates;
struct challenges;
struct ticket_keys;
struct trust;
struct tls_server; /* what the connections of one port share */

/* `certificates` is where the newest set is looked up for each handshake, `tickets` (NULL: sessions are not
 * taken up again) the keys of tickets; both outlive the server. `protocols` is what ALPN offers (RFC 7301),
 * as
 * "\x02h2\x08http/1.1", the best one first; static. NULL without memory. */
struct tls_server *tls_server_new(struct certificates *const *certificates, struct ticket_keys *tickets,
                                  const char *protocols);
void tls_server_free(struct tls_server *server);
/* From now on an authority finds here what it looks for, and who comes for a name that there is no
 * certificate for waits where `challenges`, which outlive the server, say so. */
void tls_server_show(struct tls_server *server, const struct challenges *challenges);
/* Asks for certificates (tls_subject.h), of a server whose sessions are not taken up again: certificates end.
 * Once more when there is another trust. False without memory. */
bool tls_server_ask(struct tls_server *server, const struct trust *trust);

/* One connection, before its handshake; NULL without memory. `fd` stays the caller's. */
struct ssl_st *tls_new(struct tls_server *server, int fd);
void tls_free(struct ssl_st *tls);

/* TLS_WANTS_TIME: a certificate is on its way. */
enum tls_shake { TLS_DONE, TLS_WANTS_READ, TLS_WANTS_WRITE, TLS_WANTS_TIME, TLS_FAILED };
/* One step of the handshake. What the other side sends for it has a bound. */
enum tls_shake tls_shake(struct ssl_st *tls);
/* After TLS_FAILED: has it sent a request of plain HTTP? And why it failed, for the log. */
bool tls_was_http(void);
const char *tls_why(const struct ssl_st *tls);
/* After TLS_DONE: whether ALPN chose this. */
bool tls_speaks(const struct ssl_st *tls, struct view protocol);

/* After TLS_DONE: it was the handshake alone that was wanted (RFC 8737 3). */
bool tls_is_over(const struct ssl_st *tls);

/* See conn.h. *ret_more: it ended for want of room, not of bytes. */
ssize_t tls_recv(struct ssl_st *tls, void *to, size_t max, bool *ret_more);
ssize_t tls_send(struct ssl_st *tls, const struct iovec *parts, size_t count);
/* Says that no more will come (close_notify). */
void tls_end(struct ssl_st *tls);

#endif
