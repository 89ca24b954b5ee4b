/* See agents_apigw.h. What somebody waits for (a visitor's request) is never posted twice when its fate is
 * unknown. What nobody waits for (connection_established, taken_over, pong) may arrive twice and is tried
 * three times. */
#include "runtime/agents_apigw.h"

#include <stdlib.h>

#include "base/heap.h"
#include "base/log.h"

enum { TRIES_MAX = 3, WAIT_FIRST_MS = 100, ATTEMPTS_MAX = 4 };

struct send {
    struct list node;
    struct agents_apigw *agents;
    struct task task;
    struct timer wait;
    enum status status;
    agent_sent_fn *done;
    void *target;
    uint64_t ticket;
    unsigned tries;
    char connection_id[CONNECTION_ID_MAX + 1];
    struct view message; /* malloc'ed where it may be tried again */
};

static void send_free(struct send *send) {
    timer_stop(send->agents->connections->aws->timers, &send->wait);
    task_cancel(&send->task);
    list_remove(&send->node);
    free((char *)(uintptr_t)send->message.ptr);
    free(send);
}

static void send_end(struct send *send, enum status status) {
    if (send->done) send->done(send->target, send->ticket, status);
    send_free(send);
}

static void on_task(struct task *task) {
    struct send *send = LIST_ENTRY(task, struct send, task);
    send_end(send, send->status);
}

static void on_posted(void *ctx, enum status status) {
    struct send *send = ctx;
    if (status == STATUS_OK || send->done || send->tries >= TRIES_MAX) {
        if (status != STATUS_OK)
            log_from(LOG_LEVEL_INFO, "agents", view_from_cstr(send->connection_id),
                     "a message did not go out: %s", status_text(status));
        send_end(send, status);
        return;
    }
    timer_start(send->agents->connections->aws->timers, &send->wait,
                (uint64_t)WAIT_FIRST_MS << (send->tries - 1));
}

static void post(struct send *send, struct view message) {
    send->tries++;
    connections_post(send->agents->connections, view_from_cstr(send->connection_id), message,
                     send->done ? ATTEMPTS_MAX : 1, on_posted, send);
}

static void on_wait(struct timer *timer) {
    struct send *send = LIST_ENTRY(timer, struct send, wait);
    post(send, send->message);
}

static void agents_send(void *ctx, const struct link *link, struct view message, agent_sent_fn *done,
                        void *target, uint64_t ticket) {
    struct agents_apigw *agents = ctx;
    struct send *send = heap_alloc_owed(sizeof(*send));
    send->agents = agents;
    send->done = done;
    send->target = target;
    send->ticket = ticket;
    memcpy(send->connection_id, link->connection, sizeof(send->connection_id));
    list_init(&send->node);
    list_append(&agents->sends, &send->node);
    timer_init(&send->wait, on_wait);
    task_init(&send->task, on_task);
    if (!done) send->message = view_of(view_to_cstr(message), message.len);
    bool kept = done || send->message.ptr;
    if (kept && message.len <= CONNECTIONS_MESSAGE_MAX) {
        post(send, message);
        return;
    }
    send->status = kept ? STATUS_TOO_LARGE : STATUS_NO_MEMORY;
    tasks_post(agents->connections->aws->tasks, &send->task);
}

void agents_apigw_init(struct agents_apigw *agents, struct connections *connections) {
    agents->connections = connections;
    list_init(&agents->sends);
}

void agents_apigw_done(struct agents_apigw *agents) {
    while (!list_empty(&agents->sends)) send_free(LIST_ENTRY(agents->sends.next, struct send, node));
}

static void on_closed(void *ctx, enum status status) {
    (void)ctx;
    if (status != STATUS_OK && status != STATUS_GONE)
        log_info("agents", "a connection was not closed: %s", status_text(status));
}

static void agents_close(void *ctx, const struct link *link) {
    struct agents_apigw *agents = ctx;
    connections_delete(agents->connections, view_from_cstr(link->connection), on_closed, NULL);
}

struct agents agents_apigw_port(struct agents_apigw *agents) {
    return (struct agents){.ctx = agents, .send = agents_send, .close = agents_close, .is_shared = true};
}

bool agents_apigw_busy(const struct agents_apigw *agents) {
    return !list_empty(&agents->sends);
}
