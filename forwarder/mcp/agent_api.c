/* See agent_api.h. Each request has a connection of its own: they are few, and to this machine. */
#include "mcp/agent_api.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "inspect/guard.h"
#include "inspect/inspect.h"
#include "inspect/place.h"
#include "local/local_client.h"

#define LAST_PORT (INSPECT_DEFAULT_PORT + INSPECT_PORTS_TRIED)
#define CONNECT_MS 3000u
#define WHOLE_MS 40000u /* a new tunnel's URL may take a while */
#define PROBE_MS 1500u
#define BODY_MAX ((size_t)32 * 1024 * 1024)
#define REQUEST_MAX ((size_t)4 * 1024 * 1024)

struct agent_api {
    struct loop *loop;
    struct agent_api_place place; /* where a ttf is, when `is_known` */
    bool is_known;
    bool is_given;           /* `place` is the user's word, the only one that is looked at */
    char authorization[512]; /* the field's value; "": none */
    char where[300];
    struct list ways; /* struct way.node */
};

/* A request on its way. It may look for a ttf first: then it is a probe at `place`, with the own request put
 * off until one has answered. */
struct way {
    struct list node;
    struct agent_api *api;
    struct ask *ask; /* NULL: cancelled, or answered */
    struct agent_api_place place;
    struct local_client *client;
    struct local_request *local;
    struct timer deadline;
    struct task next; /* a client is not freed from within its events */
    struct buf target, body, answer;
    char ids[4096];
    int status;
    enum { STEP_PROBE, STEP_ASK, STEP_OVER } step;
    bool may_look_again, at_line_start;
};

/* ---- URLs ---- */

const char *agent_api_parse(const char *url, struct agent_api_place *ret_place) {
    struct view rest = view_from_cstr(url);
    uint64_t port = INSPECT_DEFAULT_PORT;
    *ret_place = (struct agent_api_place){0};
    if (!view_starts_with(rest, VIEW("http://"))) return "it begins with http://";
    rest = view_skip(rest, VIEW("http://").len);
    rest = view_slice(rest, 0, strcspn(rest.ptr, "/?#"));
    size_t colon = view_find_last(rest, ':');
    struct view host = view_slice(rest, 0, colon);
    if (view_ends_with(rest, VIEW("]"))) host = rest, colon = rest.len;
    if (colon < rest.len &&
        (!view_parse_u64(view_skip(rest, colon + 1), &port) || !port || port > UINT16_MAX))
        return "its port is a number from 1 to 65535";
    if (view_starts_with(host, VIEW("[")) && view_ends_with(host, VIEW("]")))
        host = view_slice(host, 1, host.len - 1);
    ret_place->port = (uint16_t)port;
    if (view_find(host, '[') < host.len || view_find(host, ']') < host.len) host.len = 0;
    return host.len && view_copy_to(host, ret_place->host, sizeof(ret_place->host)) ? NULL
                                                                                    : "it names no host";
}

/* ---- life ---- */

static void set_password(struct agent_api *api, const char *password) {
    char plain[256], coded[400];
    int len = snprintf(plain, sizeof(plain), GUARD_USER ":%s", password);
    if (!*password || !api->is_given || len < 0 || (size_t)len >= sizeof(plain)) return;
    coded[base64_encode(view_of(plain, (size_t)len), coded)] = '\0';
    snprintf(api->authorization, sizeof(api->authorization), "Basic %s", coded);
    explicit_bzero(plain, sizeof(plain));
    explicit_bzero(coded, sizeof(coded));
}

struct agent_api *agent_api_new(struct loop *loop, const struct agent_api_place *place,
                                const char *password) {
    struct agent_api *api = calloc(1, sizeof(*api));
    if (!api) return NULL;
    api->loop = loop;
    api->place = *place;
    api->is_given = place->host[0] != '\0';
    list_init(&api->ways);
    set_password(api, password);
    return api;
}

static void drop_client(struct way *way) {
    if (way->client) local_client_shut(way->client);
    local_client_free(way->client);
    way->client = NULL;
    way->local = NULL;
}

static void way_free(struct way *way) {
    timer_stop(&way->api->loop->timers, &way->deadline);
    task_cancel(&way->next);
    list_remove(&way->node);
    if (way->local) local_request_cancel(way->local);
    drop_client(way);
    buf_done(&way->target);
    buf_done(&way->body);
    buf_done(&way->answer);
    if (way->ask) way->ask->way = NULL;
    free(way);
}

void agent_api_free(struct agent_api *api) {
    if (!api) return;
    while (!list_empty(&api->ways)) way_free(LIST_ENTRY(api->ways.next, struct way, node));
    explicit_bzero(api->authorization, sizeof(api->authorization));
    free(api);
}

/* ---- answers ---- */

/* From now on it is only buried. */
static void answer(struct way *way, int status, struct view body) {
    struct ask *ask = way->ask;
    struct ask_answer said = {.status = status, .body = body, .ids = view_from_cstr(way->ids)};
    way->step = STEP_OVER;
    way->ask = NULL;
    timer_stop(&way->api->loop->timers, &way->deadline);
    tasks_post(&way->api->loop->tasks, &way->next);
    if (!ask) return;
    ask->way = NULL;
    ask->on_answer(ask, &said);
}

static void fail(struct way *way, const char *why) {
    answer(way, 0, view_from_cstr(why));
}

static void say_none(struct way *way) {
    const struct agent_api *api = way->api;
    char text[500];
    if (api->is_given)
        snprintf(text, sizeof(text),
                 "no ttf answers at %.255s, port %u: does it run, and with its inspector there?",
                 api->place.host, api->place.port);
    else
        snprintf(text, sizeof(text),
                 "no ttf with an inspector runs on this machine (looked at 127.0.0.1, ports %u to %u). Start "
                 "one, as: ttf 3000",
                 INSPECT_DEFAULT_PORT, LAST_PORT);
    fail(way, text);
}

/* ---- steps ---- */

static void found(struct way *way) {
    way->api->place = way->place;
    way->api->is_known = true;
    way->step = STEP_ASK;
}

/* What answers /api/status as a ttf does. ngrok's agent listens at the same ports. */
static bool is_ttf(struct view body) {
    return body.len && memmem(body.ptr, body.len, "\"inspect_bytes_max\"", 19);
}

static void look_again(struct way *way) {
    way->may_look_again = false;
    way->api->is_known = false;
    if (!way->api->is_given)
        way->place = (struct agent_api_place){.host = "127.0.0.1", .port = INSPECT_DEFAULT_PORT};
    way->step = STEP_PROBE;
}

static bool is_last_place(const struct way *way) {
    return way->api->is_given || way->place.port == LAST_PORT;
}

static void probe_ended(struct way *way) {
    bool is_here = (way->status == 200 && is_ttf(buf_view(&way->answer))) || way->status == 401;
    if (!is_here && is_last_place(way)) {
        say_none(way);
        return;
    }
    if (is_here)
        found(way);
    else
        way->place.port++;
    tasks_post(&way->api->loop->tasks, &way->next);
}

static void ask_ended(struct way *way, enum local_error error) {
    bool is_whole = error == LOCAL_OK && !way->answer.failed;
    if (is_whole) {
        answer(way, way->status, buf_view(&way->answer));
    } else if (error != LOCAL_UNAVAILABLE) {
        fail(way, way->answer.failed ? "ttf's answer is too large" : "ttf ended before it had answered");
    } else if (way->may_look_again) {
        look_again(way);
        tasks_post(&way->api->loop->tasks, &way->next);
    } else {
        say_none(way);
    }
}

static void ended(struct way *way, enum local_error error) {
    way->local = NULL;
    if (way->step == STEP_PROBE)
        probe_ended(way);
    else if (way->step == STEP_ASK)
        ask_ended(way, error);
}

/* ---- events of the client ---- */

static void on_head(void *ctx, int status, const struct headers *headers) {
    struct way *way = ctx;
    way->status = status;
    view_copy_to(headers_get(headers, VIEW("x-inspect-ids")), way->ids, sizeof(way->ids));
}

/* Each event is one line "data: …"; other lines keep the connection alive. False: the asker has gone. */
static void tell_events(struct way *way, struct view data) {
    for (size_t i = 0; i < data.len && way->ask; i++) {
        bool is_event = way->at_line_start && data.ptr[i] == 'd';
        way->at_line_start = data.ptr[i] == '\n';
        if (is_event) way->ask->on_event(way->ask);
    }
}

static void on_data(void *ctx, struct view data) {
    struct way *way = ctx;
    if (way->step == STEP_ASK && way->status == 200 && way->ask && way->ask->on_event)
        tell_events(way, data);
    else
        buf_append_view(&way->answer, data);
}

static void on_end(void *ctx, enum local_error error, const char *detail) {
    (void)detail;
    ended(ctx, error);
}

static void on_deadline(struct timer *timer) {
    struct way *way = LIST_ENTRY(timer, struct way, deadline);
    if (way->local) local_request_cancel(way->local);
    way->local = NULL;
    if (way->step == STEP_PROBE)
        probe_ended(way);
    else
        fail(way, "ttf does not answer");
}

/* ---- sending ---- */

static bool add_fields(const struct way *way, struct headers *fields) {
    char host[300];
    bool is_v6 = strchr(way->place.host, ':') != NULL, good = true;
    snprintf(host, sizeof(host), "%s%s%s:%u", is_v6 ? "[" : "", way->place.host, is_v6 ? "]" : "",
             way->place.port);
    if (way->body.len) good = headers_add(fields, VIEW("content-type"), VIEW("application/json"));
    if (way->api->authorization[0])
        good &= headers_add(fields, VIEW("authorization"), view_from_cstr(way->api->authorization));
    return good && headers_add(fields, VIEW("host"), view_from_cstr(host));
}

static bool start_local(struct way *way, struct headers *fields) {
    static const struct local_events events = {.on_head = on_head, .on_data = on_data, .on_end = on_end};
    bool is_probe = way->step == STEP_PROBE, has_body = !is_probe && way->body.len;
    struct local_head head = {.method = VIEW("GET"),
                              .target = VIEW("/api/status"),
                              .headers = fields,
                              .body_bytes = has_body ? (int64_t)way->body.len : LOCAL_BODY_NONE};
    if (!is_probe) {
        head.method = view_from_cstr(way->ask->method);
        head.target = buf_view(&way->target);
    }
    way->local = local_request_start(way->client, &head, &events, way);
    if (!way->local || !has_body) return way->local != NULL;
    if (!local_request_body(way->local, buf_view(&way->body))) return false;
    local_request_body_end(way->local);
    return true;
}

static bool send_it(struct way *way) {
    struct local_target target = {.host = way->place.host, .port = way->place.port};
    struct timers *timers = &way->api->loop->timers;
    bool follows = way->step == STEP_ASK && way->ask->on_event;
    struct arena arena;
    struct headers fields;
    arena_init(&arena, 4096);
    headers_init(&fields, &arena);
    drop_client(way);
    buf_clear(&way->answer);
    way->status = 0;
    way->at_line_start = true;
    way->client = local_client_new(way->api->loop, &target, way->step == STEP_PROBE ? PROBE_MS : CONNECT_MS);
    bool good = way->client && add_fields(way, &fields) && start_local(way, &fields);
    if (follows)
        timer_stop(timers, &way->deadline);
    else
        good = timer_start(timers, &way->deadline, way->step == STEP_PROBE ? PROBE_MS : WHOLE_MS) && good;
    arena_done(&arena);
    return good;
}

static void on_next(struct task *task) {
    struct way *way = LIST_ENTRY(task, struct way, next);
    if (way->step == STEP_OVER)
        way_free(way);
    else if (!send_it(way))
        fail(way, "out of memory");
}

/* ---- the port ---- */

static bool start(void *ctx, struct ask *ask) {
    struct agent_api *api = ctx;
    struct way *way = calloc(1, sizeof(*way));
    if (!way) return false;
    *way =
        (struct way){.api = api, .ask = ask, .place = api->place, .step = STEP_ASK, .may_look_again = true};
    list_append(&api->ways, &way->node);
    timer_init(&way->deadline, on_deadline);
    task_init(&way->next, on_next);
    buf_init(&way->target, REQUEST_MAX);
    buf_init(&way->body, REQUEST_MAX);
    buf_init(&way->answer, BODY_MAX);
    ask->way = way;
    if (!api->is_known) look_again(way);
    if (buf_append_view(&way->target, ask->target) && buf_append_view(&way->body, ask->body)) {
        tasks_post(&api->loop->tasks, &way->next);
        return true;
    }
    way_free(way);
    return false;
}

static void cancel(void *ctx, struct ask *ask) {
    struct way *way = ask->way;
    (void)ctx;
    if (!way) return;
    if (way->local) local_request_cancel(way->local);
    way->local = NULL;
    way->ask = NULL;
    ask->way = NULL;
    way->step = STEP_OVER;
    tasks_post(&way->api->loop->tasks, &way->next);
}

static const char *where(void *ctx) {
    struct agent_api *api = ctx;
    bool is_v6 = strchr(api->place.host, ':') != NULL;
    if (!api->is_known) return "";
    snprintf(api->where, sizeof(api->where), "http://%s%s%s:%u", is_v6 ? "[" : "", api->place.host,
             is_v6 ? "]" : "", api->place.port);
    return api->where;
}

struct asker agent_api_asker(struct agent_api *api) {
    return (struct asker){.ctx = api, .start = start, .cancel = cancel, .where = where};
}
