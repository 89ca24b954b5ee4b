/* The local service as one word of the command line: 3000, :3000, localhost:3000, [::1]:3000,
 * http://localhost:3000, https://localhost (port 443), unix:/run/app.sock; or a folder: ., ./public,
 * /srv/www, public/ (a slash tells it from the name of a host). */
#ifndef FORWARDER_SERVICE_WORD_H
#define FORWARDER_SERVICE_WORD_H

#include <stdint.h>

#include "base/view.h"

struct service_word {
    char host[256];        /* no brackets; "": not said */
    uint16_t port;         /* 0: a unix socket or a folder */
    const char *unix_path; /* borrowed from the word; NULL: none */
    const char *folder;    /* the same */
    bool https;
};

/* NULL, or what is wrong with it (static). */
const char *service_word_parse(const char *word, struct service_word *ret_service);

#endif
