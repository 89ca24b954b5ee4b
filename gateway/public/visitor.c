/* See visitor.h. What concerns all visitors at once: the end of the turn, deadlines, going down. */
#include <stdlib.h>

#include "public/visit.h"
#include "sockets/tcp.h"
#include "sockets/tls.h"

#define NEW_PATIENCE_MS 1000
#define SPARE_TRIES 8
#define STALL_LEAST_MS 5000
#define UNSENT_BYTES (512 * 1024)

static void go_on_or_wait(struct visitors *side, struct visit *visit) {
    if (turns_may(&side->turns, visit->share, TURN_OUT))
        visit_go_on(visit);
    else
        list_append(&side->late, &visit->changed);
}

static void go_on_late(struct visitors *side) {
    struct list late, *node;
    list_init(&late);
    list_move_all(&late, &side->late);
    while ((node = list_pop(&late))) go_on_or_wait(side, LIST_ENTRY(node, struct visit, changed));
}

/* True: some of them come behind the others. */
static bool go_on_changed(struct visitors *side) {
    struct list *node;
    bool has_late = false;
    while ((node = list_pop(&side->changed))) {
        struct visit *visit = LIST_ENTRY(node, struct visit, changed);
        if (turns_is_behind(&side->turns, visit->share)) {
            list_append(&side->late, node);
            has_late = true;
        } else {
            go_on_or_wait(side, visit);
        }
    }
    return has_late;
}

static void hear_late(struct visitors *side) {
    struct list *node;
    while ((node = list_pop(&side->unread))) visit_hear(LIST_ENTRY(node, struct visit, unread));
}

/* First those whose tunnels take little, then who was too late in the last turn of the loop. */
static bool on_turn(struct loop_hook *hook) {
    struct visitors *side = LIST_ENTRY(hook, struct visitors, hook);
    bool is_first = side->turn != side->loop->turn;
    side->turn = side->loop->turn;
    bool may_late = go_on_changed(side) || is_first;
    if (may_late && !list_empty(&side->late)) go_on_late(side);
    if (!list_empty(&side->h2.all)) h2_turn(side, is_first);
    hear_late(side);
    if (!list_empty(&side->late) || !list_empty(&side->h2.late)) loop_again(side->loop);
    /* Tasks that this posted make another round by themselves; who was woken by what was heard last may have
     * none. */
    return !list_empty(&side->changed) || !list_empty(&side->h2.changed);
}

static uint64_t sweep_interval_ms(const struct visitors *side) {
    uint64_t shortest = side->settings.header_timeout_ms;
    if (side->settings.keepalive_timeout_ms < shortest) shortest = side->settings.keepalive_timeout_ms;
    if (side->settings.body_idle_timeout_ms < shortest) shortest = side->settings.body_idle_timeout_ms;
    shortest /= 4;
    return shortest < 20 ? 20 : shortest > 1000 ? 1000 : shortest;
}

static bool has_any(const struct visitors *side) {
    return !list_empty(&side->all) || !list_empty(&side->h2.all);
}

static void on_sweep(struct timer *timer) {
    struct visitors *side = LIST_ENTRY(timer, struct visitors, sweep);
    uint64_t now = loop_now(side->loop);
    for (struct list *node = side->all.next, *next; node != &side->all; node = next) {
        next = node->next;
        visit_tick(LIST_ENTRY(node, struct visit, node), now);
    }
    h2_sweep(side, now);
    if (has_any(side)) timer_start(&side->loop->timers, &side->sweep, sweep_interval_ms(side));
}

/* Who has closed his direction has left, unless his answer comes at once. */
static void on_leave(struct timer *timer) {
    struct visitors *side = LIST_ENTRY(timer, struct visitors, leave);
    uint64_t now = loop_now(side->loop);
    while (!list_empty(&side->leaving)) {
        struct visit *visit = LIST_ENTRY(side->leaving.next, struct visit, leaving);
        if (visit->leave_ms > now) {
            timer_start(&side->loop->timers, timer, visit->leave_ms - now);
            return;
        }
        visit_leave(visit); /* off the list, or to its end */
    }
}

/* Those that there is room for. */
static void pass_on(struct visitors *side) {
    for (struct list *node = side->all.next, *next; node != &side->all; node = next) {
        next = node->next;
        visit_pass_on(LIST_ENTRY(node, struct visit, node));
        if (timer_armed(&side->pass_again)) return;
    }
}

static void on_pass_again(struct timer *timer) {
    pass_on(LIST_ENTRY(timer, struct visitors, pass_again));
}

struct visitors *visitors_new(struct loop *loop, struct core *core, const struct visitor_settings *settings,
                              struct clients *proxied) {
    struct visitors *side = calloc(1, sizeof(*side));
    if (!side) return NULL;
    side->loop = loop;
    side->core = core;
    side->settings = *settings;
    side->proxied = proxied;
    side->turns.loop = loop;
    list_init(&side->all);
    list_init(&side->changed);
    list_init(&side->late);
    list_init(&side->unread);
    list_init(&side->leaving);
    list_init(&side->waiting);
    list_init(&side->stalled);
    h2_side_init(&side->h2);
    timer_init(&side->sweep, on_sweep);
    timer_init(&side->leave, on_leave);
    timer_init(&side->pass_again, on_pass_again);
    loop_hook_init(&side->hook, on_turn);
    loop_hook_add_first(loop, &side->hook); /* answers go before what is held of agents is taken */
    return side;
}

void visitors_accept(void *ctx, const struct conn *conn, struct client *client,
                     const struct sockaddr *address, socklen_t len) {
    struct visitors *side = ctx;
    bool is_h2 = conn->tls && tls_speaks(conn->tls, H2_PROTOCOL);
    tcp_limit_unsent(conn->fd, UNSENT_BYTES);
    if (is_h2)
        h2_accept(side, conn, client, address, len);
    else
        visit_new(side, conn, client);
    if (has_any(side) && !timer_armed(&side->sweep))
        timer_start(&side->loop->timers, &side->sweep, sweep_interval_ms(side));
}

/* Has it sent something that was not read yet? Then it gets its answer. */
static bool has_unread(const struct visit *visit) {
    return conn_has_unread(&visit->conn);
}

static bool spare_stalled(struct visitors *side) {
    if (list_empty(&side->stalled)) return false;
    struct visit *visit = LIST_ENTRY(side->stalled.next, struct visit, waiting);
    if (loop_now(side->loop) - visit->pace.stalled_ms < STALL_LEAST_MS) return false;
    visit_cut(visit);
    return true;
}

bool visitors_spare(void *ctx) {
    struct visitors *side = ctx;
    struct list *node = side->waiting.next;
    for (int i = 0; i < SPARE_TRIES && node != &side->waiting; i++, node = node->next) {
        struct visit *visit = LIST_ENTRY(node, struct visit, waiting);
        if (visit->phase == VISIT_IDLE && has_unread(visit)) continue;
        visit_cut(visit);
        return true;
    }
    return h2_spare(side) || spare_stalled(side) || h2_spare_stalled(side, STALL_LEAST_MS);
}

bool visitors_shed(struct visitors *side) {
    struct visit *most = NULL;
    size_t h2_bytes;
    struct h2_conn *h2 = h2_fullest(side, &h2_bytes);
    for (struct list *node = side->all.next; node != &side->all; node = node->next) {
        struct visit *visit = LIST_ENTRY(node, struct visit, node);
        if (visit->out.cap > (most ? most->out.cap : 0)) most = visit;
    }
    bool is_h2 = h2 && h2_bytes > (most ? most->out.cap : 0);
    if (is_h2)
        h2_cut(h2);
    else if (most)
        visit_cut(most);
    return most || is_h2;
}

void visitors_close_after(struct visitors *side) {
    side->draining = true;
}

void visitors_hand_over(struct visitors *side, visitors_pass_fn *pass, void *ctx) {
    side->pass = pass;
    side->pass_ctx = ctx;
    pass_on(side);
    h2_drain(side);
}

void visitors_drain(struct visitors *side) {
    uint64_t patience_ms = loop_now(side->loop) + NEW_PATIENCE_MS;
    side->draining = true;
    for (struct list *node = side->all.next, *next; node != &side->all; node = next) {
        next = node->next;
        struct visit *visit = LIST_ENTRY(node, struct visit, node);
        if (visit->phase > VISIT_IDLE || has_unread(visit)) continue;
        if (visit->phase == VISIT_IDLE)
            visit_cut(visit);
        else if (visit->deadline_ms > patience_ms)
            visit->deadline_ms = patience_ms;
    }
    h2_drain(side);
}

size_t visitors_busy(const struct visitors *side) {
    size_t count = 0;
    for (const struct list *node = side->all.next; node != &side->all; node = node->next) {
        const struct visit *visit = LIST_ENTRY(node, const struct visit, node);
        if (visit->phase != VISIT_IDLE || has_unread(visit)) count++;
    }
    return count + timer_armed(&side->pass_again) + h2_busy(side);
}

void visitors_stop(struct visitors *side) {
    if (!side || side->stopped) return;
    side->stopped = side->draining = true;
    while (!list_empty(&side->all)) visit_cut(LIST_ENTRY(side->all.next, struct visit, node));
    h2_stop(side);
    loop_hook_remove(&side->hook);
    timer_stop(&side->loop->timers, &side->sweep);
    timer_stop(&side->loop->timers, &side->leave);
    timer_stop(&side->loop->timers, &side->pass_again);
}

void visitors_free(struct visitors *side) {
    free(side);
}
