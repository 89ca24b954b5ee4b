/* A redis-server (or valkey-server) of the test's own, on a unix socket in a folder of its own. */
#ifndef CONFORMANCE_REDIS_SERVER_H
#define CONFORMANCE_REDIS_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct redis_server {
    pid_t pid;
    char folder[64];
    char socket[96];
};

/* Is there such a program? */
bool redis_server_exists(const char *program);
/* Waits until it listens. `arguments` (NULL-ended, may be NULL) come behind ours. False when it does not
 * start. */
bool redis_server_start(struct redis_server *server, const char *program, const char *const *arguments);
void redis_server_stop(struct redis_server *server);

#endif
