/* The client's life, which connection a request gets, and all deadlines. Idle connections are kept newest
 * first, so that what is not needed grows old and ends. One timer serves every deadline: it is moved only to
 * an earlier one, so that an exchange on a kept connection arms nothing. */
#include "local/local_client.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "local/local_state.h"

#define SPARE_REQUESTS_MAX 256
#define SPARE_CONNECTIONS_MAX 64

/* ---- events under way ---- */

static void bury(struct local_client *client) {
    struct list *node;
    while ((node = list_pop(&client->grave)))
        client_request_reuse(LIST_ENTRY(node, struct local_request, node));
}

void client_enter(struct local_client *client) {
    client->depth++;
}

void client_leave(struct local_client *client) {
    assert(client->depth > 0);
    if (--client->depth == 0) bury(client);
}

/* ---- memory that is used again ---- */

struct local_connection *client_connection_new(struct local_client *client) {
    struct list *node = list_pop(&client->spare_connections);
    struct local_connection *connection =
        node ? LIST_ENTRY(node, struct local_connection, node) : malloc(sizeof(*connection));
    if (!connection) return NULL;
    if (node) client->spare_connections_count--;
    *connection = (struct local_connection){.magic = LOCAL_CONNECTION_MAGIC, .client = client, .fd = -1};
    list_init(&connection->late_node);
    buf_init(&connection->held, LOCAL_READ_BYTES);
    return connection;
}

void client_connection_reuse(struct local_connection *connection) {
    struct local_client *client = connection->client;
    buf_done(&connection->held);
    connection->magic = 0;
    if (client->shut || client->spare_connections_count >= SPARE_CONNECTIONS_MAX) {
        free(connection);
        return;
    }
    list_append(&client->spare_connections, &connection->node);
    client->spare_connections_count++;
}

static struct local_request *request_alloc(void) {
    struct local_request *request = calloc(1, sizeof(*request));
    if (!request) return NULL;
    buf_init(&request->head, 512u * 1024);
    buf_init(&request->body, LOCAL_BODY_HELD_MAX);
    local_answer_init(&request->answer, LOCAL_HEAD_MAX);
    return request;
}

struct local_request *client_request_new(struct local_client *client) {
    struct list *node = list_pop(&client->spare_requests);
    if (!node) return request_alloc();
    client->spare_requests_count--;
    return LIST_ENTRY(node, struct local_request, node);
}

void client_request_free(struct local_request *request) {
    local_answer_done(&request->answer);
    buf_done(&request->body);
    buf_done(&request->head);
    free(request);
}

void client_request_reuse(struct local_request *request) {
    struct local_client *client = request->client;
    request->magic = 0;
    if (client->shut || client->spare_requests_count >= SPARE_REQUESTS_MAX) {
        client_request_free(request);
        return;
    }
    list_append(&client->spare_requests, &request->node);
    client->spare_requests_count++;
}

/* ---- connections ---- */

static struct local_connection *newest_idle(struct local_client *client) {
    return list_empty(&client->idle) ? NULL : LIST_ENTRY(client->idle.next, struct local_connection, node);
}

static struct local_connection *oldest_idle(struct local_client *client) {
    return list_empty(&client->idle) ? NULL : LIST_ENTRY(client->idle.prev, struct local_connection, node);
}

static bool has_room(const struct local_client *client) {
    return client->open < LOCAL_CONNECTIONS_MAX && (!client->lacks_descriptors || client->open == 0);
}

/* The newest, with TLS the newest that was opened for the same name. */
static struct local_connection *fitting_idle(struct local_client *client,
                                             const struct local_request *request) {
    struct local_connection *connection = newest_idle(client);
    if (!connection || !client->tls) return connection;
    for (struct list *node = client->idle.next; node != &client->idle; node = node->next) {
        connection = LIST_ENTRY(node, struct local_connection, node);
        if (strcmp(connection->tls_name, request->tls_name) == 0) return connection;
    }
    return NULL;
}

/* A request that may not be sent twice gets a kept connection only after a look whether the service has
 * closed it. */
static struct local_connection *take_idle(struct local_client *client, const struct local_request *request) {
    struct local_connection *connection;
    while ((connection = fitting_idle(client, request))) {
        if (request->safe || connection_is_quiet(connection)) return connection;
        connection_close(connection);
    }
    return NULL;
}

void client_dispatch(struct local_client *client, struct local_request *request, bool fresh) {
    struct local_connection *connection = fresh ? NULL : take_idle(client, request);
    if (connection) {
        connection_use(connection, request);
        return;
    }
    if (!has_room(client) && oldest_idle(client)) connection_close(oldest_idle(client));
    if (has_room(client))
        connection_open(client, request);
    else
        list_append(fresh ? client->waiting.next : &client->waiting, &request->waiting_node);
}

void client_pump(struct local_client *client) {
    if (client->pumps || client->shut) return;
    client->pumps = true;
    struct list *node;
    while ((!list_empty(&client->idle) || has_room(client)) && (node = list_pop(&client->waiting))) {
        client_dispatch(client, LIST_ENTRY(node, struct local_request, waiting_node), false);
    }
    client->pumps = false;
}

/* ---- addresses ---- */

static struct local_connection *next_without_address(struct local_client *client) {
    for (struct list *node = client->connecting.next; node != &client->connecting; node = node->next) {
        struct local_connection *connection = LIST_ENTRY(node, struct local_connection, node);
        if (connection->stage == CONNECTION_NEW) return connection;
    }
    return NULL;
}

static void on_addresses(void *ctx, int error, const struct addresses *addresses) {
    struct local_client *client = ctx;
    client->lookup = NULL;
    client->addresses_ms = loop_now(client->loop);
    if (!error) {
        client->addresses = *addresses;
        if (client->first_address >= addresses->count) client->first_address = 0;
    } else if (client->addresses_known) {
        error = 0; /* what is known is only old */
    }
    client->addresses_known = !error;
    client_enter(client);
    struct local_connection *connection;
    while ((connection = next_without_address(client))) connection_on_addresses(connection, error);
    client_leave(client);
}

void client_lookup(struct local_client *client) {
    if (client->lookup) return;
    client->lookup = resolver_lookup(&client->loop->uv, client->host, client->port, on_addresses, client);
    struct local_connection *connection;
    while (!client->lookup && (connection = next_without_address(client)))
        request_fail_soon(connection->request, LOCAL_NO_MEMORY,
                          "no memory for looking up the service's name");
}

/* ---- deadlines ---- */

void client_want_tick(struct local_client *client, uint64_t deadline_ms) {
    if (client->shut || (timer_armed(&client->tick) && client->tick.deadline_ms <= deadline_ms)) return;
    uint64_t now_ms = loop_now(client->loop);
    timer_start(&client->loop->timers, &client->tick, deadline_ms > now_ms ? deadline_ms - now_ms : 0);
}

static uint64_t connecting_deadline(const struct local_connection *connection) {
    uint64_t earliest_ms = connection->deadline_ms;
    if (connection->attempt_deadline_ms && connection->attempt_deadline_ms < earliest_ms)
        earliest_ms = connection->attempt_deadline_ms;
    if (connection->again_ms && connection->again_ms < earliest_ms) earliest_ms = connection->again_ms;
    return earliest_ms;
}

static struct local_connection *earliest_connecting(struct local_client *client) {
    struct local_connection *earliest = NULL;
    for (struct list *node = client->connecting.next; node != &client->connecting; node = node->next) {
        struct local_connection *connection = LIST_ENTRY(node, struct local_connection, node);
        if (!earliest || connecting_deadline(connection) < connecting_deadline(earliest))
            earliest = connection;
    }
    return earliest;
}

static struct local_request *earliest_expecting(struct local_client *client) {
    return list_empty(&client->expecting)
               ? NULL
               : LIST_ENTRY(client->expecting.next, struct local_request, expecting_node);
}

static void on_tick(struct timer *timer) {
    struct local_client *client = LIST_ENTRY(timer, struct local_client, tick);
    uint64_t now_ms = loop_now(client->loop);
    struct local_connection *connection;
    struct local_request *request;
    client_enter(client);
    while ((connection = earliest_connecting(client)) && connecting_deadline(connection) <= now_ms)
        connection_on_deadline(connection, now_ms);
    if (connection) client_want_tick(client, connecting_deadline(connection));
    while ((request = earliest_expecting(client)) && request->continue_deadline_ms <= now_ms)
        request_on_continue_deadline(request);
    if (request) client_want_tick(client, request->continue_deadline_ms);
    while ((connection = oldest_idle(client)) && connection->idle_since_ms + LOCAL_IDLE_MAX_MS <= now_ms)
        connection_close(connection);
    if (connection) client_want_tick(client, connection->idle_since_ms + LOCAL_IDLE_MAX_MS);
    client_leave(client);
}

/* ---- chores: what may not be done within a call ---- */

void client_want_chores(struct local_request *request) {
    struct local_client *client = request->client;
    if (list_empty(&request->restless_node)) list_append(&client->restless, &request->restless_node);
    tasks_post(&client->loop->tasks, &client->chores);
}

static void on_chores(struct task *task) {
    struct local_client *client = LIST_ENTRY(task, struct local_client, chores);
    struct list restless, *node;
    list_init(&restless);
    list_move_all(&restless, &client->restless);
    client_enter(client);
    while ((node = list_pop(&restless)))
        request_chores(LIST_ENTRY(node, struct local_request, restless_node));
    client_leave(client);
}

/* ---- turns, where there are several tunnels ---- */

static const struct turn_taker alone;

/* Those that have waited go first, in their order. */
static bool on_turn(struct loop_hook *hook) {
    struct local_client *client = LIST_ENTRY(hook, struct local_client, on_turn);
    client_enter(client);
    while (!list_empty(&client->late) && turn_taker_may(client->taker, TURN_IN))
        connection_read(LIST_ENTRY(list_pop(&client->late), struct local_connection, late_node));
    client_leave(client);
    if (list_empty(&client->late))
        loop_hook_remove(hook);
    else
        loop_again(client->loop);
    return false;
}

bool client_reads_later(struct local_connection *connection) {
    struct local_client *client = connection->client;
    if (!connection->request) return false;
    if (!list_empty(&connection->late_node)) return true;
    if (list_empty(&client->late) && !turn_taker_is_behind(client->taker) &&
        turn_taker_may(client->taker, TURN_IN))
        return false;
    if (list_empty(&client->on_turn.node)) loop_hook_add(client->loop, &client->on_turn);
    list_append(&client->late, &connection->late_node);
    return true;
}

void local_client_take_turns(struct local_client *client, const struct turn_taker *taker) {
    client->taker = taker;
}

enum local_clue local_client_clue(const struct local_client *client) {
    return client->answered ? LOCAL_CLUE_NONE : client->clue;
}

/* ---- life ---- */

static void init_lists(struct local_client *client) {
    struct list *lists[] = {&client->requests, &client->waiting,        &client->expecting,
                            &client->restless, &client->grave,          &client->connecting,
                            &client->idle,     &client->spare_requests, &client->spare_connections,
                            &client->late};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) list_init(lists[i]);
}

static void write_host_field(struct local_client *client) {
    bool bare = client->port == (client->tls ? 443 : 80);
    const char *before = strchr(client->host, ':') ? "[" : "", *behind = *before ? "]" : "";
    size_t size = sizeof(client->host_field);
    int len = snprintf(client->host_field, size, "%s%.255s%s", before, client->host, behind);
    if (!bare) snprintf(client->host_field + len, size - (size_t)len, ":%u", client->port);
}

static bool is_fixed(const char *host) {
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    return addresses_are_loopback(host) || uv_ip4_addr(host, 0, &v4) == 0 || uv_ip6_addr(host, 0, &v6) == 0;
}

static bool copy_target(struct local_client *client, const struct local_target *target) {
    client->port = target->port;
    client->host = view_to_cstr(view_from_cstr(target->host));
    if (!client->host) return false;
    if (target->unix_path && !(client->unix_path = view_to_cstr(view_from_cstr(target->unix_path))))
        return false;
    client->dialler = target->dialler;
    if (target->tls && !(client->tls = tls_context_new())) return false;
    client->addresses_fixed = is_fixed(client->host);
    write_host_field(client);
    return true;
}

struct local_client *local_client_new(struct loop *loop, const struct local_target *target,
                                      uint64_t connect_timeout_ms) {
    struct local_client *client = calloc(1, sizeof(*client));
    if (!client) return NULL;
    client->loop = loop;
    client->connect_timeout_ms = connect_timeout_ms;
    init_lists(client);
    client->taker = &alone;
    loop_hook_init(&client->on_turn, on_turn);
    task_init(&client->chores, on_chores);
    timer_init(&client->tick, on_tick);
    if (copy_target(client, target)) return client;
    local_client_free(client);
    return NULL;
}

static void close_all(struct list *connections) {
    while (!list_empty(connections))
        connection_close(LIST_ENTRY(connections->next, struct local_connection, node));
}

void local_client_shut(struct local_client *client) {
    assert(client->depth == 0);
    client->shut = true;
    while (!list_empty(&client->requests))
        local_request_cancel(LIST_ENTRY(client->requests.next, struct local_request, node));
    close_all(&client->idle); /* the others went with their requests */
    resolver_cancel(client->lookup);
    client->lookup = NULL;
    timer_stop(&client->loop->timers, &client->tick);
    task_cancel(&client->chores);
    loop_hook_remove(&client->on_turn);
}

void local_client_free(struct local_client *client) {
    if (!client) return;
    assert(client->open == 0);
    client->freed = true;
    if (!client->closing) client_destroy(client);
}

void client_destroy(struct local_client *client) {
    struct list *node;
    while ((node = list_pop(&client->spare_requests)))
        client_request_free(LIST_ENTRY(node, struct local_request, node));
    while ((node = list_pop(&client->spare_connections)))
        free(LIST_ENTRY(node, struct local_connection, node));
    tls_context_free(client->tls);
    free(client->unix_path);
    free(client->host);
    free(client);
}
