/* See doctor.h. Each step starts something on a loop of its own and waits for the one answer; when one step
 * fails, those that build on it are left out. */
#include "doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "local/local_client.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "net/wire.h"
#include "refusal.h"
#include "token_command.h"
#include "uplink.h"

#define STEP_MS 10000u
#define TEARDOWN_MS 500u
#define CLOCK_MIN 1735689600 /* 2025-01-01 */

struct doctor {
    const struct setup *setup;
    const struct endpoint *endpoint;
    const struct proxy *proxy;
    struct token *token;
    struct loop loop;
    struct token_wait token_wait;
    struct timer deadline;
    unsigned failures;

    /* what the step under way has said; has_answered: it waits for nothing more */
    bool has_answered, is_good, is_connected;
    char said[600];
    uint64_t began_ms;
    struct addresses addresses;
    struct uplink_end end;
    int status;
};

/* ---- what is printed ---- */

static void line(const char *mark, const char *step, const char *text) {
    printf("%-5s %-10s %s\n", mark, step, text);
}

__attribute__((format(printf, 2, 3))) static void good(const char *step, const char *format, ...) {
    char text[600];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    line("ok", step, text);
}

static void bad(struct doctor *doctor, const char *step, const char *text, const char *cure) {
    line("FAIL", step, text);
    line("", "", cure);
    doctor->failures++;
}

/* ---- one step ---- */

static void answer(struct doctor *doctor, bool is_good) {
    if (doctor->has_answered) return;
    doctor->has_answered = true;
    doctor->is_good = is_good;
    loop_quit(&doctor->loop);
}

static void on_deadline(struct timer *timer) {
    struct doctor *doctor = LIST_ENTRY(timer, struct doctor, deadline);
    snprintf(doctor->said, sizeof(doctor->said), "no answer within %u s", STEP_MS / 1000);
    answer(doctor, false);
}

static void begin(struct doctor *doctor) {
    doctor->has_answered = doctor->is_connected = false;
    doctor->said[0] = '\0';
    uv_update_time(&doctor->loop.uv);
    doctor->began_ms = loop_now(&doctor->loop);
    timer_start(&doctor->loop.timers, &doctor->deadline, STEP_MS);
}

static bool wait_for_it(struct doctor *doctor) {
    while (!doctor->has_answered) loop_run(&doctor->loop);
    timer_stop(&doctor->loop.timers, &doctor->deadline);
    return doctor->is_good;
}

static unsigned took_ms(const struct doctor *doctor) {
    return (unsigned)(loop_now(&doctor->loop) - doctor->began_ms);
}

/* ---- settings, clock ---- */

static void look_at_settings(const struct doctor *doctor) {
    const struct setup *setup = doctor->setup;
    good("settings", "%s", setup->path ? setup->path : "no ttf.yaml; command line and environment alone");
    if (setup->endpoint_is_default)
        line("note", "settings", "no endpoint is named (-e, TTF_ENDPOINT, ttf login)");
    if (setup->options.token_withheld)
        line("note", "settings",
             "your token is not sent to an endpoint that a file of the working directory names");
}

static void look_at_clock(struct doctor *doctor) {
    time_t now = time(NULL);
    struct tm utc;
    char text[64] = "";
    if (gmtime_r(&now, &utc)) strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &utc);
    if (now >= CLOCK_MIN)
        good("clock", "%s", text);
    else
        bad(doctor, "clock", text, "Set this machine's clock: certificates and tokens have dates.");
}

/* ---- DNS ---- */

static void on_addresses(void *ctx, int error, const struct addresses *addresses) {
    struct doctor *doctor = ctx;
    if (error) snprintf(doctor->said, sizeof(doctor->said), "%s", uv_strerror(error));
    if (!error) doctor->addresses = *addresses;
    answer(doctor, !error);
}

static bool look_at_name(struct doctor *doctor) {
    const char *host = doctor->proxy ? doctor->proxy->host : doctor->endpoint->host;
    uint16_t port = doctor->proxy ? doctor->proxy->port : doctor->endpoint->port;
    char text[1000];
    begin(doctor);
    struct resolver_job *job = resolver_lookup(&doctor->loop.uv, host, port, on_addresses, doctor);
    if (job && wait_for_it(doctor)) {
        good("DNS", "%s is %s (%u ms)", host, doctor->addresses.list[0].text, took_ms(doctor));
        return true;
    }
    snprintf(text, sizeof(text), "%s: %s", host, doctor->said[0] ? doctor->said : "out of memory");
    bad(doctor, "DNS", text,
        doctor->proxy
            ? "Is the proxy's name right (--proxy, HTTPS_PROXY)? Does this machine reach its name server?"
            : "Is the gateway's name right? Where only a proxy knows it, name that (--proxy, HTTPS_PROXY).");
    return false;
}

/* ---- TCP, proxy, TLS ---- */

static void on_connected(void *ctx) {
    struct doctor *doctor = ctx;
    doctor->is_connected = true;
}

static void on_up(void *ctx) {
    answer(ctx, true);
}

static void on_wire_bytes(void *ctx, struct view bytes) {
    (void)ctx, (void)bytes;
}

static void on_drained(void *ctx) {
    (void)ctx;
}

static enum wire_failure failure_of(const struct doctor *doctor) {
    return (enum wire_failure)doctor->status;
}

static void on_wire_end(void *ctx, const struct wire_end *end) {
    struct doctor *doctor = ctx;
    doctor->status = (int)end->failure;
    snprintf(doctor->said, sizeof(doctor->said), "%s",
             end->reason  ? end->reason
             : end->error ? uv_strerror(end->error)
                          : "the connection was closed");
    answer(doctor, false);
}

static void tell_good_wire(const struct doctor *doctor, const char *address) {
    good("TCP", "%s (%u ms%s)", address, took_ms(doctor), doctor->endpoint->tls ? ", TLS included" : "");
    if (doctor->proxy)
        good("proxy", "%s opens the way to %s", doctor->proxy->shown, doctor->endpoint->authority);
    if (doctor->endpoint->tls)
        good("TLS", "the certificate is trusted, valid and of %s", doctor->endpoint->host);
    else
        line("note", "TLS", "none: ws:// is not encrypted");
}

static void tell_bad_wire(struct doctor *doctor, const char *address) {
    char text[1000];
    bool is_tls = failure_of(doctor) == WIRE_TLS || (doctor->is_connected && doctor->endpoint->tls);
    snprintf(text, sizeof(text), "%s: %s", address, doctor->said);
    if (failure_of(doctor) == WIRE_PROXY) {
        bad(doctor, "proxy", doctor->said, "Ask who runs it, or choose another (--proxy URL, --proxy off).");
        return;
    }
    if (!is_tls) {
        bad(doctor, "TCP", text,
            "Does the gateway run, and is this its agents' port? A firewall may want a proxy (--proxy, "
            "HTTPS_PROXY).");
        return;
    }
    good("TCP", "%s", address);
    bad(doctor, "TLS", doctor->said,
        "Expired or of another name: the gateway's to mend. Unknown authority: --ca-file FILE. No TLS there: "
        "ws://.");
}

static bool look_at_wire(struct doctor *doctor) {
    static const struct wire_events events = {.on_connected = on_connected,
                                              .on_up = on_up,
                                              .on_bytes = on_wire_bytes,
                                              .on_drained = on_drained,
                                              .on_end = on_wire_end};
    const struct endpoint *endpoint = doctor->endpoint;
    struct wire_way way = {.proxy = doctor->proxy, .host = endpoint->host, .port = endpoint->port};
    struct wire_tls *tls = NULL;
    char error[400];
    bool is_good = false;
    if (endpoint->tls) {
        struct wire_trust trust = options_trust(&doctor->setup->options);
        tls = wire_tls_new(endpoint->host, &trust, error, sizeof(error));
        if (!tls) return bad(doctor, "TLS", error, "Name a file of PEM certificates with --ca-file."), false;
    }
    for (size_t i = 0; i < doctor->addresses.count && !is_good; i++) {
        begin(doctor);
        doctor->status = WIRE_UNREACHABLE;
        struct wire *wire =
            wire_open(&doctor->loop, (const struct sockaddr *)&doctor->addresses.list[i].socket_address,
                      doctor->proxy ? &way : NULL, tls, &events, doctor);
        is_good = wire && wait_for_it(doctor);
        bool is_last = i + 1 == doctor->addresses.count;
        if (is_good)
            tell_good_wire(doctor, doctor->addresses.list[i].text);
        else if (is_last || failure_of(doctor) != WIRE_UNREACHABLE) {
            tell_bad_wire(doctor, doctor->addresses.list[i].text);
            i = doctor->addresses.count;
        }
        wire_free(wire);
    }
    wire_tls_free(tls);
    return is_good;
}

/* ---- WebSocket, token ---- */

static void on_token(struct token_wait *wait, const char *error) {
    struct doctor *doctor = LIST_ENTRY(wait, struct doctor, token_wait);
    if (error) snprintf(doctor->said, sizeof(doctor->said), "%s", error);
    answer(doctor, !error);
}

/* The command may take longer than other steps: it has a limit of its own. */
static bool run_token_command(struct doctor *doctor) {
    struct token_command *command = token_command_new(&doctor->loop, doctor->token->command, doctor->token);
    if (!command) return false;
    begin(doctor);
    timer_stop(&doctor->loop.timers, &doctor->deadline);
    token_wait_init(&doctor->token_wait, on_token);
    token_command_ask(command, &doctor->token_wait);
    bool is_good = wait_for_it(doctor);
    token_command_free(command);
    if (is_good)
        good("token", "the command prints one (%u ms)", took_ms(doctor));
    else
        bad(doctor, "token", doctor->said,
            "Run the command by hand (/bin/sh -c COMMAND): the first line that it prints is to be the "
            "token.");
    return is_good;
}

static void on_open(void *ctx) {
    answer(ctx, true);
}

static void on_message(void *ctx, struct view text) {
    (void)ctx, (void)text;
}

static void on_sent(void *ctx) {
    (void)ctx;
}

static void on_end(void *ctx, const struct uplink_end *end) {
    struct doctor *doctor = ctx;
    doctor->end = *end;
    refusal_text(end, NULL, doctor->said, sizeof(doctor->said));
    answer(doctor, false);
}

static bool on_uplink_bytes(void *ctx, struct view bytes) {
    (void)ctx, (void)bytes;
    return true;
}

static bool fill(void *ctx, struct buf *message) {
    (void)ctx, (void)message;
    return true;
}

static void tell_bad_upgrade(struct doctor *doctor) {
    int status = doctor->end.failure == UPLINK_REFUSED ? doctor->end.http_status : 0;
    if (status != 401 && status != 403) {
        bad(doctor, "WebSocket", doctor->said,
            "Is this the gateway's port for agents, and its path? A proxy in front must pass upgrades on.");
        return;
    }
    good("WebSocket", "%s is a gateway", doctor->endpoint->shown);
    bad(doctor, "token", doctor->said,
        token_text(doctor->token) ? "Get another token of who runs the gateway, then ttf login."
                                  : "Get a token of who runs the gateway, then ttf login.");
}

static void look_at_upgrade(struct doctor *doctor) {
    static const struct uplink_events events = {.on_open = on_open,
                                                .on_message = on_message,
                                                .on_sent = on_sent,
                                                .on_end = on_end,
                                                .on_bytes = on_uplink_bytes,
                                                .fill = fill};
    char error[400];
    struct uplink_credentials credentials = {.token = token_text(doctor->token)};
    struct wire_trust trust = options_trust(&doctor->setup->options);
    struct uplinks *uplinks =
        uplinks_new(&doctor->loop, doctor->endpoint, doctor->proxy, &trust, error, sizeof(error));
    struct uplink *uplink = uplinks ? uplink_new(uplinks, &events, doctor) : NULL;
    begin(doctor);
    if (uplink) uplink_connect(uplink, &credentials, STEP_MS);
    if (uplink && wait_for_it(doctor)) {
        good("WebSocket", "%s is a gateway, protocol %s (%u ms)", doctor->endpoint->shown,
             uplink_is_v2(uplink) ? "v2" : "v1", took_ms(doctor));
        good("token", "%s", credentials.token ? "it is taken" : "none is needed");
    } else {
        tell_bad_upgrade(doctor);
    }
    uplink_free(uplink);
    uplinks_free(uplinks);
}

/* ---- the local services ---- */

static void on_head(void *ctx, int status, const struct headers *headers) {
    struct doctor *doctor = ctx;
    (void)headers;
    doctor->status = status;
    answer(doctor, true);
}

static void on_data(void *ctx, struct view data) {
    (void)ctx, (void)data;
}

static void on_local_end(void *ctx, enum local_error error, const char *detail) {
    struct doctor *doctor = ctx;
    if (error != LOCAL_OK) snprintf(doctor->said, sizeof(doctor->said), "%s", detail);
    answer(doctor, error == LOCAL_OK);
}

/* setup has read it already. */
static void tell_folder(const struct tunnel_options *options) {
    char service[300];
    tunnel_options_print_service(options, service, sizeof(service));
    good("service", "%s%s%s can be read", options->label ? options->label : "", options->label ? ": " : "",
         service);
}

static void look_at_service(struct doctor *doctor, const struct tunnel_options *options) {
    static const struct local_events events = {
        .on_head = on_head, .on_data = on_data, .on_end = on_local_end};
    struct local_target target = {.host = options->host,
                                  .port = (uint16_t)options->port,
                                  .unix_path = options->unix_path,
                                  .tls = options->local_https};
    struct arena arena;
    struct headers headers;
    char service[300], text[1200];
    arena_init(&arena, 4096);
    headers_init(&headers, &arena);
    struct local_head head = {
        .method = VIEW("HEAD"), .target = VIEW("/"), .headers = &headers, .body_bytes = LOCAL_BODY_NONE};
    tunnel_options_print_service(options, service, sizeof(service));
    struct local_client *client = local_client_new(&doctor->loop, &target, STEP_MS / 2);
    begin(doctor);
    bool is_good = client && local_request_start(client, &head, &events, doctor) && wait_for_it(doctor);
    snprintf(text, sizeof(text), "%s%s%s: %s", options->label ? options->label : "",
             options->label ? ": " : "", service, doctor->said);
    if (is_good)
        good("service", "%s%s%s answers HEAD / with %d (%u ms)", options->label ? options->label : "",
             options->label ? ": " : "", service, doctor->status, took_ms(doctor));
    else
        bad(doctor, "service", text,
            "Start the service, or say where it is: ttf 3000, ttf https://localhost:8443, ttf unix:/path.");
    if (client) local_client_shut(client);
    local_client_free(client);
    arena_done(&arena);
}

/* ---- all ---- */

int doctor_run(const struct setup *setup, const struct endpoint *endpoint, const struct proxy *proxy,
               struct token *token) {
    struct doctor doctor = {.setup = setup, .endpoint = endpoint, .proxy = proxy, .token = token};
    if (!loop_init(&doctor.loop)) return 1;
    timer_init(&doctor.deadline, on_deadline);
    setvbuf(stdout, NULL, _IOLBF, 0);
    look_at_settings(&doctor);
    look_at_clock(&doctor);
    bool has_token = !token->command || run_token_command(&doctor);
    if (look_at_name(&doctor) && look_at_wire(&doctor) && has_token) look_at_upgrade(&doctor);
    for (size_t i = 0; i < setup->count; i++)
        if (setup->tunnels[i].folder)
            tell_folder(&setup->tunnels[i]);
        else
            look_at_service(&doctor, &setup->tunnels[i]);
    fflush(stdout);
    int code = doctor.failures ? 1 : 0;
    if (!loop_done_within(&doctor.loop, TEARDOWN_MS)) _exit(code); /* a name that is still looked up */
    return code;
}
