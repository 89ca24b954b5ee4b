/* libFuzzer target: ttf mcp, without its pipes. A line of the input is one of the client's; or, behind '>',
 * what the agent's API answers ("200 12,13 BODY") to what was asked first; '!' is one of its events; '~' lets
 * ten seconds pass. Whatever comes, all that is said are whole messages of JSON-RPC. */
#include <jansson.h>

#include "fuzz.h"
#include "mcp/session.h"

#define ASKS_MAX 128

static struct {
    struct ask *list[ASKS_MAX];
    size_t count;
    uint64_t now_ms;
} world;

static uint64_t now_ms(void *ctx) {
    (void)ctx;
    return world.now_ms;
}

static void say(void *ctx, struct view line) {
    (void)ctx;
    require(line.len > 1 && view_find(line, '\n') == line.len - 1);
    json_t *message = json_loadb(line.ptr, line.len, JSON_ALLOW_NUL, NULL);
    require(json_is_object(message) && json_is_string(json_object_get(message, "jsonrpc")));
    json_t *method = json_object_get(message, "method");
    require(method || json_object_get(message, "id"));
    require(!method == (json_object_get(message, "result") || json_object_get(message, "error")));
    json_decref(message);
}

static void on_idle(void *ctx) {
    (void)ctx;
}

static bool start(void *ctx, struct ask *ask) {
    (void)ctx;
    require(ask->target.len && ask->target.ptr[0] == '/' && !ask->way);
    for (size_t i = 0; i < ask->target.len; i++) require(ask->target.ptr[i] > ' ');
    if (world.count == ASKS_MAX) return false;
    world.list[world.count++] = ask;
    ask->way = ask;
    return true;
}

static void forget(size_t at) {
    world.list[at]->way = NULL;
    memmove(&world.list[at], &world.list[at + 1], (--world.count - at) * sizeof(world.list[0]));
}

static void cancel(void *ctx, struct ask *ask) {
    (void)ctx;
    for (size_t i = 0; ask->way && i < world.count; i++)
        if (world.list[i] == ask) forget(i);
}

static const char *where(void *ctx) {
    (void)ctx;
    return "http://127.0.0.1:4040";
}

static void answer_first(struct view line) {
    struct view status = {0}, ids = {0};
    uint64_t number = 0;
    if (!world.count) return;
    view_split(&line, ' ', &status);
    view_split(&line, ' ', &ids);
    view_parse_u64(status, &number);
    struct ask *ask = world.list[0];
    char *body = exact_copy(line);
    forget(0);
    ask->on_answer(ask, &(struct ask_answer){
                            .status = (int)(number % 1000), .body = view_of(body, line.len), .ids = ids});
    free(body);
}

static void tell_events(void) {
    for (size_t i = 0; i < world.count; i++)
        if (world.list[i]->on_event) {
            world.list[i]->on_event(world.list[i]);
            return;
        }
}

static void take(struct session *session, struct timers *timers, struct view line) {
    if (view_starts_with(line, VIEW(">"))) {
        answer_first(view_skip(line, 1));
    } else if (view_starts_with(line, VIEW("!"))) {
        tell_events();
    } else if (view_starts_with(line, VIEW("~"))) {
        world.now_ms += 10000;
        timers_run(timers);
    } else {
        char *copy = exact_copy(line);
        session_line(session, view_of(copy, line.len));
        free(copy);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct timers timers;
    struct view rest = view_of(data, size);
    world.count = 0;
    timers_init(&timers, now_ms, NULL, NULL);
    struct session_port port = {.say = say,
                                .on_idle = on_idle,
                                .asker = {.start = start, .cancel = cancel, .where = where},
                                .timers = &timers};
    struct session *session = session_new(&port);
    require(session != NULL);
    session_line(session, VIEW("{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":"
                               "{\"protocolVersion\":\"2025-06-18\"}}"));
    while (rest.ptr) take(session, &timers, take_line(&rest));
    session_input_ended(session);
    session_free(session);
    require(world.count == 0);
    timers_done(&timers);
    return 0;
}
