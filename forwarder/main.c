/* ttf: the agent that a developer runs beside a local web service. Wires the parts; all of them live on one
 * libuv loop. */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent.h"
#include "base/heap.h"
#include "base/log.h"
#include "base/platform.h"
#include "base/regular_file.h"
#include "confinement.h"
#include "doctor.h"
#include "folder/folder.h"
#include "inspector.h"
#include "login.h"
#include "login_oidc.h"
#include "mcp/mcp.h"
#include "option_texts.h"
#include "options.h"
#include "reload.h"
#include "resume_store.h"
#include "sandbox/sandbox.h"
#include "setup.h"
#include "user_unit.h"
#include "version.h"

#define TEARDOWN_MS 150

enum { EXIT_USAGE = 2 };

struct program {
    struct loop loop;
    struct agent *agent;
    struct inspect *inspect; /* NULL: there is none */
    struct reload *reload;   /* NULL: there is no file */
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
    agent_stop(program->agent);
}

/* Takes everything down in order; what cannot be (a name lookup that hangs) is left to the system. */
static int tear_down(struct program *program, struct console *console) {
    reload_stop(program->reload);
    inspect_stop(program->inspect);
    if (program->agent) agent_shut(program->agent);
    if (!loop_done_within(&program->loop, TEARDOWN_MS)) {
        console_done(console);
        _exit(program->exit_code);
    }
    agent_free(program->agent);
    inspect_free(program->inspect);
    return program->exit_code;
}

static void say_service(struct console *console, const struct tunnel_options *tunnel) {
    char service[300];
    tunnel_options_print_service(tunnel, service, sizeof(service));
    console_line(console, "Local service: %s%s%s", tunnel->label ? tunnel->label : "",
                 tunnel->label ? ": " : "", service);
    if (tunnel->folder && folder_is_home(tunnel->folder))
        console_error(
            console,
            "whoever knows the URL can read all files in %s but those whose names begin with a dot: "
            "is that meant?",
            service);
}

/* All, or none. */
static bool add_tunnels(struct agent *agent, const struct setup *setup, char *error, size_t error_size) {
    for (size_t i = 0; i < setup->count; i++)
        if (!agent_add(agent, &setup->tunnels[i], error, error_size)) return false;
    return true;
}

static int run_agent(struct agent_settings *settings, const struct inspect_settings *inspecting,
                     const struct setup *setup) {
    struct program program = {.exit_code = 1};
    char error[512];
    if (!loop_init(&program.loop)) {
        console_error(settings->console, "the system gives no event loop");
        return 1;
    }
    program.inspect = inspector_new(&program.loop, inspecting, settings->console);
    if (program.inspect) settings->watch = inspect_watch(program.inspect);
    program.agent = agent_new(&program.loop, settings, on_exit_wanted, &program, error, sizeof(error));
    if (!program.agent || !add_tunnels(program.agent, setup, error, sizeof(error))) {
        console_error(settings->console, "%s", error);
        return tear_down(&program, settings->console);
    }
    inspector_attach(program.inspect, program.agent);
    if (setup->uses_tunnels)
        program.reload = reload_new(&program.loop, program.agent, setup, settings->console);
    loop_on_stop(&program.loop, on_stop, &program);
    console_attach(settings->console, &program.loop);
    agent_start(program.agent);
    loop_run(&program.loop);
    console_attach(settings->console, NULL);
    return tear_down(&program, settings->console);
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

static void warn_of_endpoint(const struct setup *setup, const struct endpoint *endpoint,
                             struct console *console) {
    const struct options *options = &setup->options;
    if (setup->endpoint_is_default)
        console_error(console, "no endpoint given (-e or TTF_ENDPOINT): trying the gateway on this machine");
    if (options->token_is_of_line)
        console_line(console,
                     "Others on this machine can read a token on the command line; better use ttf login, "
                     "TTF_TOKEN, --token-file or --token-command");
    if (setup->endpoint_file)
        console_line(console, "The endpoint is named by the file %s in the working directory",
                     setup->endpoint_file);
    if (options->token_withheld)
        console_error(console,
                      "your token is not sent: it is not for an endpoint that %s names (if you trust "
                      "that one, name it with -e or TTF_ENDPOINT)",
                      setup->endpoint_file);
    if (options_say_token(options) && !endpoint->tls && !endpoint_is_loopback(endpoint))
        console_error(console,
                      "the token goes to %s unencrypted, for everybody on the way to read; better use wss://",
                      endpoint->authority);
}

/* False: `error` says what is wrong. *ret_proxy is NULL, or `room`. */
static bool choose_proxy(const struct options *options, const struct endpoint *endpoint, struct proxy *room,
                         const struct proxy **ret_proxy, char *error, size_t error_size) {
    const char *variable = "--proxy", *wrong = NULL;
    *ret_proxy = NULL;
    if (options->proxy && strcmp(options->proxy, "off") == 0) return true;
    if (options->proxy)
        wrong = proxy_parse(view_from_cstr(options->proxy), room);
    else if (proxy_of_environment(endpoint->host, endpoint->tls, room, &variable, &wrong) == PROXY_NONE)
        return true;
    if (wrong) snprintf(error, error_size, "%s names no proxy: %s", variable, wrong);
    *ret_proxy = room;
    return !wrong;
}

static bool is_command(const struct options *options, const char *name) {
    return options->command && strcmp(options->command, name) == 0;
}

/* NULL, or what does not go together. What the files hold is seen when they are read. */
static const char *certificate_fault(const struct options *options, const struct endpoint *endpoint) {
    if (!options->client_cert) return options->client_key ? "--client-key wants --client-cert" : NULL;
    return endpoint->tls ? NULL : "--client-cert is for wss://: without TLS nobody is shown a certificate";
}

static int run(const struct setup *setup) {
    const struct options *options = &setup->options;
    char error[512];
    struct endpoint endpoint;
    if (!endpoint_parse(options->endpoint, &endpoint, error, sizeof(error))) return usage_error(error);
    if (options->ca_file && !holds_certificate(options->ca_file)) {
        snprintf(error, sizeof(error), "--ca-file %.300s cannot be read, or holds no PEM certificate",
                 options->ca_file);
        return usage_error(error);
    }
    const char *wrong = certificate_fault(options, &endpoint);
    if (wrong) return usage_error(wrong);
    struct token token = {
        .given = options->token, .path = options->token_file, .command = options->token_command};
    if (!token_refresh(&token, error, sizeof(error))) return usage_error(error);
    struct proxy proxy_room;
    const struct proxy *proxy;
    if (!choose_proxy(options, &endpoint, &proxy_room, &proxy, error, sizeof(error)))
        return usage_error(error);
    if (is_command(options, "doctor")) return doctor_run(setup, &endpoint, proxy, &token);
    struct console_settings shown;
    if (!console_choose(&shown, options->log))
        return usage_error("--log wants plain or json, and one of all, pages and errors");
    shown.qr = options->qr;
    if (shown.qr && shown.json) return usage_error("--qr draws, and --log json gives objects: one of them");
    struct inspect_settings inspecting;
    if (!inspector_choose(&inspecting, options, error, sizeof(error))) return usage_error(error);
    bool confined;
    if (!sandbox_parse(options->sandbox, &confined)) return usage_error("--sandbox wants auto or off");
    if (confined) confinement_enter(setup);
    struct console console;
    if (!console_init(&console, &shown)) return usage_error("out of memory");
    console_line(&console, "HTTP Tunnel Forwarder v" TTF_VERSION);
    for (size_t i = 0; i < setup->count; i++) say_service(&console, &setup->tunnels[i]);
    console_line(&console, "Tunnel endpoint: %s%s%s", endpoint.shown, proxy ? " through the proxy " : "",
                 proxy ? proxy->shown : "");
    warn_of_endpoint(setup, &endpoint, &console);
    struct agent_settings settings = {
        .endpoint = &endpoint,
        .endpoint_is_default = setup->endpoint_is_default,
        .proxy = proxy,
        .trust = options_trust(options),
        .token = &token,
        .connect_timeout_ms = (uint64_t)options->connect_timeout_s * 1000,
        .console = &console,
    };
    int code = run_agent(&settings, &inspecting, setup);
    console_done(&console);
    return code;
}

static int set_up_and_run(const struct options *options) {
    char error[512];
    struct setup *setup = calloc(1, sizeof(*setup));
    if (!setup) return usage_error("out of memory");
    int code = setup_init(setup, options, error, sizeof(error)) ? run(setup) : usage_error(error);
    setup_done(setup);
    free(setup);
    return code;
}

static int ask_health(void) {
    char *dir = resume_store_default_dir();
    bool well = resume_store_health(dir);
    if (!well) fprintf(stderr, "ttf: no tunnel is up, or not every one\n");
    free(dir);
    return well ? 0 : 1;
}

static int print_text(const struct options *options) {
    if (options->word_count && option_text_print(options->words[0], stdout)) return 0;
    return usage_error("ttf print wants one of " OPTION_TEXTS);
}

static int run_mcp(const struct options *options) {
    char password[INSPECTOR_PASSWORD_SIZE], error[400];
    const char *wrong = inspector_password(options, password);
    if (!wrong) return mcp_run(options->inspect_url, password);
    snprintf(error, sizeof(error), "the inspector's password %s", wrong);
    return usage_error(error);
}

static int run_command(const struct options *options) {
    if (is_command(options, "print")) return print_text(options);
    if (is_command(options, "service")) return user_unit_run(options);
    if (is_command(options, "login")) return login_run(options);
    if (is_command(options, "token")) return login_oidc_print();
    if (is_command(options, "mcp")) return run_mcp(options);
    return set_up_and_run(options);
}

int main(int argc, char *argv[]) {
    char error[512];
    struct dotenv dotenv;
    struct options options;
    int code = 0;
    heap_init();
    platform_ignore_broken_pipes();
    dotenv_init(&dotenv);
    enum status loaded = dotenv_load(&dotenv, ".env");
    if (loaded != STATUS_OK && loaded != STATUS_NOT_FOUND)
        fprintf(stderr, "ttf: .env is not read: %s\n",
                loaded == STATUS_INVALID ? "it is not a regular file" : status_text(loaded));
    if (!options_parse(&options, argc, argv, &dotenv, error, sizeof(error))) {
        code = usage_error(error);
    } else if (options.help) {
        options_help(stdout, options.command, options.topic);
    } else if (options.version) {
        version_print(stdout);
    } else if (options.health) {
        code = ask_health();
    } else {
        log_set_level(options.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN);
        code = run_command(&options);
    }
    dotenv_done(&dotenv);
    return code;
}
