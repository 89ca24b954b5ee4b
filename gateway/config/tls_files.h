/* The files of our certificates and their keys: read at the start, and watched (file_watch.h). What is no
 * good then is told in the log, and the old ones stay. Those that come by ACME, a file each in one folder,
 * join them; of these one that is no good is passed over. */
#ifndef GATEWAY_TLS_FILES_H
#define GATEWAY_TLS_FILES_H

#include "config/config.h"
#include "config/file_watch.h"
#include "sockets/certificates.h"

struct tls_files {
    const struct config *config;
    char *folder;             /* of certificates by ACME; NULL: none come so */
    struct certificates *set; /* NULL: there is no TLS */
    struct file_watch watch;
    uint64_t looks;
};

/* False after saying on standard error what is wrong. `config` outlives it. */
bool tls_files_load(struct tls_files *files, const struct config *config);
void tls_files_watch(struct tls_files *files, struct loop *loop);
/* Before the loop has ended, and after it. Also where there is no TLS. */
void tls_files_stop(struct tls_files *files);
void tls_files_done(struct tls_files *files);

#endif
