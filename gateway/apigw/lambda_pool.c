/* See lambda_pool.h. An environment is a process with its Runtime API. Its life: STARTING (until it asks for
 * the first event), IDLE (frozen, its call for the next event unanswered), BUSY (has an event), FINISHING
 * (has answered, and not asked for the next: Lambda bills that too). */
#include "apigw/lambda_pool.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "apigw/lambda_process.h"
#include "apigw/trace_id.h"
#include "apigw/web.h"
#include "base/heap.h"
#include "base/ids.h"
#include "base/log.h"
#include "sockets/listener.h"

#define API "/2018-06-01/runtime/"
#define ANSWER_BYTES_MAX (LAMBDA_PAYLOAD_MAX + 1)

struct invocation {
    struct task task; /* of one that ends before it began */
    struct lambda_pool *pool;
    enum lambda_outcome outcome;
    char id[UUID_LEN + 1];
    char *event;
    size_t event_len;
    lambda_done_fn *done;
    void *ctx;
};

enum environment_state { ENV_STARTING, ENV_IDLE, ENV_BUSY, ENV_FINISHING };

struct environment {
    struct list node;
    struct lambda_pool *pool;
    uint64_t id;
    enum environment_state state;
    pid_t pid;
    struct listener *listener;
    struct web_exchange *next; /* IDLE: its call for the next event */
    struct invocation *invocation;
    struct timer timer; /* IDLE: until it is ended; else until it is killed */
    uint64_t billed_from_ns;
    bool is_ending; /* takes no event any more */
};

struct lambda_pool {
    struct loop *loop;
    struct lambda_pool_settings settings;
    struct usage *usage;
    struct web *web;
    struct clients clients;
    struct list environments; /* the one freed last in front: it is used next, and the others may end */
    size_t count;
    uint64_t last_id;
    uv_signal_t child;
    bool is_stopped;
};

/* ---- invocations ---- */

static void invocation_end(struct invocation *invocation, enum lambda_outcome outcome, struct view answer) {
    struct usage *usage = invocation->pool->usage;
    usage->errors += outcome == LAMBDA_ERROR;
    usage->timeouts += outcome == LAMBDA_TIMEOUT;
    usage->throttled += outcome == LAMBDA_THROTTLED;
    if (outcome != LAMBDA_OK)
        log_from(LOG_LEVEL_WARN, "lambda", view_from_cstr(invocation->id), "%.*s",
                 VIEW_ARG(view_slice(answer, 0, 500)));
    invocation->done(invocation->ctx, outcome, answer);
    free(invocation->event);
    free(invocation);
}

static void on_refused(struct task *task) {
    struct invocation *invocation = LIST_ENTRY(task, struct invocation, task);
    invocation_end(invocation, invocation->outcome,
                   invocation->outcome == LAMBDA_THROTTLED
                       ? VIEW("{\"errorType\":\"TooManyRequestsException\"}")
                       : VIEW("{\"errorType\":\"RequestEntityTooLarge\"}"));
}

static void refuse(struct invocation *invocation, enum lambda_outcome outcome) {
    invocation->outcome = outcome;
    tasks_post(&invocation->pool->loop->tasks, &invocation->task);
}

/* ---- environments ---- */

static void environment_free(struct environment *environment, const char *why) {
    struct lambda_pool *pool = environment->pool;
    struct invocation *invocation = environment->invocation;
    char text[256];
    listener_free(environment->listener);
    timer_stop(&pool->loop->timers, &environment->timer);
    if (environment->next) web_cut(environment->next);
    list_remove(&environment->node);
    pool->count--;
    pool->usage->environments = pool->count;
    free(environment);
    if (!invocation) return;
    int len = snprintf(text, sizeof(text),
                       "{\"errorType\":\"Runtime.ExitError\",\"errorMessage\":\"RequestId: %s Error: %s\"}",
                       invocation->id, why);
    invocation_end(invocation, LAMBDA_ERROR, view_of(text, (size_t)len));
}

/* SIGKILL; what is left of it goes when it has ended. */
static void environment_kill(struct environment *environment) {
    environment->is_ending = true;
    timer_stop(&environment->pool->loop->timers, &environment->timer);
    lambda_process_kill(environment->pid);
}

static void bill(struct environment *environment) {
    uint64_t ns = uv_hrtime() - environment->billed_from_ns;
    environment->pool->usage->billed_ms += (ns + 999999) / 1000000;
}

static void time_out(struct environment *environment) {
    struct invocation *invocation = environment->invocation;
    char text[200];
    environment->invocation = NULL;
    bill(environment);
    environment_kill(environment);
    if (!invocation) return;
    int len =
        snprintf(text, sizeof(text),
                 "{\"errorType\":\"Sandbox.Timedout\",\"errorMessage\":\"RequestId: %s Error: Task timed out "
                 "after %.2f seconds\"}",
                 invocation->id, (double)environment->pool->settings.timeout_ms / 1000);
    invocation_end(invocation, LAMBDA_TIMEOUT, view_of(text, (size_t)len));
}

static void on_timer(struct timer *timer) {
    struct environment *environment = LIST_ENTRY(timer, struct environment, timer);
    if (environment->state == ENV_IDLE)
        environment_kill(environment);
    else
        time_out(environment);
}

/* It has asked, and there is an event. */
static void give(struct environment *environment) {
    struct lambda_pool *pool = environment->pool;
    struct invocation *invocation = environment->invocation;
    struct web_exchange *next = environment->next;
    struct arena arena;
    struct headers headers;
    char trace[TRACE_ID_MAX];
    arena_init(&arena, 8192);
    headers_init(&headers, &arena);
    uint64_t deadline_ms = loop_wall_ms(NULL) + pool->settings.timeout_ms;
    headers_add(&headers, VIEW("content-type"), VIEW("application/json"));
    headers_add(&headers, VIEW("lambda-runtime-aws-request-id"), view_from_cstr(invocation->id));
    headers_add(&headers, VIEW("lambda-runtime-deadline-ms"), arena_printf(&arena, "%" PRIu64, deadline_ms));
    headers_add(&headers, VIEW("lambda-runtime-invoked-function-arn"),
                VIEW("arn:aws:lambda:us-east-1:123456789012:function:tunnel"));
    trace_id_invocation(trace, loop_wall_ms(NULL));
    headers_add(&headers, VIEW("lambda-runtime-trace-id"), view_from_cstr(trace));
    environment->state = ENV_BUSY;
    environment->next = NULL;
    timer_start(&pool->loop->timers, &environment->timer, pool->settings.timeout_ms);
    lambda_process_thaw(environment->pid);
    web_answer(next, 200, &headers, view_of(invocation->event, invocation->event_len));
    arena_done(&arena);
}

static void on_connection(void *ctx, int fd, struct client *client, const struct sockaddr *address,
                          socklen_t len) {
    struct environment *environment = ctx;
    web_accept(environment->pool->web, fd, client, address, len, environment->id);
}

/* Cold start. NULL when there is no process, or no port, to be had. */
static struct environment *environment_start(struct lambda_pool *pool) {
    const struct listen_address any = {.host = "127.0.0.1", .port = 0};
    const char *why = "out of memory";
    struct environment *environment = calloc(1, sizeof(*environment));
    if (!environment) return NULL;
    environment->pool = pool;
    environment->id = ++pool->last_id;
    environment->billed_from_ns = uv_hrtime();
    timer_init(&environment->timer, on_timer);
    environment->listener = listener_new(pool->loop, &any, &pool->clients, on_connection, environment, &why);
    if (environment->listener) {
        environment->pid = lambda_process_start(pool->settings.bootstrap, pool->settings.environment,
                                                listener_port(environment->listener));
        why = strerror(errno);
    }
    if (!environment->listener || environment->pid < 0) {
        log_error("lambda", "no process can be started: %s", why);
        listener_free(environment->listener);
        free(environment);
        return NULL;
    }
    list_append(&pool->environments, &environment->node);
    pool->usage->environments = ++pool->count;
    pool->usage->cold_starts++;
    timer_start(&pool->loop->timers, &environment->timer, pool->settings.init_timeout_ms);
    return environment;
}

static struct environment *find_idle(struct lambda_pool *pool) {
    for (struct list *node = pool->environments.next; node != &pool->environments; node = node->next) {
        struct environment *environment = LIST_ENTRY(node, struct environment, node);
        if (environment->state == ENV_IDLE && !environment->is_ending) return environment;
    }
    return NULL;
}

static struct environment *find_id(struct lambda_pool *pool, uint64_t id) {
    for (struct list *node = pool->environments.next; node != &pool->environments; node = node->next) {
        struct environment *environment = LIST_ENTRY(node, struct environment, node);
        if (environment->id == id) return environment;
    }
    return NULL;
}

static void on_child(uv_signal_t *signal, int number) {
    (void)number;
    struct lambda_pool *pool = signal->data;
    for (struct list *node = pool->environments.next, *next; node != &pool->environments; node = next) {
        next = node->next;
        struct environment *environment = LIST_ENTRY(node, struct environment, node);
        int how;
        if (!lambda_process_ended(environment->pid, &how)) continue;
        char why[80];
        if (WIFEXITED(how))
            snprintf(why, sizeof(why), "Runtime exited with error: exit status %d", WEXITSTATUS(how));
        else
            snprintf(why, sizeof(why), "Runtime exited with error: signal %d", WTERMSIG(how));
        environment_free(environment, why);
        next = pool->environments.next; /* what it called may have changed the list */
    }
}

/* ---- the Runtime API ---- */

static void on_next(struct environment *environment, struct web_exchange *exchange) {
    struct lambda_pool *pool = environment->pool;
    if (environment->next || environment->state == ENV_BUSY) {
        web_answer_json(exchange, 403, VIEW("{\"errorType\":\"InvalidStateTransition\"}"));
        return;
    }
    if (environment->state == ENV_FINISHING) bill(environment);
    environment->next = exchange;
    if (environment->invocation) {
        give(environment);
        return;
    }
    environment->state = ENV_IDLE;
    if (environment->is_ending || pool->is_stopped) {
        environment_kill(environment);
        return;
    }
    list_remove(&environment->node);
    list_append(pool->environments.next, &environment->node); /* in front of the first */
    lambda_process_freeze(environment->pid);
    timer_start(&pool->loop->timers, &environment->timer, pool->settings.idle_ms);
}

static void accept_call(struct web_exchange *exchange) {
    web_answer_json(exchange, 202, VIEW("{\"status\":\"OK\"}\n"));
}

static void on_answer(struct environment *environment, struct web_exchange *exchange,
                      const struct web_request *request, bool is_error) {
    struct invocation *invocation = environment->invocation;
    enum lambda_outcome outcome = is_error ? LAMBDA_ERROR : LAMBDA_OK;
    struct view answer = request->body;
    environment->invocation = NULL;
    environment->state = ENV_FINISHING;
    if (request->is_body_too_large || answer.len > LAMBDA_PAYLOAD_MAX) {
        outcome = LAMBDA_ERROR;
        answer =
            VIEW("{\"errorType\":\"Function.ResponseSizeTooLarge\",\"errorMessage\":\"Response payload size "
                 "exceeded maximum allowed payload size (6291556 bytes).\"}");
    }
    invocation_end(invocation, outcome, answer); /* borrows the request: before its answer */
    if (outcome == LAMBDA_ERROR && !is_error)
        web_answer_json(exchange, 413, VIEW("{\"errorType\":\"RequestEntityTooLarge\"}"));
    else
        accept_call(exchange);
}

static void on_init_error(struct environment *environment, struct web_exchange *exchange, struct view body) {
    log_error("lambda", "the function does not start: %.*s", VIEW_ARG(view_slice(body, 0, 500)));
    struct invocation *invocation = environment->invocation;
    environment->invocation = NULL;
    if (invocation) invocation_end(invocation, LAMBDA_ERROR, body);
    accept_call(exchange);
}

/* "<id>/response" or "<id>/error" of the event it has. */
static bool is_of(const struct environment *environment, struct view path, const char *call) {
    const struct invocation *invocation = environment->invocation;
    return environment->state == ENV_BUSY && invocation &&
           view_starts_with(path, view_from_cstr(invocation->id)) &&
           view_eq(view_skip(path, UUID_LEN), view_from_cstr(call));
}

static void on_call(void *ctx, struct web_exchange *exchange, const struct web_request *request) {
    struct lambda_pool *pool = ctx;
    struct environment *environment = find_id(pool, request->tag);
    struct view path = view_skip(request->target, sizeof(API) - 1);
    struct view event = view_skip(path, sizeof("invocation/") - 1);
    bool is_get = view_eq(request->method, VIEW("GET"));
    if (!environment || pool->is_stopped)
        web_cut(exchange);
    else if (!view_starts_with(request->target, VIEW(API)))
        web_answer_json(exchange, 404, VIEW("{\"errorType\":\"NotFound\"}"));
    else if (is_get && view_eq(path, VIEW("invocation/next")))
        on_next(environment, exchange);
    else if (is_get)
        web_answer_json(exchange, 404, VIEW("{\"errorType\":\"NotFound\"}"));
    else if (view_eq(path, VIEW("init/error")))
        on_init_error(environment, exchange, request->body);
    else if (is_of(environment, event, "/response"))
        on_answer(environment, exchange, request, false);
    else if (is_of(environment, event, "/error"))
        on_answer(environment, exchange, request, true);
    else
        web_answer_json(exchange, 400, VIEW("{\"errorType\":\"InvalidRequestID\"}"));
}

/* ---- the module ---- */

struct lambda_pool *lambda_pool_new(struct loop *loop, const struct lambda_pool_settings *settings,
                                    struct usage *usage, const char **ret_why) {
    struct lambda_pool *pool = calloc(1, sizeof(*pool));
    *ret_why = "out of memory";
    if (!pool) return NULL;
    pool->loop = loop;
    pool->settings = *settings;
    pool->usage = usage;
    usage->memory_mib = settings->memory_mib;
    list_init(&pool->environments);
    clients_init(&pool->clients, 0, 0, NULL, 0);
    const struct web_settings web = {
        .body_max = ANSWER_BYTES_MAX, .connections_max = 4096, .handle = on_call, .ctx = pool};
    bool can_run = access(settings->bootstrap, X_OK) == 0;
    if (!can_run) *ret_why = strerror(errno);
    pool->web = can_run ? web_new(loop, &web) : NULL;
    if (!pool->web) {
        free(pool);
        return NULL;
    }
    uv_signal_init(&loop->uv, &pool->child);
    pool->child.data = pool;
    uv_signal_start(&pool->child, on_child, SIGCHLD);
    return pool;
}

void lambda_pool_invoke(struct lambda_pool *pool, enum usage_source source, struct view event,
                        lambda_done_fn *done, void *ctx) {
    struct invocation *invocation = heap_alloc_owed(sizeof(*invocation));
    *invocation = (struct invocation){.pool = pool, .done = done, .ctx = ctx, .event_len = event.len};
    task_init(&invocation->task, on_refused);
    ids_uuid4(invocation->id);
    invocation->event = view_to_cstr(event);
    if (!invocation->event) abort();
    struct environment *environment = NULL;
    if (event.len > LAMBDA_PAYLOAD_MAX) {
        refuse(invocation, LAMBDA_TOO_LARGE);
        return;
    }
    if (!pool->is_stopped) environment = find_idle(pool);
    if (!environment && !pool->is_stopped && pool->count < pool->settings.environments_max)
        environment = environment_start(pool);
    if (!environment) {
        refuse(invocation, LAMBDA_THROTTLED);
        return;
    }
    pool->usage->invocations[source]++;
    environment->invocation = invocation;
    if (environment->state != ENV_IDLE) return; /* given when it asks */
    environment->billed_from_ns = uv_hrtime();
    give(environment);
}

size_t lambda_pool_busy(const struct lambda_pool *pool) {
    size_t busy = 0;
    for (struct list *node = pool->environments.next; node != &pool->environments; node = node->next)
        busy += LIST_ENTRY(node, struct environment, node)->invocation != NULL;
    return busy;
}

void lambda_pool_renew(struct lambda_pool *pool) {
    log_info("lambda", "a new version: %zu environments end when they are idle", pool->count);
    for (struct list *node = pool->environments.next; node != &pool->environments; node = node->next) {
        struct environment *environment = LIST_ENTRY(node, struct environment, node);
        environment->is_ending = true;
        if (environment->state == ENV_IDLE) environment_kill(environment);
    }
}

void lambda_pool_stop(struct lambda_pool *pool) {
    if (!pool) return;
    pool->is_stopped = true;
    uv_signal_stop(&pool->child);
    uv_close((uv_handle_t *)&pool->child, NULL);
    while (!list_empty(&pool->environments)) {
        struct environment *environment = LIST_ENTRY(pool->environments.next, struct environment, node);
        int how;
        environment_kill(environment);
        waitpid(environment->pid, &how, 0);
        environment_free(environment, "the stand-in ends");
    }
    web_stop(pool->web);
}

void lambda_pool_free(struct lambda_pool *pool) {
    if (!pool) return;
    web_free(pool->web);
    clients_done(&pool->clients);
    free(pool);
}
