/* What this process is to do, of all that was said: the command line, the environment and `.env`
 * (options.h), ttf.yaml (agent_file.h) and what `ttf login` stored; in this order.
 *
 * A token goes to the endpoint that it was said for. What ttf.yaml and `ttf login` name belongs together; the
 * user's own token does not go to an endpoint that a file of the working directory names. */
#ifndef FORWARDER_SETUP_H
#define FORWARDER_SETUP_H

#include "agent_file.h"
#include "options.h"

#define SETUP_LOGIN_NAME "login.yaml" /* what `ttf login` stored, in the folder of the user's settings */

struct setup {
    struct options options; /* completed */
    bool endpoint_is_default;
    const char *endpoint_file; /* of the working directory, that names the endpoint; NULL: none does */
    char *path; /* of the file in use; NULL: none. Its tunnels are the ones that run if `uses_tunnels` */
    bool is_trusted, uses_tunnels;
    const struct tunnel_options *tunnels;
    size_t count; /* 1 at least */

    char *dir; /* of the user's settings; NULL: unknown */
    struct agent_file file, login;
};

/* `options` are those of the command line. False: `error` says what is wrong. setup_done() in any case. */
bool setup_init(struct setup *setup, const struct options *options, char *error, size_t error_size);
void setup_done(struct setup *setup);

#endif
