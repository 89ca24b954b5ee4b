/* What is kept of an authority: the account's key, and each certificate with its key in one file of PEM,
 * `<folder>/<name>.pem`, where config/tls_files.h finds it. All is readable by our user alone, and replaced
 * in one step. */
#ifndef GATEWAY_ACME_FILES_H
#define GATEWAY_ACME_FILES_H

#include <stdint.h>

#include "acme/acme_key.h"

#define ACME_WHY_MAX 400

/* Makes the folder, and those above it. False with errno. */
bool acme_files_prepare(const char *folder);
/* The account's key, made where there is none. NULL and why. */
EVP_PKEY *acme_files_account(const char *folder, char ret_why[ACME_WHY_MAX]);

/* False and why, nothing having changed: the chain's first certificate is not of this key and for these
 * names, its dates cannot be read, or it cannot be written. */
bool acme_files_put(const char *folder, const struct view *names, size_t count, struct view chain,
                    EVP_PKEY *key, char ret_why[ACME_WHY_MAX]);
/* Since 1970, of the certificate that is there for these names. False: none is. */
bool acme_files_dates(const char *folder, const struct view *names, size_t count, int64_t *ret_begin_s,
                      int64_t *ret_end_s);
/* Another gateway's file for this name. Written where there is none that begins as late or later (*ret_new).
 * False and why: it is none, or cannot be written. */
bool acme_files_adopt(const char *folder, struct view name, struct view pem, bool *ret_new,
                      char ret_why[ACME_WHY_MAX]);
/* All of the file. `out` has room for 1 MiB and a byte. */
bool acme_files_read(const char *folder, struct view name, struct buf *out);
void acme_files_remove(const char *folder, struct view name);
/* Every name that there is a file of. */
void acme_files_list(const char *folder, void (*found)(void *ctx, struct view name), void *ctx);

#endif
