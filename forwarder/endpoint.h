/* Where the gateway is: ws://host[:port][/path][?query] or wss://…; path and query are kept (API Gateway's
 * stages). */
#ifndef FORWARDER_ENDPOINT_H
#define FORWARDER_ENDPOINT_H

#include "base/view.h"

#define ENDPOINT_HOST_MAX 100
#define ENDPOINT_TARGET_MAX 1900

struct endpoint {
    bool tls;
    uint16_t port;
    char host[ENDPOINT_HOST_MAX + 1];       /* an IPv6 literal without its brackets */
    char authority[ENDPOINT_HOST_MAX + 10]; /* the Host field: brackets kept, port unless it is the default */
    char target[ENDPOINT_TARGET_MAX + 2];   /* path and query, begins with '/' */
    char shown[ENDPOINT_HOST_MAX + ENDPOINT_TARGET_MAX + 64]; /* for people: tokens in the query replaced */
};

/* On failure a line for people is written to `error`: what is wrong, and what might have been meant. */
bool endpoint_parse(const char *text, struct endpoint *ret_endpoint, char *error, size_t error_size);

/* Is it this machine, so that nobody else sees what goes there? */
bool endpoint_is_loopback(const struct endpoint *endpoint);

/* An API Gateway of AWS, which bills each message and allows frames of at most 32 KB? */
bool endpoint_is_aws(const struct endpoint *endpoint);

#endif
