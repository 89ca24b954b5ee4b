/* See health.h. */
#include "health.h"

#include <stdio.h>
#include <stdlib.h>

#define ARENA_MAX ((size_t)16 * 1024)

struct health {
    struct loop *loop;
    struct local_client *client;
    struct service_state *state;
    const char *path, *authority;
    struct local_request *request; /* NULL: none is under way */
    struct timer timer;            /* to the next one, or for its answer */
};

static void ask_later(struct health *health) {
    timer_start(&health->loop->timers, &health->timer,
                health->state->is_down ? HEALTH_DOWN_MS : HEALTH_WELL_MS);
}

static void settle(struct health *health, const char *fault) {
    if (health->request) local_request_cancel(health->request);
    health->request = NULL;
    service_state_checked(health->state, fault);
    ask_later(health);
}

static void on_head(void *ctx, int status, const struct headers *headers) {
    (void)headers;
    struct health *health = ctx;
    char fault[400];
    snprintf(fault, sizeof(fault), "GET %.300s: %d", health->path, status);
    settle(health, status < 400 ? NULL : fault);
}

static void on_data(void *ctx, struct view data) {
    (void)ctx;
    (void)data; /* never: it ends with its head */
}

static void on_end(void *ctx, enum local_error error, const char *detail) {
    (void)error;
    struct health *health = ctx;
    health->request = NULL;
    settle(health, detail);
}

static bool ask(struct health *health) {
    static const struct local_events events = {.on_head = on_head, .on_data = on_data, .on_end = on_end};
    struct arena arena;
    struct headers headers;
    arena_init(&arena, ARENA_MAX);
    headers_init(&headers, &arena);
    struct local_head head = {.method = VIEW("GET"),
                              .target = view_from_cstr(health->path),
                              .headers = &headers,
                              .body_bytes = LOCAL_BODY_NONE};
    if (headers_add(&headers, VIEW("host"), view_from_cstr(health->authority)) &&
        headers_add(&headers, VIEW("user-agent"), VIEW("ttf-health/" TTF_VERSION)))
        health->request = local_request_start(health->client, &head, &events, health);
    arena_done(&arena);
    return health->request;
}

static void on_timer(struct timer *timer) {
    struct health *health = LIST_ENTRY(timer, struct health, timer);
    if (health->request)
        settle(health, "the health check has no answer");
    else if (ask(health))
        timer_start(&health->loop->timers, &health->timer, HEALTH_ANSWER_MS);
    else
        ask_later(health);
}

struct health *health_new(struct loop *loop, struct local_client *client, struct service_state *state,
                          const char *path, const char *authority) {
    struct health *health = calloc(1, sizeof(*health));
    if (!health) return NULL;
    *health =
        (struct health){.loop = loop, .client = client, .state = state, .path = path, .authority = authority};
    state->is_checked = true;
    timer_init(&health->timer, on_timer);
    return health;
}

void health_start(struct health *health) {
    timer_start(&health->loop->timers, &health->timer, 0);
}

void health_free(struct health *health) {
    if (!health) return;
    timer_stop(&health->loop->timers, &health->timer);
    if (health->request) local_request_cancel(health->request);
    free(health);
}
