/* Where systems keep the certificates of the authorities that they trust: a program made elsewhere (a static
 * one, the Lambda) has another idea of it in its OpenSSL. */
#ifndef NET_AUTHORITIES_H
#define NET_AUTHORITIES_H

struct x509_store_st;

/* A file of PEM: what SSL_CERT_FILE names, or the first that is there; NULL: none is. */
const char *authorities_file(void);
/* Adds those that the system keeps elsewhere than in files: on Windows alone. */
void authorities_add_kept(struct x509_store_st *store);

#endif
