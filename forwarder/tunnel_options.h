/* What a user says about one tunnel: on the command line, in a file, or to the agent's API. */
#ifndef FORWARDER_TUNNEL_OPTIONS_H
#define FORWARDER_TUNNEL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#define TUNNEL_LABEL_MAX 63 /* bytes */

/* Strings are borrowed; NULL: not said. */
struct tunnel_options {
    const char *label;  /* what it is called here, where there are several; NULL: it is the only one */
    const char *name;   /* that the gateway is asked for */
    const char *domain; /* likewise; then there is no name */
    const char *host;   /* of the local service, no brackets */
    const char *unix_path, *host_header, *rewrite;
    const char *folder;       /* whose files are the service; then no host, port or unix_path counts */
    const char *health_check; /* a path of the service */
    /* who may visit (visitor_rules.h) */
    const char *basic_auth, *basic_auth_file, *allow_ip, *deny_ip, *methods, *allow_path, *deny_path, *share,
        *password, *password_file, *verify_webhook, *webhook_secret, *webhook_secret_file;
    long port;
    long request_timeout_s; /* 0: what suits the endpoint */
    bool local_https, no_hints;
    bool is_private; /* for who has a token of the gateway's */
    bool index;      /* search engines may list a tunnel without a name of its own */
    bool list;       /* files of the folder where it has no index.html */
    bool open;       /* the URL, in a browser, when it is first known */
};

/* A letter or digit, then those, '.', '_' and '-'. */
bool tunnel_label_is_sane(const char *label);
/* Host and port of whom nothing is said about. */
void tunnel_options_complete(struct tunnel_options *options);
/* False, and a line for people that begins with `prefix` ("--") and the setting's name. */
bool tunnel_options_check(const struct tunnel_options *options, const char *prefix, char *error,
                          size_t error_size);
/* "https://localhost:3000", "unix:/run/app.sock": for people. */
void tunnel_options_print_service(const struct tunnel_options *options, char *out, size_t size);

/* Moves no string: all are copied into one block, which *ret_copy points into. NULL without memory; the
 * caller frees it. */
void *tunnel_options_copy(const struct tunnel_options *options, struct tunnel_options *ret_copy);
bool tunnel_options_are_equal(const struct tunnel_options *a, const struct tunnel_options *b);

#endif
