/* See peering.h. */
#include "cluster/peering.h"

#include <stdio.h>
#include <stdlib.h>

#include "agents/peer_guard.h"
#include "cluster/peer_requests.h"

struct peering {
    struct loop *loop;
    struct agent_ws *ws;
    char url[GATEWAY_MAX + 1];
    struct peer_links *links;
    struct peer_guard guard;
    struct peer_requests *requests;
};

struct peering *peering_new(struct loop *loop, const char *url, struct agent_ws *ws) {
    struct peering *peering = calloc(1, sizeof(*peering));
    if (!peering) return NULL;
    peering->loop = loop;
    peering->ws = ws;
    snprintf(peering->url, sizeof(peering->url), "%s", url);
    peer_guard_init(&peering->guard, peering->url);
    peering->links = peer_links_new(loop, peering->url, agent_ws_budget(ws));
    if (peering->links) return peering;
    peering_free(peering);
    return NULL;
}

void peering_set_key(struct peering *peering, const unsigned char key[SECRET_LEN]) {
    peer_guard_set_key(&peering->guard, key);
    peer_links_set_key(peering->links, key);
}

struct peer_links *peering_links(struct peering *peering) {
    return peering->links;
}

bool peering_serve(struct peering *peering, struct core *core, struct agent_accept *accept) {
    peering->requests = peer_requests_new(core, peering->url, &peering->loop->tasks, &peering->loop->timers);
    if (!peering->requests) return false;
    agent_ws_serve_peers(peering->ws, peer_requests_take, peering->requests);
    agent_accept_peers(accept, &peering->guard);
    return true;
}

size_t peering_link_count(const struct peering *peering) {
    return peer_links_count(peering->links);
}

size_t peering_busy(const struct peering *peering) {
    return peering && peering->requests ? peer_requests_count(peering->requests) : 0;
}

void peering_stop(struct peering *peering) {
    if (peering) peer_links_stop(peering->links);
}

void peering_free(struct peering *peering) {
    if (!peering) return;
    peer_links_free(peering->links);
    peer_requests_free(peering->requests);
    peer_guard_done(&peering->guard);
    free(peering);
}
