/* See entrances.h. */
#include "entrances.h"

#include "sockets/tls.h"

#define VISITOR_PROTOCOLS "\x02h2\x08http/1.1"
#define AGENT_PROTOCOLS "\x08http/1.1"

bool entrances_load(struct entrances *entrances, const struct config *config) {
    ticket_keys_init(&entrances->tickets, loop_wall_ms);
    challenges_init(&entrances->challenges);
    return tls_files_load(&entrances->files, config);
}

static bool is_said(const struct listen_address *address) {
    return address->host[0];
}

static bool make_tls(struct entrances *entrances) {
    const struct config *config = entrances->files.config;
    struct certificates *const *set = &entrances->files.set;
    if (is_said(&config->public_tls_listen))
        entrances->visitor_tls = tls_server_new(set, &entrances->tickets, VISITOR_PROTOCOLS);
    if (entrances->visitor_tls && config->acme_email)
        tls_server_show(entrances->visitor_tls, &entrances->challenges);
    if (is_said(&config->agent_tls_listen))
        entrances->agent_tls =
            tls_server_new(set, config->agent_client_ca ? NULL : &entrances->tickets, AGENT_PROTOCOLS);
    if (!agent_trust_open(&entrances->agent_trust, config, entrances->agent_tls)) return false;
    return (entrances->visitor_tls || !is_said(&config->public_tls_listen)) &&
           (entrances->agent_tls || !is_said(&config->agent_tls_listen));
}

bool entrances_open(struct entrances *entrances, struct loop *loop, const struct entrances_owner *owner) {
    const struct config *config = entrances->files.config;
    if (!make_tls(entrances)) return false;
    tls_files_watch(&entrances->files, loop); /* a SIGHUP may come while a store is waited for */
    const struct entrance_settings visitors = {.loop = loop,
                                               .clients = owner->visitors,
                                               .flag = "public-listen",
                                               .tls_flag = "public-tls-listen",
                                               .address = &config->public_listen,
                                               .tls_address = &config->public_tls_listen,
                                               .tls = entrances->visitor_tls,
                                               .has_header = config->proxy_protocol,
                                               .timeout_ms = config->header_timeout_ms,
                                               .through = owner->on_visitor,
                                               .ctx = owner->ctx};
    struct entrance_settings agents = visitors;
    agents.clients = owner->agents;
    agents.flag = "agent-listen";
    agents.tls_flag = "agent-tls-listen";
    agents.address = &config->agent_listen;
    agents.tls_address = &config->agent_tls_listen;
    agents.tls = entrances->agent_tls;
    agents.through = owner->on_agent;
    return entrance_open(&entrances->visitors, &visitors) && entrance_open(&entrances->agents, &agents);
}

void entrances_admit(struct entrances *entrances, struct loop *loop, struct agent_ws *agents) {
    entrance_admit(&entrances->visitors);
    entrance_admit(&entrances->agents);
    agent_trust_watch(&entrances->agent_trust, loop, agents);
}

void entrances_print_port(struct buf *lines, const char *what, const struct listener *port) {
    char text[ADDRESS_TEXT_MAX];
    if (!port) return;
    listener_text(port, text);
    buf_printf(lines, "%s%s\n", what, text);
}

void entrances_print(const struct entrances *entrances, struct buf *lines) {
    entrances_print_port(lines, "Public: http://", entrances->visitors.plain);
    entrances_print_port(lines, "Public: https://", entrances->visitors.tls);
    entrances_print_port(lines, "Agents: ws://", entrances->agents.plain);
    entrances_print_port(lines, "Agents: wss://", entrances->agents.tls);
}

void entrances_stop(struct entrances *entrances) {
    entrance_stop(&entrances->visitors);
    entrance_stop(&entrances->agents);
    tls_files_stop(&entrances->files);
    agent_trust_stop(&entrances->agent_trust);
}

void entrances_done(struct entrances *entrances) {
    tls_server_free(entrances->visitor_tls);
    tls_server_free(entrances->agent_tls);
    tls_files_done(&entrances->files);
    agent_trust_done(&entrances->agent_trust);
    challenges_done(&entrances->challenges);
}
