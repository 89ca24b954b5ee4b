/* The connection of a redis_link: an attempt at a time, each with a context of its own. hiredis frees a
 * context itself when it has failed (and says so); we never free one from within its callbacks. */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ids.h"
#include "base/log.h"
#include "store/redis_link_state.h"
#include "store/redis_loop.h"
#include "store/redis_tls.h"

#define ATTEMPT_MS 3000
#define TICK_MS 250
#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS 2000

/* ---- the end of an attempt ---- */

static void say_trouble(struct redis_link *link, const char *why) {
    if (strcmp(why, link->why) == 0) return;
    snprintf(link->why, sizeof(link->why), "%s", why);
    log_warn("redis", "%s cannot be reached: %s; trying again", link->settings.url->shown, why);
}

static uint64_t backoff_ms(unsigned failures) {
    uint64_t ms = (uint64_t)BACKOFF_FIRST_MS << (failures < 5 ? failures : 5);
    uint16_t random;
    ids_random(&random, sizeof(random));
    if (ms > BACKOFF_MAX_MS) ms = BACKOFF_MAX_MS;
    return ms / 2 + random % (ms / 2 + 1);
}

static void free_addresses(struct redis_link *link) {
    if (link->addresses) uv_freeaddrinfo(link->addresses);
    link->addresses = link->address = NULL;
}

/* The context, if there was one, has gone. */
static void attempt_over(struct redis_link *link) {
    bool was_up = link->phase == REDIS_UP;
    link->phase = REDIS_WAITING;
    link->subscribed = 0;
    task_cancel(&link->drop);
    free_addresses(link);
    if (link->ending) return;
    timer_start(&link->settings.loop->timers, &link->retry, backoff_ms(link->failures));
    link->failures++;
    if (was_up && link->settings.down) link->settings.down(link->settings.ctx);
}

static void connect_next(struct redis_link *link);

void redis_connect_fail(struct redis_link *link, const char *why) {
    redisAsyncContext *context = link->context;
    bool another = link->phase == REDIS_CONNECTING && link->address && link->address->ai_next;
    if (!link->ending) say_trouble(link, why);
    link->context = NULL;
    if (context) {
        context->data = NULL;
        redisAsyncFree(context); /* what is in flight hears of it */
    }
    if (another && !link->ending) {
        link->address = link->address->ai_next;
        connect_next(link);
    } else {
        attempt_over(link);
    }
}

static void on_drop(struct task *task) {
    struct redis_link *link = LIST_ENTRY(task, struct redis_link, drop);
    redis_connect_fail(link, link->why[0] ? link->why : "the connection was given up");
}

void redis_link_drop(struct redis_link *link, const char *why) {
    if (link->phase == REDIS_WAITING || task_pending(&link->drop)) return;
    say_trouble(link, why);
    tasks_post(&link->settings.loop->tasks, &link->drop);
}

/* hiredis has ended the context and frees it when this returns. */
static void context_lost(struct redis_link *link, const char *why) {
    char text[200];
    snprintf(text, sizeof(text), "%s", why && *why ? why : "the connection was closed");
    link->context = NULL;
    redis_connect_fail(link, text);
}

static void on_disconnect(const redisAsyncContext *context, int status) {
    (void)status;
    struct redis_link *link = context->data;
    if (link && link->context == context) context_lost(link, context->errstr);
}

/* ---- greeting ---- */

static void on_up(struct redis_link *link) {
    link->phase = REDIS_UP;
    link->failures = 0;
    link->complaint[0] = '\0';
    link->heard_ms = loop_now(link->settings.loop);
    if (link->why[0]) log_info("redis", "%s is reached again", link->settings.url->shown);
    link->why[0] = '\0';
    redis_calls_up(link);
    if (link->settings.up) link->settings.up(link->settings.ctx);
}

/* Replies of a greeting; a failed one ends the attempt. */
static bool greeted(redisAsyncContext *context, const redisReply *reply) {
    struct redis_link *link = context->data;
    if (!link || link->context != context || !reply || task_pending(&link->drop)) return false;
    if (reply->type != REDIS_REPLY_ERROR) return true;
    redis_complain(link, view_of(reply->str, (size_t)reply->len));
    char text[200];
    snprintf(text, sizeof(text), "%s", reply->str);
    redis_link_drop(link, text);
    return false;
}

static void on_step(redisAsyncContext *context, void *reply, void *privdata) {
    (void)privdata;
    greeted(context, reply);
}

static void on_ping(redisAsyncContext *context, void *reply, void *privdata) {
    (void)privdata;
    if (greeted(context, reply)) on_up(context->data);
}

static struct view text_of(const redisReply *reply) {
    bool is_text = reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS;
    return is_text ? view_of(reply->str, (size_t)reply->len) : (struct view){0};
}

/* "subscribe" once for each channel, then each "message". */
static void on_channel(redisAsyncContext *context, void *data, void *privdata) {
    (void)privdata;
    const redisReply *reply = data;
    if (!greeted(context, reply)) return;
    struct redis_link *link = context->data;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3) return;
    struct view kind = text_of(reply->element[0]);
    if (view_eq(kind, VIEW("subscribe"))) {
        if (++link->subscribed == link->settings.channel_count) on_up(link);
    } else if (view_eq(kind, VIEW("message")) && link->phase == REDIS_UP) {
        link->heard_ms = loop_now(link->settings.loop);
        link->settings.heard(link->settings.ctx, text_of(reply->element[1]), text_of(reply->element[2]));
    }
}

static bool send_credentials(struct redis_link *link) {
    const struct redis_url *url = link->settings.url;
    if (!url->password[0]) return true;
    const char *with_user[] = {"AUTH", url->user, url->password}, *without[] = {"AUTH", url->password};
    bool named = url->user[0] != '\0';
    return redisAsyncCommandArgv(link->context, on_step, NULL, named ? 3 : 2, named ? with_user : without,
                                 NULL) == REDIS_OK;
}

static bool send_greeting(struct redis_link *link) {
    redisAsyncContext *context = link->context;
    if (!send_credentials(link)) return false;
    if (link->settings.url->database &&
        redisAsyncCommand(context, on_step, NULL, "SELECT %u", link->settings.url->database) != REDIS_OK)
        return false;
    if (link->settings.channel_count == 0)
        return redisAsyncCommand(context, on_ping, NULL, "PING") == REDIS_OK;
    const char *words[REDIS_CHANNELS_MAX + 1] = {"SUBSCRIBE"};
    for (unsigned i = 0; i < link->settings.channel_count; i++) words[i + 1] = link->channels[i];
    return redisAsyncCommandArgv(context, on_channel, NULL, (int)link->settings.channel_count + 1, words,
                                 NULL) == REDIS_OK;
}

static void on_connect(const redisAsyncContext *context, int status) {
    struct redis_link *link = context->data;
    if (!link || link->context != context) return;
    if (status != REDIS_OK) {
        context_lost(link, context->errstr);
        return;
    }
    link->phase = REDIS_GREETING;
    if (!send_greeting(link)) redis_link_drop(link, "it could not be greeted");
}

/* ---- the attempt ---- */

static redisAsyncContext *make_context(struct redis_link *link, char why[200]) {
    redisAsyncContext *context;
    char host[NI_MAXHOST];
    snprintf(why, 200, "out of memory");
    if (link->settings.url->path[0]) {
        context = redisAsyncConnectUnix(link->settings.url->path);
    } else {
        if (getnameinfo(link->address->ai_addr, link->address->ai_addrlen, host, sizeof(host), NULL, 0,
                        NI_NUMERICHOST) != 0)
            return NULL;
        context = redisAsyncConnect(host, (int)link->settings.url->port);
    }
    if (!context) return NULL;
    bool fine = context->err == 0;
    if (!fine) snprintf(why, 200, "%s", context->errstr ? context->errstr : "?");
    if (fine && link->settings.url->tls && !redis_tls_start(context, link->settings.url->host)) {
        fine = false;
        snprintf(why, 200, "TLS does not start: %s", context->c.errstr);
    }
    if (fine && !redis_loop_attach(context, &link->settings.loop->uv)) fine = false;
    if (fine) return context;
    redisAsyncFree(context);
    return NULL;
}

static void connect_next(struct redis_link *link) {
    char why[200];
    link->phase = REDIS_CONNECTING;
    link->since_ms = loop_now(link->settings.loop);
    link->context = make_context(link, why);
    if (!link->context) {
        redis_connect_fail(link, why);
        return;
    }
    link->context->data = link;
    redisAsyncSetConnectCallback(link->context, on_connect);
    redisAsyncSetDisconnectCallback(link->context, on_disconnect);
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses) {
    struct redis_link *link = request->data;
    free(request);
    if (!link || status != 0) {
        uv_freeaddrinfo(addresses);
        if (!link) return;
        link->resolving = NULL;
        redis_connect_fail(link, uv_strerror(status));
        return;
    }
    link->resolving = NULL;
    link->addresses = link->address = addresses;
    connect_next(link);
}

static void resolve(struct redis_link *link) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    const struct redis_url *url = link->settings.url;
    uv_getaddrinfo_t *request = malloc(sizeof(*request));
    link->phase = REDIS_RESOLVING;
    link->since_ms = loop_now(link->settings.loop);
    if (!request ||
        uv_getaddrinfo(&link->settings.loop->uv, request, on_resolved, url->host, NULL, &hints) != 0) {
        free(request);
        redis_connect_fail(link, "its name cannot be looked up");
        return;
    }
    request->data = link;
    link->resolving = request;
}

/* An answer to the name that is late comes to nobody. */
static void forget_resolving(struct redis_link *link) {
    if (!link->resolving) return;
    link->resolving->data = NULL;
    uv_cancel((uv_req_t *)link->resolving);
    link->resolving = NULL;
}

static void on_retry(struct timer *timer) {
    struct redis_link *link = LIST_ENTRY(timer, struct redis_link, retry);
    if (link->settings.url->path[0])
        connect_next(link);
    else
        resolve(link);
}

static void on_tick(struct timer *timer) {
    struct redis_link *link = LIST_ENTRY(timer, struct redis_link, tick);
    uint64_t now = loop_now(link->settings.loop), silence = link->settings.silence_ms;
    timer_start(&link->settings.loop->timers, &link->tick, TICK_MS);
    const char *trouble = redis_calls_trouble(link, now);
    if (silence && now - link->heard_ms > silence) trouble = "it has gone silent";
    if (link->phase == REDIS_WAITING) return;
    if (link->phase != REDIS_UP && now - link->since_ms > ATTEMPT_MS) {
        forget_resolving(link);
        redis_connect_fail(link, "it does not answer in time");
    } else if (link->phase == REDIS_UP && trouble) {
        redis_connect_fail(link, trouble);
    }
}

void redis_connect_init(struct redis_link *link) {
    timer_init(&link->retry, on_retry);
    timer_init(&link->tick, on_tick);
    task_init(&link->drop, on_drop);
    link->phase = REDIS_WAITING;
    timer_start(&link->settings.loop->timers, &link->retry, 0);
    timer_start(&link->settings.loop->timers, &link->tick, TICK_MS);
}

void redis_connect_done(struct redis_link *link) {
    timer_stop(&link->settings.loop->timers, &link->retry);
    timer_stop(&link->settings.loop->timers, &link->tick);
    forget_resolving(link);
    redis_connect_fail(link, "the gateway ends");
}
