/* The command line of ttf. One table makes both the parser and --help. Flags win over the environment, the
 * environment over a `.env` file in the working directory.
 *
 * Flags and environment are the user's; `.env` is whose the directory is, perhaps of a repository just
 * cloned. So the user's token does not go to an endpoint that `.env` names; the file's own goes anywhere. Nor
 * may `.env` say which file holds a token, or which command prints it; or where the inspector listens. */
#ifndef FORWARDER_OPTIONS_H
#define FORWARDER_OPTIONS_H

#include "dotenv.h"
#include "net/wire.h"
#include "option_table.h"
#include "service_word.h"
#include "tunnel_options.h"

#define OPTIONS_DEFAULT_ENDPOINT "ws://localhost:8081"

#define OPTIONS_CONNECT_TIMEOUT_S 10
#define OPTIONS_WORDS_MAX COMMAND_WORDS_MAX

struct options {
    const char *endpoint;                           /* NULL: not given */
    const char *token, *token_file, *token_command; /* one of them, or none */
    const char *ca_file, *client_cert, *client_key, *proxy;
    const char *inspect, *inspect_memory, *inspect_password_file; /* inspector_choose(); NULL: not said */
    const char *inspect_url;                                      /* agent_api_parse(); NULL: not said */
    const char *log;                                              /* console_choose() */
    const char *oidc, *client_id, *oidc_scope;                    /* of `ttf login`; NULL: not said */
    const char *sandbox;                                          /* sandbox_parse() */
    struct tunnel_options tunnel;         /* the one that the command line describes */
    long connect_timeout_s;               /* 0: not said */
    const char *config;                   /* --config */
    const char *topic;                    /* behind --help; NULL: none */
    const char *command;                  /* "start", ...; NULL: none */
    const char *words[OPTIONS_WORDS_MAX]; /* behind it */
    size_t word_count;
    bool describes_tunnel;    /* the command line does, by a service or any of a tunnel's settings */
    bool token_is_of_line;    /* others can read it there */
    bool endpoint_is_of_file; /* .env names it */
    bool token_withheld;      /* there is one, but not for the endpoint that .env names: `token` is NULL */
    bool verbose, help, version, health;
    bool qr;
    struct service_word service; /* of the command line; its parts stand in the fields above */
    char bare_host[256];         /* what tunnel.host points to when it came in brackets */
};

static inline struct wire_trust options_trust(const struct options *options) {
    const char *key = options->client_key ? options->client_key : options->client_cert;
    return (struct wire_trust){options->ca_file, options->client_cert, key};
}

static inline bool options_say_token(const struct options *options) {
    return options->token || options->token_file || options->token_command;
}

/* Strings are borrowed from argv, the environment and `dotenv`. On failure one line for people is in `error`.
 */
bool options_parse(struct options *ret_options, int argc, char *const argv[], const struct dotenv *dotenv,
                   char *error, size_t error_size);

#endif
