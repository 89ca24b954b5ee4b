/* See inspector.h. */
#include "inspector.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/regular_file.h"
#include "base/units.h"
#include "inspect/store.h"
#include "service_word.h"

#define PASSWORD_VARIABLE "TTF_INSPECT_PASSWORD"
#define MEMORY_MOST ((size_t)4 * 1024 * 1024 * 1024)

/* ---- options ---- */

static bool parse_memory(const char *word, size_t *ret_bytes) {
    static const struct unit units[] = {
        {"", 1}, {"KiB", 1024}, {"MiB", (uint64_t)1024 * 1024}, {"GiB", (uint64_t)1024 * 1024 * 1024}};
    uint64_t bytes;
    *ret_bytes = INSPECT_MEMORY_DEFAULT;
    if (!word) return true;
    if (!units_parse(view_from_cstr(word), units, sizeof(units) / sizeof(units[0]), &bytes)) return false;
    *ret_bytes = (size_t)bytes;
    return bytes >= STORE_BYTES_LEAST && bytes <= MEMORY_MOST;
}

/* The first line of the file. NULL, or what is wrong with it. */
static const char *read_password(const char *path, char ret_password[INSPECTOR_PASSWORD_SIZE]) {
    FILE *file = regular_file_open(path);
    if (!file) return "cannot be read";
    bool has_line = fgets(ret_password, INSPECTOR_PASSWORD_SIZE, file) != NULL;
    fclose(file);
    if (!has_line) return "holds no password";
    ret_password[strcspn(ret_password, "\r\n")] = '\0';
    return NULL;
}

const char *inspector_password(const struct options *options, char ret_password[INSPECTOR_PASSWORD_SIZE]) {
    const char *path = options->inspect_password_file, *variable = getenv(PASSWORD_VARIABLE);
    ret_password[0] = '\0';
    if (path) return read_password(path, ret_password);
    bool fits = !variable || view_copy_to(view_from_cstr(variable), ret_password, INSPECTOR_PASSWORD_SIZE);
    return fits ? NULL : "is too long";
}

/* What the inspector keeps is a hash. */
static bool choose_password(struct inspect_settings *settings, const struct options *options, char *error,
                            size_t error_size) {
    char password[INSPECTOR_PASSWORD_SIZE];
    const char *path = options->inspect_password_file, *wrong = inspector_password(options, password);
    if (!wrong && (path || password[0]))
        wrong = guard_hash_password(view_from_cstr(password), settings->login);
    explicit_bzero(password, sizeof(password));
    if (wrong)
        snprintf(error, error_size, "the inspector's password (%.300s) %s", path ? path : PASSWORD_VARIABLE,
                 wrong);
    if (wrong || settings->place.is_off || settings->place.is_loopback || settings->login[0]) return !wrong;
    snprintf(error, error_size,
             "--inspect %.60s lets other machines see what your visitors send: say a password, by "
             "--inspect-password-file FILE or " PASSWORD_VARIABLE,
             options->inspect);
    return false;
}

bool inspector_choose(struct inspect_settings *ret_settings, const struct options *options, char *error,
                      size_t error_size) {
    *ret_settings = (struct inspect_settings){0};
    snprintf(error, error_size,
             "--inspect wants off, a port like 4040, or an address of this machine and a port like "
             "127.0.0.1:4040");
    if (!inspect_place_parse(view_from_cstr(options->inspect), &ret_settings->place)) return false;
    snprintf(error, error_size, "--inspect-memory wants a size from 1MiB to 4GiB");
    if (!parse_memory(options->inspect_memory, &ret_settings->memory_bytes)) return false;
    return choose_password(ret_settings, options, error, error_size);
}

struct inspect *inspector_new(struct loop *loop, const struct inspect_settings *settings,
                              struct console *console) {
    char error[200];
    if (settings->place.is_off) return NULL;
    struct inspect *inspect = inspect_new(loop, settings, error, sizeof(error));
    if (inspect)
        console_inspector(console, inspect_url(inspect));
    else if (settings->place.is_asked)
        console_error(console, "%s; the tunnel goes on without it", error);
    else
        console_line(console, "Inspector: off (%s)", error);
    return inspect;
}

/* ---- the agent's tunnels ---- */

static bool next(void *ctx, const void **cursor, struct inspect_tunnel *ret_tunnel) {
    const struct agent_tunnel *tunnel = *cursor ? agent_next(ctx, *cursor) : agent_first(ctx);
    *cursor = tunnel;
    if (!tunnel) return false;
    const struct tunnel_options *options = agent_tunnel_options(tunnel);
    *ret_tunnel = (struct inspect_tunnel){
        .name = options->label ? options->label : INSPECT_ONLY_TUNNEL,
        .label = options->label,
        .public_url = agent_tunnel_url(tunnel),
        .target = agent_tunnel_target(tunnel),
        .is_up = agent_tunnel_is_up(tunnel),
    };
    tunnel_options_print_service(options, ret_tunnel->service, sizeof(ret_tunnel->service));
    return true;
}

static bool add(void *ctx, const struct inspect_wish *wish, char *error, size_t error_size) {
    struct service_word service;
    const char *wrong = service_word_parse(wish->service, &service);
    /* whoever reaches this port could read the user's files */
    if (!wrong && service.folder) wrong = "a folder is served by the command line or by ttf.yaml alone";
    if (!tunnel_label_is_sane(wish->label)) wrong = "the tunnel's name is letters, digits, '.', '_' and '-'";
    if (wrong) {
        snprintf(error, error_size, "%s", wrong);
        return false;
    }
    struct tunnel_options options = {.label = wish->label,
                                     .name = wish->name,
                                     .basic_auth = wish->basic_auth,
                                     .host_header = wish->host_header,
                                     .host = service.host[0] ? service.host : NULL,
                                     .port = service.port,
                                     .unix_path = service.unix_path,
                                     .local_https = service.https};
    tunnel_options_complete(&options);
    if (!tunnel_options_check(&options, "", error, error_size)) return false;
    struct agent_tunnel *tunnel = agent_add(ctx, &options, error, error_size);
    if (tunnel) agent_tunnel_forgive(tunnel);
    return tunnel;
}

static void remove_tunnel(void *ctx, const void *cursor) {
    agent_remove(ctx, (struct agent_tunnel *)(uintptr_t)cursor);
}

void inspector_attach(struct inspect *inspect, struct agent *agent) {
    struct inspect_tunnels tunnels = {.ctx = agent, .next = next, .add = add, .remove = remove_tunnel};
    if (inspect) inspect_set_tunnels(inspect, &tunnels);
}
