/* What http_client.c and websocket.c share: the multi handle, and who hears of a transfer's end. */
#ifndef AWS_HTTP_CLIENT_STATE_H
#define AWS_HTTP_CLIENT_STATE_H

#include <curl/curl.h>

#include "aws/http_client.h"
#include "base/list.h"

/* Embedded by whatever has an easy handle, whose CURLOPT_PRIVATE it is. */
struct http_transfer {
    void (*done)(struct http_transfer *transfer, CURLcode code);
};

struct http_client {
    uv_loop_t *uv;
    struct timers *timers;
    const char *ca_file;
    CURLM *multi;
    struct timer timer;
    struct list calls, sockets;
};

#endif
