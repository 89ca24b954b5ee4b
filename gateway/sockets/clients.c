/* See clients.h. */
#include "sockets/clients.h"

#include <stdlib.h>

#include "net/sockaddr.h"

void clients_init(struct clients *clients, size_t max, size_t max_per_address, const struct network *proxies,
                  size_t proxies_count) {
    *clients = (struct clients){
        .max = max, .max_per_address = max_per_address, .proxies = proxies, .proxies_count = proxies_count};
    table_init(&clients->table);
}

void clients_done(struct clients *clients) {
    table_done(&clients->table);
}

bool clients_is_proxy(const struct clients *clients, const struct sockaddr *address) {
    for (size_t i = 0; i < clients->proxies_count; i++)
        if (network_has(&clients->proxies[i], address)) return true;
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
    if (table_put(&clients->table, &client->node, view_of(client->key, key.len))) return client;
    free(client);
    return NULL;
}

/* NULL: there is no room for one more of it. */
static struct client *find_room(struct clients *clients, const struct sockaddr *address) {
    if (clients->max && clients->count >= clients->max) return NULL;
    unsigned char bytes[16];
    struct view key = view_of(bytes, address_bytes(address, bytes));
    struct table_node *node = table_get(&clients->table, key);
    struct client *client = node ? TABLE_ENTRY(node, struct client, node) : client_new(clients, address, key);
    if (!client) return NULL;
    bool is_full =
        clients->max_per_address && !client->is_exempt && client->count >= clients->max_per_address;
    return is_full ? NULL : client;
}

struct client *clients_take(struct clients *clients, const struct sockaddr *address) {
    struct client *client = find_room(clients, address);
    if (!client) {
        clients->refused++;
        return NULL;
    }
    client->count++;
    clients->count++;
    return client;
}

void client_release(struct client *client) {
    client->clients->count--;
    if (--client->count) return;
    table_remove(&client->clients->table, &client->node);
    free(client);
}
