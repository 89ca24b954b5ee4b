/* See setup.h. */
#include "setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "endpoint.h"
#include "user_dir.h"

#define FILE_NAME "ttf.yaml"

static bool exists(const char *path) {
    struct stat status;
    return path && stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

/* ---- which file ---- */

static bool wants_tunnels(const struct options *options) {
    bool is_start = options->command && strcmp(options->command, "start") == 0;
    return is_start || !options->describes_tunnel;
}

/* The user's own may be said by anybody; one of the working directory only counts where its tunnels are
 * wanted. */
static void choose_path(struct setup *setup, const struct options *options) {
    setup->is_trusted = true;
    if (options->config) {
        setup->path = strdup(options->config);
    } else if (wants_tunnels(options) && exists(FILE_NAME)) {
        setup->path = strdup(FILE_NAME);
        setup->is_trusted = false;
    } else {
        setup->path = user_path(setup->dir, FILE_NAME);
        if (exists(setup->path)) return;
        free(setup->path);
        setup->path = NULL;
    }
}

static bool load_files(struct setup *setup, const struct options *options, char *error, size_t error_size) {
    char *login = user_path(setup->dir, SETUP_LOGIN_NAME);
    bool good = true;
    choose_path(setup, options);
    if (setup->path) good = agent_file_load(&setup->file, setup->path, setup->is_trusted, error, error_size);
    if (good && exists(login)) good = agent_file_load(&setup->login, login, true, error, error_size);
    free(login);
    return good;
}

/* ---- the endpoint, and the token that is for it ---- */

static bool is_same_endpoint(const char *a, const char *b) {
    struct endpoint one, other;
    char error[512];
    return a && b && endpoint_parse(a, &one, error, sizeof(error)) &&
           endpoint_parse(b, &other, error, sizeof(error)) && one.tls == other.tls &&
           strcmp(one.authority, other.authority) == 0 && strcmp(one.target, other.target) == 0;
}

static void choose_token(struct setup *setup) {
    struct options *options = &setup->options;
    const struct options *file = &setup->file.options, *login = &setup->login.options;
    bool is_of_stranger = setup->endpoint_file;
    if (is_of_stranger && !options->endpoint_is_of_file && options_say_token(options)) {
        options->token_withheld = true;
        options->token = options->token_file = options->token_command = NULL;
    }
    if (options_say_token(options)) return;
    bool is_anybodys = !file->endpoint && !is_of_stranger;
    if (options_say_token(file) && (is_anybodys || is_same_endpoint(file->endpoint, options->endpoint))) {
        options->token_file = file->token_file;
        options->token_command = file->token_command;
    } else if (is_same_endpoint(login->endpoint, options->endpoint)) {
        options->token_file = login->token_file;
        options->token_command = login->token_command;
    }
    if (options_say_token(options)) options->token_withheld = false;
}

static void choose_endpoint(struct setup *setup) {
    struct options *options = &setup->options;
    const struct options *file = &setup->file.options, *login = &setup->login.options;
    bool is_of_file = !options->endpoint && file->endpoint;
    if (!options->endpoint) options->endpoint = file->endpoint;
    if (!options->endpoint) options->endpoint = login->endpoint;
    setup->endpoint_is_default = !options->endpoint;
    if (!options->endpoint) options->endpoint = OPTIONS_DEFAULT_ENDPOINT;
    if (options->endpoint_is_of_file) setup->endpoint_file = ".env";
    if (is_of_file && !setup->is_trusted) setup->endpoint_file = setup->path;
    choose_token(setup);
}

static void choose_rest(struct setup *setup) {
    struct options *options = &setup->options;
    const struct options *file = &setup->file.options;
    if (!options->ca_file) options->ca_file = file->ca_file;
    if (!options->client_cert) options->client_cert = file->client_cert;
    if (!options->client_key) options->client_key = file->client_key;
    if (!options->proxy) options->proxy = file->proxy;
    if (!options->inspect) options->inspect = file->inspect;
    if (!options->inspect_memory) options->inspect_memory = file->inspect_memory;
    if (!options->inspect_password_file) options->inspect_password_file = file->inspect_password_file;
    if (!options->connect_timeout_s) options->connect_timeout_s = file->connect_timeout_s;
    if (!options->connect_timeout_s) options->connect_timeout_s = OPTIONS_CONNECT_TIMEOUT_S;
}

/* ---- the tunnels ---- */

static bool choose_tunnels(struct setup *setup, char *error, size_t error_size) {
    const struct options *options = &setup->options;
    bool is_start = options->command && strcmp(options->command, "start") == 0;
    if (is_start && options->describes_tunnel) {
        snprintf(error, error_size, "ttf start takes its tunnels from the file alone");
        return false;
    }
    if (is_start && !setup->file.count) {
        snprintf(error, error_size, "ttf start: %.200s%s",
                 setup->path ? setup->path : "there is neither ./ttf.yaml nor ",
                 setup->path ? " names no tunnels" : "$XDG_CONFIG_HOME/ttf/ttf.yaml");
        return false;
    }
    setup->tunnels = &options->tunnel;
    setup->count = 1;
    if (!wants_tunnels(options) || !setup->file.count) return true;
    if (!agent_file_select(&setup->file, options->words, options->word_count, setup->path, error, error_size))
        return false;
    setup->tunnels = setup->file.tunnels;
    setup->count = setup->file.count;
    setup->uses_tunnels = true;
    return true;
}

bool setup_init(struct setup *setup, const struct options *options, char *error, size_t error_size) {
    *setup = (struct setup){.options = *options};
    /* what it points to when it came in brackets is in the copy, too */
    if (options->tunnel.host == options->bare_host) setup->options.tunnel.host = setup->options.bare_host;
    if (options->tunnel.host == options->service.host)
        setup->options.tunnel.host = setup->options.service.host;
    setup->dir = user_dir("XDG_CONFIG_HOME", ".config");
    if (!load_files(setup, options, error, error_size)) return false;
    choose_endpoint(setup);
    choose_rest(setup);
    return choose_tunnels(setup, error, error_size);
}

void setup_done(struct setup *setup) {
    agent_file_done(&setup->file);
    agent_file_done(&setup->login);
    free(setup->path);
    free(setup->dir);
}
