/* The function's settings: its environment (docs/AWS.md lists it). */
#ifndef AWS_ADAPTER_LAMBDA_CONFIG_H
#define AWS_ADAPTER_LAMBDA_CONFIG_H

#include "auth/jwt.h"
#include "auth/secret.h"
#include "aws/environment.h"
#include "base/log.h"

enum { LAMBDA_NAMES_MAX = 32 };

struct lambda_names {
    struct view items[LAMBDA_NAMES_MAX]; /* into the environment */
    size_t count;
};

/* How a waiting invocation learns of its answer. */
enum wait_mode { WAIT_POLLING, WAIT_STREAM, WAIT_DIRECT };

struct lambda_config {
    struct aws_environment aws;
    const char *runtime_api;
    const char *connections_table, *requests_table;
    const char *websocket_endpoint;
    const char *event_bus;             /* NULL: nothing is published */
    char domain[256];                  /* lower case, no port */
    char public_url[512];              /* no slash at the end */
    struct lambda_names other_names;   /* of the host */
    struct lambda_names allowed_names; /* that agents may claim, see core.h */
    bool custom_domains;
    bool subdomain_routing, path_routing, require_auth, enforce_exp;
    size_t tunnel_rate;      /* requests a second of each tunnel; 0: any */
    struct jwt_settings jwt; /* require_auth; into the environment, and to `jwks` */
    struct jwks *jwks;       /* NULL: none */
    const char *jwks_url;    /* require_auth: instead of them; NULL: none */
    enum wait_mode wait_mode;
    struct view visitor_policy;                    /* of all tunnels, see core.h; empty: none */
    struct view forward_auth;                      /* an URL; absent: nobody is asked about visitors */
    struct lambda_names door_fields, door_cookies; /* forward_auth, see core.h */
    bool has_secret;
    unsigned char resume_key[SECRET_LEN], waiter_key[SECRET_LEN]; /* has_secret */
    enum log_level log_level;
    bool tells_metrics; /* in the log, in CloudWatch's embedded metric format */
};

/* False, and in `why` what is wrong with which variable; never a value that could be a secret. */
bool lambda_config_read(struct lambda_config *config, char why[256]);
void lambda_config_done(struct lambda_config *config);

#endif
