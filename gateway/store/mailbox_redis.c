/* The mailbox in Redis, and v1 messages between gateways; see store_redis.h. A message stands under a key
 * that expires; the gateway that holds the agent is woken, fetches it, and says so if it could not hand it
 * on. */
#include <stdio.h>
#include <stdlib.h>

#include "base/heap.h"
#include "base/ids.h"
#include "store/store_redis_state.h"

#define ID_PREFIX "r-"          /* of request ids minted here */
#define MESSAGE_KEEP_MS "10000" /* for the holder to fetch it */
#define REFUSAL_MS 2000         /* a refusal later than this would come too late to matter */
#define PAUSE_MS 250            /* before who does not listen yet is sent to again */

bool store_redis_minted(struct view request_id) {
    return request_id.len == strlen(ID_PREFIX) + UUID_LEN && view_starts_with(request_id, VIEW(ID_PREFIX));
}

/* ---- mailbox ---- */

static void on_put(void *ctx, enum status status, const redisReply *reply) {
    (void)reply;
    struct job *job = ctx;
    if (!job->store->stopped)
        job->fn.put(job->target, job->ticket, status == STATUS_INVALID ? STATUS_UNAVAILABLE : status,
                    view_from_cstr(job->id));
    free(job);
}

static void redis_put(void *ctx, const struct pending *pending, mailbox_put_fn *done, void *target,
                      uint64_t ticket) {
    struct store_redis *store = ctx;
    struct job *job = job_new(store, target, ticket);
    struct key key;
    char expires[24];
    job->fn.put = done;
    memcpy(job->id, ID_PREFIX, strlen(ID_PREFIX));
    ids_uuid4(job->id + strlen(ID_PREFIX));
    snprintf(expires, sizeof(expires), "%llu", (unsigned long long)pending->expires_ms);
    const struct view words[] = {key_of(&key, "pending", view_from_cstr(job->id)), pending->connection_id,
                                 view_from_cstr(expires), view_from_cstr(store->own_channel)};
    store_script(store, SCRIPT_PUT, words, 1, 4, true, on_put, job);
}

static void redis_remove(void *ctx, struct view request_id) {
    struct key key;
    if (!store_redis_minted(request_id)) return;
    const struct view words[] = {VIEW("DEL"), key_of(&key, "pending", request_id)};
    store_call(ctx, words, 2, true, NULL, NULL);
}

/* NULL: it makes no sense as one. */
static struct v1_message *parse_answer(const struct store_redis *store, struct view text) {
    enum status status;
    struct v1_message *message = v1_message_parse(text, store->settings.body_max_bytes, &status);
    if (message && (message->type == V1_HTTP_RESPONSE || message->type == V1_ERROR)) return message;
    v1_message_free(message);
    return NULL;
}

/* Of HMGET connection, answer. Without a connection it is no request: removed, expired, or lost by Redis. */
static enum status status_of_pending(const redisReply *reply, struct view *ret_answer) {
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 || !reply_text(reply->element[0]).ptr)
        return STATUS_GONE;
    *ret_answer = reply_text(reply->element[1]);
    return ret_answer->ptr ? STATUS_OK : STATUS_NOT_FOUND;
}

static void on_take(void *ctx, enum status status, const redisReply *reply) {
    struct job *job = ctx;
    struct store_redis *store = job->store;
    struct v1_message *answer = NULL;
    struct view text = {0};
    if (status == STATUS_OK) status = status_of_pending(reply, &text);
    if (status == STATUS_INVALID) {
        status = STATUS_GONE; /* something foreign has taken its place */
    } else if (status == STATUS_OK) {
        answer = parse_answer(store, text);
        if (!answer) store_foreign(store, "pending", view_from_cstr(job->id));
        if (answer) redis_remove(store, view_from_cstr(job->id));
        status = answer ? STATUS_OK : STATUS_GONE;
    }
    if (store->stopped)
        v1_message_free(answer);
    else
        job->fn.take(job->target, job->ticket, status, answer);
    free(job);
}

/* First read, then removed: a reply that is lost with its connection can be asked for again. */
static void redis_take(void *ctx, struct view request_id, mailbox_take_fn *done, void *target,
                       uint64_t ticket) {
    struct job *job = job_new(ctx, target, ticket);
    struct key key;
    job->fn.take = done;
    view_copy_to(request_id, job->id, sizeof(job->id));
    const struct view words[] = {VIEW("HMGET"), key_of(&key, "pending", request_id), VIEW("connection"),
                                 VIEW("answer")};
    store_call(ctx, words, 4, true, on_take, job);
}

struct mailbox store_redis_mailbox(struct store_redis *store) {
    return (struct mailbox){.ctx = store,
                            .put = redis_put,
                            .complete = answers_complete,
                            .take = redis_take,
                            .remove = redis_remove};
}

/* ---- to an agent at another gateway ---- */

/* Handed to Redis; the gateway that holds the agent may still refuse it. */
struct away_send {
    struct list node;
    struct job *job;
    uint64_t id, since_ms;
    struct timer pause;
    bool flying; /* Redis has not said yet whether anybody heard, or nobody has and that is not told yet */
    bool refused;
};

static void send_end(struct away_send *send, enum status status) {
    list_remove(&send->node);
    timer_stop(&send->job->store->settings.loop->timers, &send->pause);
    job_done(send->job, status);
    free(send);
}

static void on_pause_over(struct timer *timer) {
    send_end(LIST_ENTRY(timer, struct away_send, pause), STATUS_UNHEARD);
}

static struct away_send *find_send(const struct store_redis *store, uint64_t id) {
    for (struct list *node = store->sends.next; node != &store->sends; node = node->next) {
        struct away_send *send = LIST_ENTRY(node, struct away_send, node);
        if (send->id == id) return send;
    }
    return NULL;
}

/* Just after an outage that says nothing of whether there is anybody. */
static void nobody_heard(struct away_send *send) {
    struct store_redis *store = send->job->store;
    if (store_is_just_back(store) && !store->stopped)
        timer_start(&store->settings.loop->timers, &send->pause, PAUSE_MS);
    else
        send_end(send, STATUS_GONE);
}

static void on_sent(void *ctx, enum status status, const redisReply *reply) {
    struct away_send *send = ctx;
    bool heard = status == STATUS_OK && reply->type == REDIS_REPLY_INTEGER && reply->integer > 0;
    if (status == STATUS_OK && !heard) {
        nobody_heard(send);
        return;
    }
    send->flying = false;
    if (!heard || send->refused) send_end(send, status == STATUS_OK ? STATUS_GONE : status);
}

void store_redis_send(void *ctx, const struct link *link, struct view message, agent_sent_fn *done,
                      void *target, uint64_t ticket) {
    struct store_redis *store = ctx;
    struct away_send *send = heap_alloc_owed(sizeof(*send));
    struct key key;
    char channel[CHANNEL_MAX], id[UUID_LEN + 1];
    char wake[UUID_LEN + CONNECTION_ID_MAX + CHANNEL_MAX + 40];
    send->job = job_new(store, target, ticket);
    send->job->fn.done = done;
    send->id = ++store->next_send;
    send->since_ms = loop_now(store->settings.loop);
    send->flying = true;
    timer_init(&send->pause, on_pause_over);
    list_init(&send->node);
    list_append(&store->sends, &send->node);
    ids_uuid4(id);
    snprintf(wake, sizeof(wake), "s\n%s\n%s\n%llu\n%s", id, link->connection, (unsigned long long)send->id,
             store->own_channel);
    const struct view words[] = {key_of(&key, "message", view_from_cstr(id)), message, VIEW(MESSAGE_KEEP_MS),
                                 channel_of(store, channel, link->gateway), view_from_cstr(wake)};
    store_script(store, SCRIPT_SEND, words, 1, 5, false, on_sent, send);
}

void mailbox_tick(struct store_redis *store, bool all) {
    uint64_t now = loop_now(store->settings.loop);
    for (struct list *node = store->sends.next, *next; node != &store->sends; node = next) {
        next = node->next;
        struct away_send *send = LIST_ENTRY(node, struct away_send, node);
        bool is_over = !send->flying && now - send->since_ms > REFUSAL_MS;
        if (all || is_over) send_end(send, STATUS_OK);
    }
    answers_expire(store, all);
    if (!all && store_redis_is_reached(store)) answers_again(store);
}

/* ---- from another gateway, to an agent of ours ---- */

struct fetch {
    struct store_redis *store;
    char connection_id[CONNECTION_ID_MAX + 1];
    char asker[CHANNEL_MAX]; /* its channel */
    char send_id[24];
};

static void refuse(const struct fetch *fetch) {
    char message[32];
    snprintf(message, sizeof(message), "n\n%s", fetch->send_id);
    const struct view words[] = {VIEW("PUBLISH"), view_from_cstr(fetch->asker), view_from_cstr(message)};
    store_call(fetch->store, words, 3, true, NULL, NULL);
}

static void on_delivered(void *target, uint64_t ticket, enum status status) {
    (void)ticket;
    struct fetch *fetch = target;
    if (status != STATUS_OK) refuse(fetch);
    free(fetch);
}

static void on_fetched(void *ctx, enum status status, const redisReply *reply) {
    struct fetch *fetch = ctx;
    struct store_redis *store = fetch->store;
    struct view text = reply_text(reply);
    if (status == STATUS_OK && text.ptr && store->events.deliver && !store->stopped) {
        store->events.deliver(store->events.ctx, view_from_cstr(fetch->connection_id), text, on_delivered,
                              fetch, 0);
        return;
    }
    if (!store->stopped) refuse(fetch); /* nobody but us could have fetched it: certainly not handed on */
    free(fetch);
}

static void heard_message(struct store_redis *store, struct view rest) {
    struct fetch *fetch = calloc(1, sizeof(*fetch));
    struct view id, connection, send_id;
    struct key key;
    if (!fetch || !view_split(&rest, '\n', &id) || !view_split(&rest, '\n', &connection) ||
        !view_split(&rest, '\n', &send_id) || !rest.ptr || id.len != UUID_LEN ||
        !view_copy_to(connection, fetch->connection_id, sizeof(fetch->connection_id)) ||
        !view_copy_to(send_id, fetch->send_id, sizeof(fetch->send_id)) ||
        !view_copy_to(rest, fetch->asker, sizeof(fetch->asker))) {
        free(fetch);
        return;
    }
    fetch->store = store;
    const struct view words[] = {key_of(&key, "message", id)};
    store_script(store, SCRIPT_FETCH, words, 1, 1, true, on_fetched, fetch);
}

static void heard_refusal(struct store_redis *store, struct view rest) {
    uint64_t id;
    struct away_send *send = view_parse_u64(rest, &id) ? find_send(store, id) : NULL;
    if (send && send->flying)
        send->refused = true;
    else if (send)
        send_end(send, STATUS_GONE);
}

void mailbox_heard(struct store_redis *store, char kind, struct view rest) {
    const struct store_events *events = &store->events.store;
    switch (kind) {
    case 'd':
        if (events->request_completed) events->request_completed(events->ctx, rest);
        break;
    case 's': heard_message(store, rest); break;
    case 'n': heard_refusal(store, rest); break;
    default: break; /* 'h': a renewal of our own lease, or a newer gateway's word */
    }
}
