/* Answers of agents to requests that wait in Redis, see store_redis.h. One that Redis cannot be given now
 * is kept and given when it is back: whoever waits for it would wait in vain otherwise. So is one while Redis
 * has yet to take too many. */
#include <stdio.h>
#include <stdlib.h>

#include "base/heap.h"
#include "base/log.h"
#include "store/store_redis_state.h"

#define KEEP_MS (10 * 60 * 1000) /* by then hardly anybody waits for it */
#define KEPT_MAX 4096
#define KEPT_BYTES_MAX ((size_t)16 * 1024 * 1024)
#define GIVING_BYTES_MAX ((size_t)32 * 1024 * 1024) /* and one; the calls have up to three copies more */

struct given {
    struct kept_answer kept; /* in store->kept, while Redis is away */
    struct store_redis *store;
    struct job *job; /* NULL when that has been told */
    char request_id[V1_REQUEST_ID_MAX + 1], connection_id[CONNECTION_ID_MAX + 1];
    struct buf text;
    uint64_t since_ms;
};

static void given_free(struct given *given) {
    buf_done(&given->text);
    free(given);
}

static bool encode_answer(struct buf *out, struct view request_id, const struct v1_message *answer) {
    if (answer->type == V1_ERROR)
        return v1_encode_error(out, request_id, answer->code, answer->message, answer->reason);
    if (answer->body_too_large)
        return v1_encode_error(out, request_id, VIEW(V1_CODE_INTERNAL_ERROR),
                               VIEW("The answer is too large."), VIEW("response_too_large"));
    struct v1_response response = {.request_id = request_id,
                                   .status = answer->status,
                                   .headers = &answer->headers,
                                   .body = answer->body,
                                   .processing_time_ms = answer->processing_time_ms};
    return v1_encode_response(out, &response);
}

/* ---- kept ---- */

static struct given *given_of(struct list *node) {
    return LIST_ENTRY(node, struct given, kept.node);
}

static struct given *forget(struct given *given) {
    kept_remove(&given->store->kept, &given->kept);
    return given;
}

/* Who waits is told at least that there was an answer. */
static bool put_lost(struct given *given) {
    buf_done(&given->text);
    return v1_encode_error(&given->text, view_from_cstr(given->request_id), VIEW(V1_CODE_INTERNAL_ERROR),
                           VIEW("The answer was lost while it waited for Redis."), (struct view){0});
}

static void say_lost(const struct given *given) {
    log_from(LOG_LEVEL_WARN, "store", view_from_cstr(given->connection_id),
             "request %s: its answer is lost, as more wait for Redis than can be kept", given->request_id);
}

static void make_small(struct given *given) {
    say_lost(given);
    if (put_lost(given))
        kept_shrink(&given->store->kept, &given->kept);
    else
        given_free(forget(given));
}

static void keep(struct given *given) {
    struct kept *kept = &given->store->kept;
    struct kept_answer *over;
    if (!kept_add(kept, &given->kept, view_from_cstr(given->connection_id), given->text.len)) {
        say_lost(given);
        given_free(given);
        return;
    }
    if ((over = kept_too_many(kept))) {
        say_lost(given_of(&over->node));
        given_free(forget(given_of(&over->node)));
    }
    while ((over = kept_too_large(kept))) make_small(given_of(&over->node));
}

/* ---- given to Redis ---- */

static void tell(struct given *given, enum status status, const redisReply *reply) {
    bool refused = status == STATUS_OK && (reply->type != REDIS_REPLY_INTEGER || reply->integer != 1);
    if (given->job) job_done(given->job, refused || status == STATUS_INVALID ? STATUS_NOT_FOUND : status);
    given->job = NULL;
}

static bool takes_more(const struct store_redis *store) {
    return store->giving_bytes < GIVING_BYTES_MAX;
}

static void give_kept(struct store_redis *store, size_t most);

/* Each that is taken makes room for one. */
static void on_given(void *ctx, enum status status, const redisReply *reply) {
    struct given *given = ctx;
    struct store_redis *store = given->store;
    store->giving_bytes -= given->text.len;
    tell(given, status, reply);
    if (status == STATUS_UNAVAILABLE && !store->stopped) {
        keep(given);
    } else {
        given_free(given);
        give_kept(store, 1);
    }
}

static void give(struct given *given) {
    struct store_redis *store = given->store;
    store->giving_bytes += given->text.len;
    struct key key;
    char now[24], message[V1_REQUEST_ID_MAX + 4];
    struct view request_id = view_from_cstr(given->request_id);
    snprintf(now, sizeof(now), "%llu", (unsigned long long)store_wall_ms(store));
    snprintf(message, sizeof(message), "d\n%s", given->request_id);
    const struct view words[] = {key_of(&key, "pending", request_id), view_from_cstr(given->connection_id),
                                 view_from_cstr(now), buf_view(&given->text), view_from_cstr(message)};
    store_script(store, SCRIPT_COMPLETE, words, 1, 5, true, on_given, given);
}

static void give_kept(struct store_redis *store, size_t most) {
    for (; most > 0 && store->kept.count > 0 && takes_more(store) && !store->stopped; most--)
        give(forget(given_of(store->kept.answers.next)));
}

static struct given *given_new(struct store_redis *store, struct view request_id, struct view connection_id) {
    struct given *given = heap_alloc_owed(sizeof(*given));
    given->store = store;
    given->since_ms = loop_now(store->settings.loop);
    buf_init(&given->text, store->settings.message_max_bytes);
    view_copy_to(request_id, given->request_id, sizeof(given->request_id));
    view_copy_to(connection_id, given->connection_id, sizeof(given->connection_id));
    return given;
}

void answers_complete(void *ctx, struct view request_id, struct view connection_id, struct v1_message *answer,
                      mailbox_done_fn *done, void *target, uint64_t ticket) {
    struct store_redis *store = ctx;
    struct job *job = job_new(store, target, ticket);
    struct given *given = given_new(store, request_id, connection_id);
    job->fn.done = done;
    bool is_ours = store_redis_minted(request_id) && strlen(given->connection_id) == connection_id.len;
    if (!is_ours || !encode_answer(&given->text, request_id, answer)) {
        job_done_later(job, is_ours ? STATUS_TOO_LARGE : STATUS_NOT_FOUND);
        given_free(given);
    } else if (takes_more(store)) {
        given->job = job;
        give(given);
    } else {
        job_done_later(job, STATUS_UNAVAILABLE);
        keep(given);
    }
    v1_message_free(answer);
}

/* ---- when Redis is back ---- */

void answers_again(struct store_redis *store) {
    give_kept(store, store->kept.count);
}

void answers_expire(struct store_redis *store, bool all) {
    uint64_t now = loop_now(store->settings.loop);
    for (struct list *node = store->kept.answers.next, *next; node != &store->kept.answers; node = next) {
        next = node->next;
        struct given *given = given_of(node);
        if (all || now - given->since_ms > KEEP_MS) given_free(forget(given));
    }
}

void answers_init(struct store_redis *store) {
    kept_init(&store->kept, KEPT_MAX, KEPT_BYTES_MAX);
}
