/* See reach.h. */
#include "cluster/reach.h"

#include <stdlib.h>

#include "base/table.h"

#define BUSY_MS 60000 /* a request not answered by then is not waited for */

struct reach {
    struct reach_settings settings;
    struct table busy; /* struct busy by connection id */
};

/* What an agent here does for other gateways. */
struct busy {
    struct table_node node;
    struct reach *reach;
    char connection_id[CONNECTION_ID_MAX + 1];
    size_t count;
    bool closes;        /* when that is done */
    struct timer limit; /* not longer than this */
};

static struct busy *busy_find(const struct reach *reach, struct view connection_id) {
    struct table_node *node = table_get(&reach->busy, connection_id);
    return node ? TABLE_ENTRY(node, struct busy, node) : NULL;
}

static void busy_free(struct busy *busy) {
    timer_stop(busy->reach->settings.timers, &busy->limit);
    table_remove(&busy->reach->busy, &busy->node);
    free(busy);
}

static void busy_end(struct busy *busy) {
    struct agents *agents = &busy->reach->settings.agents;
    struct link link = {.gateway = ""};
    memcpy(link.connection, busy->connection_id, sizeof(link.connection));
    bool closes = busy->closes;
    busy_free(busy);
    if (closes) agents->close(agents->ctx, &link);
}

static void on_limit(struct timer *timer) {
    busy_end(LIST_ENTRY(timer, struct busy, limit));
}

static void busy_more(struct reach *reach, const char *connection_id) {
    struct busy *busy = busy_find(reach, view_from_cstr(connection_id));
    if (!busy) {
        busy = calloc(1, sizeof(*busy));
        if (!busy) return; /* a drain will not wait for it */
        busy->reach = reach;
        timer_init(&busy->limit, on_limit);
        view_copy_to(view_from_cstr(connection_id), busy->connection_id, sizeof(busy->connection_id));
        if (!table_put(&reach->busy, &busy->node, view_from_cstr(busy->connection_id))) {
            free(busy);
            return;
        }
    }
    busy->count++;
    timer_start(reach->settings.timers, &busy->limit, BUSY_MS);
}

static void busy_less(struct reach *reach, struct view connection_id) {
    struct busy *busy = busy_find(reach, connection_id);
    if (busy && --busy->count == 0) busy_end(busy);
}

static bool is_here(const struct reach *reach, const struct link *link) {
    return link->gateway[0] == '\0' || strcmp(link->gateway, reach->settings.gateway) == 0;
}

/* ---- mailbox ---- */

static void reach_put(void *ctx, const struct pending *pending, mailbox_put_fn *done, void *target,
                      uint64_t ticket) {
    struct reach *reach = ctx;
    bool here = claims_cache_holds(reach->settings.claims, pending->connection_id);
    struct mailbox *mailbox = here ? &reach->settings.here : &reach->settings.away;
    mailbox->put(mailbox->ctx, pending, done, target, ticket);
}

static struct mailbox *mailbox_of(struct reach *reach, struct view request_id) {
    return reach->settings.is_away(request_id) ? &reach->settings.away : &reach->settings.here;
}

static void reach_complete(void *ctx, struct view request_id, struct view connection_id,
                           struct v1_message *answer, mailbox_done_fn *done, void *target, uint64_t ticket) {
    struct mailbox *mailbox = mailbox_of(ctx, request_id);
    if (mailbox != &((struct reach *)ctx)->settings.here) busy_less(ctx, connection_id);
    mailbox->complete(mailbox->ctx, request_id, connection_id, answer, done, target, ticket);
}

static void reach_take(void *ctx, struct view request_id, mailbox_take_fn *done, void *target,
                       uint64_t ticket) {
    struct mailbox *mailbox = mailbox_of(ctx, request_id);
    mailbox->take(mailbox->ctx, request_id, done, target, ticket);
}

static void reach_remove(void *ctx, struct view request_id) {
    struct mailbox *mailbox = mailbox_of(ctx, request_id);
    mailbox->remove(mailbox->ctx, request_id);
}

struct mailbox reach_mailbox(struct reach *reach) {
    return (struct mailbox){.ctx = reach,
                            .put = reach_put,
                            .complete = reach_complete,
                            .take = reach_take,
                            .remove = reach_remove};
}

/* ---- agents ---- */

static void reach_send(void *ctx, const struct link *link, struct view message, agent_sent_fn *done,
                       void *target, uint64_t ticket) {
    struct reach *reach = ctx;
    struct agents *agents = &reach->settings.agents;
    if (is_here(reach, link))
        agents->send(agents->ctx, link, message, done, target, ticket);
    else
        reach->settings.send_away(reach->settings.away_ctx, link, message, done, target, ticket);
}

/* The gateway that holds a connection closes it. */
static void reach_close(void *ctx, const struct link *link) {
    struct reach *reach = ctx;
    struct agents *agents = &reach->settings.agents;
    struct busy *busy = busy_find(reach, view_from_cstr(link->connection));
    if (!is_here(reach, link)) return;
    if (!busy) {
        agents->close(agents->ctx, link);
        return;
    }
    busy->closes = true;
    timer_start(reach->settings.timers, &busy->limit, reach->settings.retire_ms);
}

/* Both give a link's own stream, so that what goes with `open` is the same for both. */
static struct agent_stream *reach_open(void *ctx, const struct claim *claim, const struct stream_head *head,
                                       bool body_follows, const struct stream_events *events, void *target,
                                       enum status *ret_status) {
    struct reach *reach = ctx;
    struct agents *agents = &reach->settings.agents;
    if (is_here(reach, &claim->member.link))
        return agents->open(agents->ctx, claim, head, body_follows, events, target, ret_status);
    return peer_links_open(reach->settings.peers, claim, head, body_follows, events, target, ret_status);
}

struct agents reach_agents(struct reach *reach) {
    struct agents agents = reach->settings.agents;
    agents.ctx = reach;
    agents.send = reach_send;
    agents.close = reach_close;
    agents.open = reach_open;
    return agents;
}

void reach_deliver(struct reach *reach, struct view connection_id, struct view message, agent_sent_fn *done,
                   void *target, uint64_t ticket) {
    struct agents *agents = &reach->settings.agents;
    struct link link = {.gateway = ""};
    if (!claims_cache_serves(reach->settings.claims, connection_id) ||
        !view_copy_to(connection_id, link.connection, sizeof(link.connection))) {
        done(target, ticket, STATUS_GONE);
        return;
    }
    busy_more(reach, link.connection);
    agents->send(agents->ctx, &link, message, done, target, ticket);
}

struct tally {
    struct reach *reach;
    size_t count;
};

static void add_busy(void *ctx, struct table_node *node) {
    struct tally *tally = ctx;
    struct busy *busy = TABLE_ENTRY(node, struct busy, node);
    if (claims_cache_holds(tally->reach->settings.claims, node->key))
        tally->count += busy->count;
    else
        busy_free(busy);
}

size_t reach_busy(struct reach *reach) {
    struct tally tally = {.reach = reach};
    table_each(&reach->busy, add_busy, &tally);
    return tally.count;
}

/* ---- the module ---- */

struct reach *reach_new(const struct reach_settings *settings) {
    struct reach *reach = calloc(1, sizeof(*reach));
    if (!reach) return NULL;
    reach->settings = *settings;
    table_init(&reach->busy);
    return reach;
}

static void free_busy(void *ctx, struct table_node *node) {
    (void)ctx;
    busy_free(TABLE_ENTRY(node, struct busy, node));
}

void reach_stop(struct reach *reach) {
    if (reach) table_each(&reach->busy, free_busy, NULL);
}

void reach_free(struct reach *reach) {
    if (!reach) return;
    table_done(&reach->busy);
    free(reach);
}
