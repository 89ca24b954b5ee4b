/* Where visitors and agents come, and what is believed of them there. */
#include <stdlib.h>

#include "config/config_check.h"
#include "http/chars.h"

static int parse_proxies(struct config *config) {
    config->proxies = calloc(config->proxies_text.count + 1, sizeof(*config->proxies));
    for (size_t i = 0; config->proxies && i < config->proxies_text.count; i++) {
        if (!network_parse(config->proxies_text.items[i], &config->proxies[i]))
            return config_complain(config, &config->proxies_text, "expected networks such as 10.0.0.0/8");
        if (config->proxies[i].bits == 0)
            return config_complain(
                config, &config->proxies_text,
                "anybody could say that he comes from wherever he likes: name the networks of "
                "your proxies alone");
    }
    return config->proxies ? 0 : 2;
}

static int check_protocols(const struct config *config) {
    for (size_t i = 0; i < config->agent_protocols.count; i++) {
        struct view name = config->agent_protocols.items[i];
        if (!view_eq(name, VIEW("v1")) && !view_eq(name, VIEW("v2")))
            return config_complain(config, &config->agent_protocols, "expected v2,v1, v2 or v1");
    }
    return config->agent_protocols.count
               ? 0
               : config_complain(config, &config->agent_protocols, "expected v2,v1, v2 or v1");
}

static int check_ports(const struct config *config) {
    const struct listen_address *ports[] = {&config->public_listen, &config->agent_listen,
                                            &config->admin_listen, &config->public_tls_listen,
                                            &config->agent_tls_listen};
    const size_t count = sizeof(ports) / sizeof(ports[0]);
    for (size_t i = 0; i < count; i++)
        for (size_t j = i + 1; j < count; j++)
            if (ports[i]->port && ports[i]->port == ports[j]->port &&
                strcmp(ports[i]->host, ports[j]->host) == 0)
                return config_contradict(config, ports[i], ports[j], "they are the same address");
    return 0;
}

/* As browsers write them (RFC 6454 6.2), and as they are compared. */
static bool is_origin(struct view text) {
    size_t colon = view_find(text, ':');
    struct view host = view_skip(text, colon + 3);
    if (view_eq(text, VIEW("null"))) return true;
    if (colon == 0 || !host.len || !view_starts_with(view_skip(text, colon), VIEW("://"))) return false;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] != http_lower(text.ptr[i])) return false;
    return http_is_visible(text) && strcspn(host.ptr, "/?#@*,") >= host.len;
}

static int check_origins(const struct config *config) {
    for (size_t i = 0; i < config->allowed_origins.count; i++)
        if (!is_origin(config->allowed_origins.items[i]))
            return config_complain(config, &config->allowed_origins,
                                   "expected origins as browsers write them, in lower case and without a "
                                   "path, such as https://app.example.com");
    return 0;
}

static int check_fields(const struct config *config) {
    for (size_t i = 0; i < config->pass_fields.count; i++)
        if (!http_is_token(config->pass_fields.items[i]))
            return config_complain(config, &config->pass_fields,
                                   "expected names of fields, such as cf-connecting-ip");
    return 0;
}

int config_check_ports(struct config *config) {
    int code = parse_proxies(config);
    if (!code) code = check_protocols(config);
    if (!code) code = check_ports(config);
    if (!code) code = check_origins(config);
    if (!code) code = check_fields(config);
    return code;
}

void config_warn_of_ports(const struct config *config) {
    for (size_t i = 0; i < config->allowed_origins.count; i++)
        if (view_eq(config->allowed_origins.items[i], VIEW("null")))
            config_warn(config, &config->allowed_origins,
                        "null is the origin of every local file and sandboxed frame: any page can have it");
}
