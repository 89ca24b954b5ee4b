/* Where systems keep the certificates of the authorities that they trust: a program made elsewhere (a static
 * one, the Lambda) has another idea of it in its OpenSSL. */
#ifndef NET_AUTHORITIES_H
#define NET_AUTHORITIES_H

/* A file of PEM: what SSL_CERT_FILE names, or the first that is there; NULL: none is. */
const char *authorities_file(void);

#endif
