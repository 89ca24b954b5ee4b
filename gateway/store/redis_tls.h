/* TLS to Redis, where hiredis has it (1.0 and later; TTF_REDIS_TLS says so). hiredis' own set-up checks the
 * certificate's chain but not whose it is; here the host must be in it. */
#ifndef STORE_REDIS_TLS_H
#define STORE_REDIS_TLS_H

#include <hiredis/async.h>
#include <stdbool.h>

bool redis_tls_available(void);
/* On a context that is connecting. Trusts the system's authorities (SSL_CERT_FILE, SSL_CERT_DIR). */
bool redis_tls_start(redisAsyncContext *context, const char *host);

#endif
