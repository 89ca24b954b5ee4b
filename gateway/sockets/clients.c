/* See clients.h. */
#include "sockets/clients.h"

#include <stdlib.h>
#include <time.h>

#include "net/sockaddr.h"

#define V4_LEN 4
#define V6_LEN 16
#define PREFIX_LEN 8

void clients_init(struct clients *clients, size_t max, size_t max_per_address, const struct network *proxies,
                  size_t proxies_count) {
    *clients = (struct clients){
        .max = max, .max_per_address = max_per_address, .proxies = proxies, .proxies_count = proxies_count};
    table_init(&clients->table);
    table_init(&clients->nets);
}

bool clients_limit_rate(struct clients *clients, size_t per_second) {
    clients->rate = per_second;
    return !per_second || clients->buckets.full_ns || buckets_init(&clients->buckets, 0);
}

void clients_done(struct clients *clients) {
    table_done(&clients->table);
    table_done(&clients->nets);
    buckets_done(&clients->buckets);
}

bool clients_is_proxy(const struct clients *clients, const struct sockaddr *address) {
    for (size_t i = 0; i < clients->proxies_count; i++)
        if (network_has(&clients->proxies[i], address)) return true;
    return false;
}

/* ---- one address ---- */

static uint64_t number_of(struct view key) {
    uint64_t number = key.len == V4_LEN ? 1 : 0; /* no network of IPv6 that is in use begins with zeros */
    for (size_t i = 0; i < key.len && i < PREFIX_LEN; i++) number = number << 8 | (unsigned char)key.ptr[i];
    return number;
}

/* Where its connections are counted, made if need be. NULL without memory. */
static struct client_net *net_get(struct clients *clients, struct view prefix) {
    struct table_node *node = table_get(&clients->nets, prefix);
    if (node) return TABLE_ENTRY(node, struct client_net, node);
    struct client_net *net = calloc(1, sizeof(*net));
    if (!net) return NULL;
    memcpy(net->prefix, prefix.ptr, PREFIX_LEN);
    if (table_put(&clients->nets, &net->node, view_of(net->prefix, PREFIX_LEN))) return net;
    free(net);
    return NULL;
}

static void net_settle(struct clients *clients, struct client_net *net) {
    if (!net || net->count) return;
    table_remove(&clients->nets, &net->node);
    free(net);
}

static void client_settle(struct client *client) {
    if (client->count) return;
    net_settle(client->clients, client->net);
    table_remove(&client->clients->table, &client->node);
    free(client);
}

static bool put(struct clients *clients, struct client *client, struct view key) {
    bool has_net = key.len == V6_LEN && !client->is_exempt;
    if (has_net) client->net = net_get(clients, view_slice(key, 0, PREFIX_LEN));
    if ((!has_net || client->net) && table_put(&clients->table, &client->node, key)) return true;
    net_settle(clients, client->net);
    return false;
}

static struct client *client_new(struct clients *clients, const struct sockaddr *address, struct view key) {
    struct client *client = calloc(1, sizeof(*client));
    if (!client) return NULL;
    if (key.len) memcpy(client->key, key.ptr, key.len);
    address_text(address, client->text);
    client->clients = clients;
    client->is_proxy = clients_is_proxy(clients, address);
    client->is_exempt = client->is_proxy || sockaddr_is_loopback(address);
    if (!client->is_exempt) client->number = number_of(key);
    if (put(clients, client, view_of(client->key, key.len))) return client;
    free(client);
    return NULL;
}

static struct client *client_get(struct clients *clients, const struct sockaddr *address) {
    unsigned char bytes[V6_LEN];
    struct view key = view_of(bytes, address_bytes(address, bytes));
    struct table_node *node = table_get(&clients->table, key);
    return node ? TABLE_ENTRY(node, struct client, node) : client_new(clients, address, key);
}

/* ---- its bounds ---- */

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * BUCKET_NS_PER_S + (uint64_t)now.tv_nsec;
}

static bool comes_too_often(struct clients *clients, uint64_t hash) {
    return !buckets_take(&clients->buckets, hash, now_ns(), BUCKET_NS_PER_S, clients->rate);
}

static bool may_have_more(const struct client *client) {
    struct clients *clients = client->clients;
    if (client->is_exempt) return true;
    size_t count = client->net ? client->net->count : client->count;
    if (clients->max_per_address && count >= clients->max_per_address) return false;
    return !clients->rate ||
           !comes_too_often(clients, (client->net ? &client->net->node : &client->node)->hash);
}

bool clients_spare(struct clients *clients) {
    if (!clients->spare || !clients->spare(clients->spare_ctx)) return false;
    clients->spared++;
    return true;
}

static bool is_too_full(const struct clients *clients) {
    return clients->max && clients->count > clients->max;
}

/* ---- who comes and goes ---- */

static void count(struct client *client) {
    client->clients->count++;
    client->count++;
    if (client->net) client->net->count++;
}

struct client *clients_take(struct clients *clients, const struct sockaddr *address) {
    struct client *client = client_get(clients, address);
    if (client && may_have_more(client)) {
        count(client); /* first: the one that is spared may be its last other connection */
        if (!is_too_full(clients) || (clients_spare(clients) && !is_too_full(clients))) return client;
        client_release(client);
    } else if (client) {
        client_settle(client);
    }
    clients->refused++;
    return NULL;
}

void client_release(struct client *client) {
    client->clients->count--;
    client->count--;
    if (client->net) client->net->count--;
    client_settle(client);
}
