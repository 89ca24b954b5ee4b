/* See peer_links.h. */
#include "cluster/peer_links.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "agents/peer_protocol.h"
#include "base/list.h"
#include "base/log.h"
#include "base/table.h"
#include "cluster/peer_link.h"

#define TICK_MS 1000
#define FORGET_MS 60000
#define RETRY_MS 50 /* doubling */
#define RETRY_MAX_MS 250
#define REFUSED_MS 2000
#define FIELDS_MAX 320

struct peer_links {
    struct peer_link_world world;
    struct table gateways; /* struct gateway_peer by URL */
    struct timer tick;
    size_t count;
    bool stopped;
};

/* Another gateway. */
struct gateway_peer {
    struct table_node node;
    struct peer_links *links;
    char name[GATEWAY_MAX + 1];
    struct ws_url url;
    struct wire_tls *tls;
    struct peer_link *link; /* the one that takes streams; NULL: none yet */
    struct list old;        /* struct old_link: those that drain */
    unsigned failures;      /* in a row */
    uint64_t not_before_ms; /* to be dialed */
    uint64_t refused_until_ms;
    uint64_t used_ms;
};

struct old_link {
    struct list node;
    struct peer_link *link;
};

/* ---- a gateway ---- */

static void peer_free(struct gateway_peer *peer) {
    table_remove(&peer->links->gateways, &peer->node);
    wire_tls_free(peer->tls);
    free(peer);
}

static const char *read_url(struct gateway_peer *peer) {
    static char reason[160];
    const char *wrong = ws_url_parse(view_from_cstr(peer->name), &peer->url);
    if (wrong || !peer->url.tls) return wrong;
    peer->tls = wire_tls_new(peer->url.host, NULL, reason, sizeof(reason));
    return peer->tls ? NULL : reason;
}

static struct gateway_peer *peer_new(struct peer_links *links, const char *name) {
    struct gateway_peer *peer = calloc(1, sizeof(*peer));
    if (!peer) return NULL;
    peer->links = links;
    list_init(&peer->old);
    snprintf(peer->name, sizeof(peer->name), "%s", name);
    const char *wrong = read_url(peer);
    if (wrong) log_from(LOG_LEVEL_WARN, "peer", view_from_cstr(name), "%s", wrong);
    if (!wrong && table_put(&links->gateways, &peer->node, view_from_cstr(peer->name))) return peer;
    wire_tls_free(peer->tls);
    free(peer);
    return NULL;
}

static struct gateway_peer *find_peer(struct peer_links *links, const char *name) {
    struct table_node *node = table_get(&links->gateways, view_from_cstr(name));
    return node ? TABLE_ENTRY(node, struct gateway_peer, node) : peer_new(links, name);
}

/* ---- what happens to its links ---- */

static void on_up(void *ctx, struct peer_link *link) {
    struct gateway_peer *peer = ctx;
    (void)link;
    peer->failures = 0;
    peer->links->count++;
    log_from(LOG_LEVEL_INFO, "peer", view_from_cstr(peer->name), "connected");
}

/* Takes it out of use, with its streams. */
static void set_aside(struct gateway_peer *peer) {
    struct old_link *old = malloc(sizeof(*old));
    if (!old) return; /* it refuses new streams, and is found here again */
    old->link = peer->link;
    list_init(&old->node);
    list_append(&peer->old, &old->node);
    peer->link = NULL;
}

static void on_draining(void *ctx, struct peer_link *link) {
    struct gateway_peer *peer = ctx;
    log_from(LOG_LEVEL_INFO, "peer", view_from_cstr(peer->name), "takes no new requests");
    if (peer->link == link) set_aside(peer);
}

static void let_go(struct gateway_peer *peer, const struct peer_link *link) {
    if (peer->link == link) peer->link = NULL;
    for (struct list *node = peer->old.next; node != &peer->old; node = node->next) {
        struct old_link *old = LIST_ENTRY(node, struct old_link, node);
        if (old->link != link) continue;
        list_remove(&old->node);
        free(old);
        return;
    }
}

static uint64_t pause_after(const struct gateway_peer *peer, enum peer_link_end how) {
    if (how != PEER_LINK_UNREACHED) return 0;
    return peer->failures > 3 ? RETRY_MAX_MS : (uint64_t)RETRY_MS << (peer->failures - 1);
}

static void on_ended(void *ctx, struct peer_link *link, enum peer_link_end how, const char *why) {
    struct gateway_peer *peer = ctx;
    bool was_current = peer->link == link;
    let_go(peer, link);
    if (how == PEER_LINK_BROKEN) {
        peer->links->count--;
        log_from(LOG_LEVEL_INFO, "peer", view_from_cstr(peer->name), "disconnected: %s", why);
    } else {
        peer->failures++;
        if (how == PEER_LINK_REFUSED)
            log_from(LOG_LEVEL_WARN, "peer", view_from_cstr(peer->name), "refused: %s", why);
        else if (peer->failures == 1)
            log_from(LOG_LEVEL_INFO, "peer", view_from_cstr(peer->name), "not reached: %s", why);
    }
    if (how == PEER_LINK_REFUSED) peer->refused_until_ms = loop_now(peer->links->world.loop) + REFUSED_MS;
    if (was_current) peer->not_before_ms = loop_now(peer->links->world.loop) + pause_after(peer, how);
}

static struct peer_link *dial(struct gateway_peer *peer) {
    struct peer_link_events events = {.ctx = peer, .up = on_up, .draining = on_draining, .ended = on_ended};
    uint64_t now = loop_now(peer->links->world.loop);
    uint64_t delay = peer->not_before_ms > now ? peer->not_before_ms - now : 0;
    peer->link = peer_link_new(&peer->links->world, peer->name, &peer->url, peer->tls, delay, &events);
    return peer->link;
}

/* ---- open ---- */

/* The head's own fields and ours, without copies. */
struct sent_head {
    struct header fields[FIELDS_MAX];
    struct headers headers;
    struct stream_head head;
    char epoch[24], visitor[24];
};

static void add(struct sent_head *out, struct view name, struct view value) {
    out->fields[out->headers.count++] = (struct header){.name = name, .value = value};
    out->headers.bytes += name.len + value.len + 4;
}

static bool make_head(struct sent_head *out, const struct claim *claim, const struct stream_head *head) {
    const struct headers *from = head->headers;
    if (from->count + 5 > FIELDS_MAX) return false;
    if (from->count) memcpy(out->fields, from->fields, from->count * sizeof(*from->fields));
    out->headers = (struct headers){.fields = out->fields, .count = from->count, .bytes = from->bytes};
    snprintf(out->epoch, sizeof(out->epoch), "%" PRIu64, claim->member.epoch);
    add(out, VIEW(PEER_TUNNEL), view_from_cstr(claim->tunnel_id));
    add(out, VIEW(PEER_EPOCH), view_from_cstr(out->epoch));
    add(out, VIEW(PEER_LET_IN), VIEW("1"));
    add(out, VIEW(PEER_HOP), VIEW("1"));
    snprintf(out->visitor, sizeof(out->visitor), "%" PRIu64, head->visitor);
    if (head->visitor) add(out, VIEW(PEER_VISITOR), view_from_cstr(out->visitor));
    out->head = *head;
    out->head.headers = &out->headers;
    return true;
}

/* One that takes streams, or will; NULL without memory. */
static struct peer_link *link_to(struct gateway_peer *peer) {
    if (peer->link && link_exhausted(peer_link_session(peer->link))) {
        link_drain(peer_link_session(peer->link));
        set_aside(peer);
    }
    return peer->link ? peer->link : dial(peer);
}

struct agent_stream *peer_links_open(struct peer_links *links, const struct claim *claim,
                                     const struct stream_head *head, bool body_follows,
                                     const struct stream_events *events, void *target,
                                     enum status *ret_status) {
    struct sent_head out;
    struct gateway_peer *peer = links->stopped ? NULL : find_peer(links, claim->member.link.gateway);
    uint64_t now = loop_now(links->world.loop);
    *ret_status = STATUS_UNAVAILABLE;
    if (!peer || peer->refused_until_ms > now) return NULL;
    struct peer_link *link = link_to(peer);
    if (!link) return NULL;
    *ret_status = STATUS_TOO_LARGE;
    if (!make_head(&out, claim, head)) return NULL;
    peer->used_ms = now;
    return (struct agent_stream *)link_open(peer_link_session(link), &out.head, body_follows, events, target,
                                            ret_status);
}

/* ---- the module ---- */

static void tick_peer(void *ctx, struct table_node *node) {
    struct gateway_peer *peer = TABLE_ENTRY(node, struct gateway_peer, node);
    const uint64_t *now = ctx;
    for (struct list *at = peer->old.next, *next; at != &peer->old; at = next) {
        next = at->next;
        struct peer_link *link = LIST_ENTRY(at, struct old_link, node)->link;
        if (link_stream_count(peer_link_session(link)) == 0)
            peer_link_close(link);
        else
            peer_link_tick(link, *now);
    }
    if (peer->link) peer_link_tick(peer->link, *now);
    if (!peer->link && list_empty(&peer->old) && *now - peer->used_ms > FORGET_MS) peer_free(peer);
}

static void on_tick(struct timer *timer) {
    struct peer_links *links = LIST_ENTRY(timer, struct peer_links, tick);
    uint64_t now = loop_now(links->world.loop);
    table_each(&links->gateways, tick_peer, &now);
    timer_start(&links->world.loop->timers, &links->tick, TICK_MS);
}

struct peer_links *peer_links_new(struct loop *loop, const char *url, struct link_budget *budget) {
    struct peer_links *links = calloc(1, sizeof(*links));
    if (!links) return NULL;
    links->world = (struct peer_link_world){.loop = loop, .from = url, .budget = budget};
    table_init(&links->gateways);
    timer_init(&links->tick, on_tick);
    if (timer_start(&loop->timers, &links->tick, TICK_MS)) return links;
    free(links);
    return NULL;
}

void peer_links_set_key(struct peer_links *links, const unsigned char key[SECRET_LEN]) {
    memcpy(links->world.key, key, SECRET_LEN);
}

size_t peer_links_count(const struct peer_links *links) {
    return links->count;
}

static void close_peer(void *ctx, struct table_node *node) {
    (void)ctx;
    struct gateway_peer *peer = TABLE_ENTRY(node, struct gateway_peer, node);
    while (!list_empty(&peer->old)) peer_link_close(LIST_ENTRY(peer->old.next, struct old_link, node)->link);
    if (peer->link) peer_link_close(peer->link);
}

void peer_links_stop(struct peer_links *links) {
    if (!links) return;
    links->stopped = true;
    timer_stop(&links->world.loop->timers, &links->tick);
    table_each(&links->gateways, close_peer, NULL);
}

static void free_peer(void *ctx, struct table_node *node) {
    (void)ctx;
    peer_free(TABLE_ENTRY(node, struct gateway_peer, node));
}

void peer_links_free(struct peer_links *links) {
    if (!links) return;
    table_each(&links->gateways, free_peer, NULL);
    table_done(&links->gateways);
    free(links);
}
