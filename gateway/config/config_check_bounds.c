/* How long, how large, and how much of what there may be. */
#include <inttypes.h>
#include <stdio.h>

#include "auth/allowance.h"
#include "config/config_check.h"
#include "config/config_parse.h"
#include "config/machine.h"
#include "handler/core.h"
#include "http/limits.h"
#include "link/link.h"
#include "metrics/metrics_tunnels.h"

static int check_times(const struct config *config) {
    const uint64_t *times[] = {&config->header_timeout_ms,      &config->keepalive_timeout_ms,
                               &config->request_timeout_ms,     &config->body_idle_timeout_ms,
                               &config->agent_ping_interval_ms, &config->min_rate_grace_ms};
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
        if (*times[i] == 0) return config_complain(config, times[i], "it may not be 0");
    return 0;
}

static bool is_head_size(size_t bytes) {
    return bytes >= HTTP_HEAD_LEAST && bytes <= HTTP_HEAD_MOST;
}

static int check_heads(const struct config *config) {
    if (!is_head_size(config->request_head_bytes))
        return config_complain(config, &config->request_head_bytes, "expected 8KiB to 192KiB");
    if (!is_head_size(config->answer_head_bytes))
        return config_complain(config, &config->answer_head_bytes, "expected 8KiB to 192KiB");
    return 0;
}

static int check_quotas(const struct config *config) {
    const size_t *rates[] = {&config->tunnel_rate,    &config->owner_rate,    &config->visitor_rate,
                             &config->owner_requests, &config->owner_tunnels, &config->owner_connects};
    const size_t *bandwidths[] = {&config->tunnel_bandwidth, &config->owner_bandwidth};
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++)
        if (*rates[i] > TUNNEL_RATE_MAX)
            return config_complain(config, rates[i], "expected 0 (any) to 1000000");
    for (size_t i = 0; i < 2; i++)
        if (*bandwidths[i] &&
            (*bandwidths[i] < ALLOWANCE_BANDWIDTH_MIN || *bandwidths[i] > ALLOWANCE_BANDWIDTH_MAX))
            return config_complain(config, bandwidths[i], "expected 0 (any), or 1000 bytes a second to 1 TB");
    return 0;
}

static int check_bounds(const struct config *config) {
    if (config->max_connections == 0 || config->max_connections > 1000000)
        return config_complain(config, &config->max_connections, "expected 1 to 1000000");
    if (config->body_bytes > ((size_t)1 << 30))
        return config_complain(config, &config->body_bytes,
                               "expected at most 1GiB: v1 keeps bodies in memory");
    if (config->visitor_share > 100)
        return config_complain(config, &config->visitor_share, "expected 0 (no share) to 100");
    if (config->agent_link_requests == 0 || config->agent_link_requests > LINK_REQUESTS_MAX)
        return config_complain(config, &config->agent_link_requests, "expected 1 to 536870912");
    if (config->metrics_tunnels > METRICS_TUNNELS_MAX)
        return config_complain(config, &config->metrics_tunnels, "expected 0 (none) to 2000");
    if (config->tunnel_requests == 0 || config->tunnel_requests > 4096)
        return config_complain(config, &config->tunnel_requests, "expected 1 to 4096");
    if (config_said(config, &config->max_connections) &&
        config_said(config, &config->max_connections_per_address) &&
        config->max_connections_per_address > config->max_connections)
        return config_contradict(config, &config->max_connections_per_address, &config->max_connections,
                                 "one address cannot have more than there are in all");
    return 0;
}

/* Bounds that were asked for, and that something else will reach first. */
void config_warn_of_bounds(const struct config *config) {
    static const char files[] = "open files (ulimit -n, LimitNOFILE)",
                      memory[] = "bytes of memory that there are",
                      bodies[] = "bytes of memory, and a body of v1 takes three times its size",
                      connections[] = "connections at once (max-connections)";
    const uint64_t descriptors = machine_descriptors(), bytes = machine_memory_bytes(),
                   most = config->max_connections;
    const struct {
        const size_t *member;
        uint64_t there_are, reached_at; /* 0: not known */
        const char *what;
    } bounds[] = {
        {&config->max_connections, descriptors, descriptors, files},
        {&config->max_connections_per_address, descriptors, descriptors, files},
        {&config->owner_tunnels, descriptors, descriptors, files},
        {&config->memory_limit_bytes, bytes, bytes, memory},
        {&config->body_bytes, bytes, bytes / 4, bodies},
        {&config->tunnel_requests, most, most, connections},
        {&config->owner_requests, most, most, connections},
        {&config->owner_tunnels, most, most, connections},
    };
    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        char origin[CONFIG_ORIGIN_MAX];
        const size_t *member = bounds[i].member;
        if (!config_said(config, member) || !bounds[i].reached_at || *member <= bounds[i].reached_at)
            continue;
        fprintf(stderr, "%s: %s: it is no bound here: something else is reached first, %" PRIu64 " %s\n",
                program_name(), config_origin(config, config_setting_at(config, member), origin),
                bounds[i].there_are, bounds[i].what);
    }
}

int config_check_bounds(const struct config *config) {
    int code = check_times(config);
    if (!code && settings_are_of(PROGRAM_GATEWAY)) code = check_heads(config);
    if (!code) code = check_bounds(config);
    if (!code) code = check_quotas(config);
    return code;
}
