/* ttf: the agent that a developer runs beside a local web service. Wires the parts; all of them live on one
 * libuv loop. */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/heap.h"
#include "base/log.h"
#include "base/regular_file.h"
#include "heartbeat.h"
#include "options.h"
#include "tunnel.h"

#define TEARDOWN_MS 150
#define REQUEST_TIMEOUT_GATEWAY_MS 60000u
#define REQUEST_TIMEOUT_AWS_MS 25000u

enum { EXIT_USAGE = 2 };

struct program {
    struct loop loop;
    struct tunnel *tunnel;
    int exit_code;
};

static int usage_error(const char *error) {
    fprintf(stderr, "ttf: %s\n", error);
    return EXIT_USAGE;
}

static void on_exit_wanted(void *ctx, int code) {
    struct program *program = ctx;
    program->exit_code = code;
    loop_quit(&program->loop);
}

static void on_stop(void *ctx, unsigned times, int number) {
    struct program *program = ctx;
    if (times > 1) { /* the user means it */
        signal(number, SIG_DFL);
        raise(number);
    }
    tunnel_stop(program->tunnel);
}

/* Takes everything down in order; what cannot be (a name lookup that hangs) is left to the system. */
static int tear_down(struct program *program, struct console *console) {
    tunnel_shut(program->tunnel);
    if (!loop_done_within(&program->loop, TEARDOWN_MS)) {
        console_done(console);
        _exit(program->exit_code);
    }
    tunnel_free(program->tunnel);
    return program->exit_code;
}

static int run_tunnel(const struct tunnel_settings *settings) {
    struct program program = {.exit_code = 1};
    char error[512];
    if (!loop_init(&program.loop)) {
        console_error(settings->console, "the system gives no event loop");
        return 1;
    }
    program.tunnel = tunnel_new(&program.loop, settings, on_exit_wanted, &program, error, sizeof(error));
    if (!program.tunnel) {
        console_error(settings->console, "%s", error);
        return 1;
    }
    loop_on_stop(&program.loop, on_stop, &program);
    console_attach(settings->console, &program.loop.tasks);
    tunnel_start(program.tunnel);
    loop_run(&program.loop);
    console_attach(settings->console, NULL);
    return tear_down(&program, settings->console);
}

/* False when another ttf uses that name. */
static bool open_resume_store(struct resume_store *store, const struct options *options,
                              const struct endpoint *endpoint, struct console *console) {
    char error[512], *dir = resume_store_default_dir();
    struct view url = view_from_cstr(endpoint->shown);
    char *without_query = view_to_cstr(view_slice(url, 0, view_find(url, '?')));
    struct resume_key key = {.endpoint = without_query ? without_query : "",
                             .name = options->name,
                             .port = (uint16_t)options->port};
    enum resume_claim claim = resume_store_open(store, dir, &key, error, sizeof(error));
    free(without_query);
    free(dir);
    if (claim == RESUME_BUSY)
        console_error(console, "another ttf on this machine already runs the tunnel '%s' for port %ld",
                      options->name, options->port);
    else if (claim == RESUME_UNAVAILABLE)
        console_error(console, "the tunnel's URL will not survive a restart of ttf: %s", error);
    return claim != RESUME_BUSY;
}

static bool holds_certificate(const char *path) {
    char line[256];
    bool found = false;
    FILE *file = regular_file_open(path);
    while (file && !found && fgets(line, sizeof(line), file))
        found = strncmp(line, "-----BEGIN ", 11) == 0 && strstr(line, "CERTIFICATE-----");
    if (file) fclose(file);
    return found;
}

/* "host:port", an IPv6 literal in brackets. */
static void print_authority(const struct options *options, char *out, size_t size) {
    bool is_v6 = strchr(options->host, ':') != NULL;
    snprintf(out, size, "%s%.250s%s:%ld", is_v6 ? "[" : "", options->host, is_v6 ? "]" : "", options->port);
}

static void warn_of_endpoint(const struct options *options, const struct endpoint *endpoint,
                             struct console *console) {
    if (!options->endpoint)
        console_error(console, "no endpoint given (-e or TTF_ENDPOINT): trying the gateway on this machine");
    if (options->endpoint_is_of_file)
        console_line(console, "The endpoint is named by the file .env in the working directory");
    if (options->token_withheld)
        console_error(console,
                      "your token is not sent: it is not for an endpoint that .env names (if you trust "
                      "that one, name it with -e or TTF_ENDPOINT)");
    if ((options->token || options->token_file) && !endpoint->tls && !endpoint_is_loopback(endpoint))
        console_error(console,
                      "the token goes to %s unencrypted, for everybody on the way to read; better use wss://",
                      endpoint->authority);
}

/* Longer than API Gateway waits nothing is worth waiting for there. */
static uint64_t request_timeout_ms(const struct options *options, const struct endpoint *endpoint) {
    if (options->request_timeout_s) return (uint64_t)options->request_timeout_s * 1000;
    return endpoint_is_aws(endpoint) ? REQUEST_TIMEOUT_AWS_MS : REQUEST_TIMEOUT_GATEWAY_MS;
}

static int run(const struct options *options) {
    char error[512];
    struct endpoint endpoint;
    if (!endpoint_parse(options->endpoint ? options->endpoint : OPTIONS_DEFAULT_ENDPOINT, &endpoint, error,
                        sizeof(error)))
        return usage_error(error);
    if (options->ca_file && !holds_certificate(options->ca_file)) {
        snprintf(error, sizeof(error), "--ca-file %.300s cannot be read, or holds no PEM certificate",
                 options->ca_file);
        return usage_error(error);
    }
    struct token token = {.given = options->token, .path = options->token_file};
    if (!token_refresh(&token, error, sizeof(error))) return usage_error(error);
    struct console console;
    struct resume_store resume;
    struct host_field host_field;
    struct hints hints;
    char authority[300];
    print_authority(options, authority, sizeof(authority));
    if (!host_field_init(&host_field, options->host_header ? options->host_header : "preserve", options->host,
                         options->unix_path ? 0 : (uint16_t)options->port,
                         options->local_https ? "https" : "http"))
        return usage_error("--host-header wants preserve, rewrite or a host name");
    struct local_target target = {.host = options->host,
                                  .port = (uint16_t)options->port,
                                  .unix_path = options->unix_path,
                                  .tls = options->local_https};
    if (!console_init(&console)) return usage_error("out of memory");
    console_line(&console, "HTTP Tunnel Forwarder v" TTF_VERSION);
    console_line(&console, "Local service: %s%s", options->local_https ? "https://" : "",
                 options->unix_path ? options->unix_path : authority);
    console_line(&console, "Tunnel endpoint: %s", endpoint.shown);
    hints_init(&hints, &console, &host_field, options->no_hints);
    warn_of_endpoint(options, &endpoint, &console);
    if (!open_resume_store(&resume, options, &endpoint, &console)) {
        console_done(&console);
        return 1;
    }

    struct tunnel_settings settings = {
        .endpoint = &endpoint,
        .endpoint_is_default = !options->endpoint,
        .token = &token,
        .name = options->name,
        .ca_file = options->ca_file,
        .target = &target,
        .host_field = &host_field,
        .rewrite = options->rewrite,
        .hints = &hints,
        .connect_timeout_ms = (uint64_t)options->connect_timeout_s * 1000,
        .request_timeout_ms = request_timeout_ms(options, &endpoint),
        .heartbeat_ms = endpoint_is_aws(&endpoint) ? HEARTBEAT_AWS_MS : HEARTBEAT_GATEWAY_MS,
        .console = &console,
        .resume = &resume,
    };
    int code = run_tunnel(&settings);
    hints_done(&hints);
    resume_store_close(&resume);
    console_done(&console);
    return code;
}

static int ask_health(void) {
    char *dir = resume_store_default_dir();
    bool well = resume_store_health(dir);
    if (!well) fprintf(stderr, "ttf: no tunnel is up, or not every one\n");
    free(dir);
    return well ? 0 : 1;
}

int main(int argc, char *argv[]) {
    char error[512];
    struct dotenv dotenv;
    struct options options;
    int code = 0;
    heap_init();
    signal(SIGPIPE, SIG_IGN);
    dotenv_init(&dotenv);
    enum status loaded = dotenv_load(&dotenv, ".env");
    if (loaded != STATUS_OK && loaded != STATUS_NOT_FOUND)
        fprintf(stderr, "ttf: .env is not read: %s\n",
                loaded == STATUS_INVALID ? "it is not a regular file" : status_text(loaded));
    if (!options_parse(&options, argc, argv, &dotenv, error, sizeof(error))) {
        code = usage_error(error);
    } else if (options.help) {
        options_help(stdout);
    } else if (options.version) {
        puts("ttf " TTF_VERSION);
    } else if (options.health) {
        code = ask_health();
    } else {
        log_set_level(options.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN);
        code = run(&options);
    }
    dotenv_done(&dotenv);
    return code;
}
