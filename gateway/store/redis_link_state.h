/* What redis_link.c (commands) and redis_connect.c (the connection) share. */
#ifndef STORE_REDIS_LINK_STATE_H
#define STORE_REDIS_LINK_STATE_H

#include <hiredis/async.h>

#include "store/redis_link.h"

enum redis_phase {
    REDIS_WAITING, /* until the next attempt */
    REDIS_RESOLVING,
    REDIS_CONNECTING,
    REDIS_GREETING, /* AUTH, SELECT, PING, SUBSCRIBE */
    REDIS_UP
};

struct redis_link {
    struct redis_link_settings settings;
    char channels[REDIS_CHANNELS_MAX][512];
    enum redis_phase phase;
    redisAsyncContext *context; /* NULL: none */
    uv_getaddrinfo_t *resolving;
    struct addrinfo *addresses, *address; /* all, and the one being tried */
    struct timer retry, tick;
    struct task drop;
    unsigned failures, subscribed;
    uint64_t since_ms;           /* of the attempt */
    uint64_t heard_ms;           /* an answer or a message */
    struct list flying, waiting; /* struct redis_call */
    size_t owed;
    bool ending;
    char why[256];      /* the trouble that was logged last; "" when all is well */
    char complaint[64]; /* the first word of the last error reply that was logged */
};

/* redis_connect.c */
void redis_connect_init(struct redis_link *link);
void redis_connect_done(struct redis_link *link);
/* The connection is of no use any more; from a safe point, not from within hiredis. */
void redis_connect_fail(struct redis_link *link, const char *why);

/* redis_link.c */
void redis_calls_up(struct redis_link *link);
/* Fails what has waited too long. Why the connection is of no use any more; NULL: it is. */
const char *redis_calls_trouble(struct redis_link *link, uint64_t now_ms);
/* Logged once a kind; whatever it is, in words for the operator. */
void redis_complain(struct redis_link *link, struct view error);

#endif
