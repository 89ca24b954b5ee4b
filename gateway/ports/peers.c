/* See peers.h. */
#include "ports/peers.h"

#include <stdlib.h>

void peers_init(struct peers *peers, size_t max, size_t max_per_address, const struct network *proxies,
                size_t proxies_count) {
    *peers = (struct peers){
        .max = max, .max_per_address = max_per_address, .proxies = proxies, .proxies_count = proxies_count};
    table_init(&peers->table);
}

void peers_done(struct peers *peers) {
    table_done(&peers->table);
}

bool peers_is_proxy(const struct peers *peers, const struct sockaddr *address) {
    for (size_t i = 0; i < peers->proxies_count; i++)
        if (network_has(&peers->proxies[i], address)) return true;
    return false;
}

static struct peer *peer_new(struct peers *peers, const struct sockaddr *address, struct view key) {
    struct peer *peer = calloc(1, sizeof(*peer));
    if (!peer) return NULL;
    if (key.len) memcpy(peer->key, key.ptr, key.len);
    address_text(address, peer->text);
    peer->peers = peers;
    peer->is_proxy = peers_is_proxy(peers, address);
    peer->is_exempt = peer->is_proxy || sockaddr_is_loopback(address);
    if (table_put(&peers->table, &peer->node, view_of(peer->key, key.len))) return peer;
    free(peer);
    return NULL;
}

struct peer *peers_take(struct peers *peers, const struct sockaddr *address) {
    if (peers->max && peers->count >= peers->max) return NULL;
    unsigned char bytes[16];
    struct view key = view_of(bytes, address_bytes(address, bytes));
    struct table_node *node = table_get(&peers->table, key);
    struct peer *peer = node ? TABLE_ENTRY(node, struct peer, node) : peer_new(peers, address, key);
    if (!peer) return NULL;
    if (peers->max_per_address && !peer->is_exempt && peer->count >= peers->max_per_address) return NULL;
    peer->count++;
    peers->count++;
    return peer;
}

void peer_release(struct peer *peer) {
    peer->peers->count--;
    if (--peer->count) return;
    table_remove(&peer->peers->table, &peer->node);
    free(peer);
}
