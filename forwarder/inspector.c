/* See inspector.h. */
#include "inspector.h"

#include <stdio.h>

#include "base/units.h"
#include "inspect/store.h"
#include "service_word.h"

#define MEMORY_MOST ((size_t)4 * 1024 * 1024 * 1024)

/* ---- options ---- */

bool inspector_parse(const char *word, uint16_t *ret_port) {
    static const struct view hosts[] = {{"localhost:", 10}, {"127.0.0.1:", 10}, {":", 1}};
    struct view rest = view_from_cstr(word);
    uint64_t port;
    *ret_port = 0;
    if (!word || view_eq(rest, VIEW("off"))) return true;
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
        if (view_starts_with(rest, hosts[i])) {
            rest = view_skip(rest, hosts[i].len);
            break;
        }
    if (!view_parse_u64(rest, &port) || port < 1 || port > UINT16_MAX) return false;
    *ret_port = (uint16_t)port;
    return true;
}

bool inspector_parse_memory(const char *word, size_t *ret_bytes) {
    static const struct unit units[] = {
        {"", 1}, {"KiB", 1024}, {"MiB", (uint64_t)1024 * 1024}, {"GiB", (uint64_t)1024 * 1024 * 1024}};
    uint64_t bytes;
    *ret_bytes = INSPECT_MEMORY_DEFAULT;
    if (!word) return true;
    if (!units_parse(view_from_cstr(word), units, sizeof(units) / sizeof(units[0]), &bytes)) return false;
    *ret_bytes = (size_t)bytes;
    return bytes >= STORE_BYTES_LEAST && bytes <= MEMORY_MOST;
}

struct inspect *inspector_new(struct loop *loop, const struct options *options, struct console *console) {
    char error[200];
    uint16_t port;
    size_t memory;
    if (!inspector_parse(options->inspect, &port) || !port) return NULL;
    if (!inspector_parse_memory(options->inspect_memory, &memory)) return NULL;
    struct inspect *inspect = inspect_new(loop, port, memory, error, sizeof(error));
    if (inspect)
        console_inspector(console, inspect_url(inspect));
    else
        console_error(console, "%s; the tunnel goes on without it", error);
    return inspect;
}

/* ---- the agent's tunnels ---- */

static bool next(void *ctx, const void **cursor, struct inspect_tunnel *ret_tunnel) {
    const struct agent_tunnel *tunnel = *cursor ? agent_next(ctx, *cursor) : agent_first(ctx);
    *cursor = tunnel;
    if (!tunnel) return false;
    const struct tunnel_options *options = agent_tunnel_options(tunnel);
    *ret_tunnel = (struct inspect_tunnel){
        .name = options->label ? options->label : "command_line",
        .label = options->label,
        .public_url = agent_tunnel_url(tunnel),
        .target = {.host = options->host,
                   .port = (uint16_t)options->port,
                   .unix_path = options->unix_path,
                   .tls = options->local_https},
    };
    tunnel_options_print_service(options, ret_tunnel->service, sizeof(ret_tunnel->service));
    return true;
}

static bool add(void *ctx, const char *label, const char *word, const char *name, char *error,
                size_t error_size) {
    struct service_word service;
    const char *wrong = word ? service_word_parse(word, &service) : "it is no text";
    if (!tunnel_label_is_sane(label)) wrong = "the tunnel's name is letters, digits, '.', '_' and '-'";
    if (wrong) {
        snprintf(error, error_size, "%s", wrong);
        return false;
    }
    struct tunnel_options options = {.label = label,
                                     .name = name,
                                     .host = service.host[0] ? service.host : NULL,
                                     .port = service.port,
                                     .unix_path = service.unix_path,
                                     .local_https = service.https};
    tunnel_options_complete(&options);
    return tunnel_options_check(&options, "", error, error_size) &&
           agent_add(ctx, &options, error, error_size);
}

static void remove_tunnel(void *ctx, const void *cursor) {
    agent_remove(ctx, (struct agent_tunnel *)(uintptr_t)cursor);
}

void inspector_attach(struct inspect *inspect, struct agent *agent) {
    struct inspect_tunnels tunnels = {.ctx = agent, .next = next, .add = add, .remove = remove_tunnel};
    if (inspect) inspect_set_tunnels(inspect, &tunnels);
}
