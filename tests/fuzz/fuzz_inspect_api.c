/* libFuzzer target: the agent's API of ttf, with its server's functions played here. The input is a request
 * ("POST /api/tunnels?limit=1", and its body behind the line's end), and also what the inspector has
 * recorded. Whatever is asked, there is one answer, and where it has a body, that is JSON. */
#include <jansson.h>
#include <stdio.h>

#include "fuzz.h"
#include "inspect/inspect_state.h"
#include "service_word.h"

#define VALUES_MAX 16

static struct {
    char *names[VALUES_MAX], *values[VALUES_MAX];
    size_t count, answers;
} asked;

/* ---- the server ---- */

const char *MHD_lookup_connection_value(struct MHD_Connection *connection, enum MHD_ValueKind kind,
                                        const char *name) {
    (void)connection, (void)kind;
    for (size_t i = 0; i < asked.count; i++)
        if (strcmp(asked.names[i], name) == 0) return asked.values[i];
    return NULL;
}

struct MHD_Response *MHD_create_response_from_buffer(size_t size, void *bytes,
                                                     enum MHD_ResponseMemoryMode mode) {
    static char response;
    (void)size, (void)bytes, (void)mode;
    return (struct MHD_Response *)(void *)&response;
}

enum MHD_Result MHD_add_response_header(struct MHD_Response *response, const char *name, const char *value) {
    (void)response;
    require(name && value && !strpbrk(value, "\r\n"));
    return MHD_YES;
}

enum MHD_Result MHD_queue_response(struct MHD_Connection *connection, unsigned status,
                                   struct MHD_Response *response) {
    (void)connection, (void)response;
    require(status == MHD_HTTP_NO_CONTENT);
    asked.answers++;
    return MHD_YES;
}

void MHD_destroy_response(struct MHD_Response *response) {
    (void)response;
}

enum MHD_Result inspect_answer(struct MHD_Connection *connection, unsigned status, const char *type,
                               struct buf *body) {
    struct view text = buf_view(body);
    (void)connection, (void)type;
    require(status >= 200 && status < 600 && !body->failed);
    if (text.len) {
        json_t *json = json_loadb(text.ptr, text.len, JSON_ALLOW_NUL, NULL);
        require(json != NULL);
        json_decref(json);
    }
    buf_done(body);
    asked.answers++;
    return MHD_YES;
}

enum MHD_Result inspect_answer_large(struct inspect *inspect, struct MHD_Connection *connection,
                                     struct buf *body) {
    (void)inspect;
    return inspect_answer(connection, MHD_HTTP_OK, API_JSON, body);
}

bool inspect_is_unread(const struct inspect *inspect) {
    (void)inspect;
    return false;
}

/* What is awaited has always come. */
enum MHD_Result inspect_hold(struct ask *ask, uint64_t most_ms, bool (*is_over)(void *ask)) {
    (void)most_ms;
    require(is_over(ask) && !ask->is_held);
    ask->is_held = true;
    return MHD_YES;
}

enum MHD_Result inspect_refuse(struct MHD_Connection *connection, unsigned status, const char *why) {
    (void)connection;
    require(status >= 400 && status < 600 && *why);
    asked.answers++;
    return MHD_YES;
}

/* ---- what the API asks ---- */

uint64_t uv_now(const uv_loop_t *loop) {
    (void)loop;
    return 10;
}

void follow_tell(struct inspect *inspect) {
    (void)inspect;
}

uint64_t replay_start(struct inspect *inspect, const struct replay_order *order) {
    (void)inspect;
    require(order->record && order->target && order->target->host);
    for (size_t i = 0; order->headers && i < order->headers->count; i++)
        require(order->headers->fields[i].name.ptr != NULL);
    return 1;
}

static bool next(void *ctx, const void **cursor, struct inspect_tunnel *ret_tunnel) {
    static const char places[2];
    const char *at = *cursor ? (const char *)*cursor + 1 : places;
    if (at == places + 2) return false;
    *cursor = at;
    *ret_tunnel =
        (struct inspect_tunnel){.name = at == places ? "command_line" : ctx,
                                .label = at == places ? NULL : ctx,
                                .public_url = at == places ? "https://web.localhost" : "http://web.localhost",
                                .service = "localhost:3000",
                                .target = {.host = "localhost", .port = 3000}};
    if (at == places) strcpy(ret_tunnel->service, "unix:/run/web.sock");
    return true;
}

static bool add(void *ctx, const struct inspect_wish *wish, char *error, size_t error_size) {
    struct service_word word;
    (void)ctx;
    require(wish->label && wish->service);
    const char *wrong = service_word_parse(wish->service, &word);
    snprintf(error, error_size, "%s", wrong ? wrong : "no");
    return !wrong && strcmp(wish->label, "web") == 0;
}

static void remove_tunnel(void *ctx, const void *cursor) {
    (void)ctx;
    require(cursor != NULL);
}

/* ---- one input ---- */

static char *text_copy(struct view v) {
    char *copy = view_to_cstr(v);
    require(copy != NULL);
    return copy;
}

static void take_query(struct view query) {
    struct view piece;
    for (asked.count = 0; asked.count < VALUES_MAX && view_split(&query, '&', &piece); asked.count++) {
        size_t equals = view_find(piece, '=');
        asked.names[asked.count] = text_copy(view_slice(piece, 0, equals));
        asked.values[asked.count] = equals < piece.len ? text_copy(view_skip(piece, equals + 1)) : NULL;
    }
}

/* The first is whole, the second is coded and has a name twice, the third has not ended. */
static void record(struct inspect *inspect, struct view target, struct view body, int which) {
    struct arena arena;
    struct headers fields;
    arena_init(&arena, 65536);
    headers_init(&fields, &arena);
    headers_add(&fields, VIEW("x-forwarded-for"), body);
    headers_add(&fields, VIEW("x-target"), target);
    if (which == 1) headers_add(&fields, VIEW("content-encoding"), VIEW("gzip"));
    if (which == 1) headers_add(&fields, VIEW("x-target"), VIEW("again"));
    if (which)
        headers_add(&fields,
                    VIEW("-0-a-name-of-more-bytes-than-a-line-has-room-for-0123456789-0123456789-0123456789-"
                         "0123456789-0123456789-0123456789-0123456789"),
                    body);
    struct watch_request request = {.tunnel = which < 2 ? "web" : NULL,
                                    .method = VIEW("POST"),
                                    .target = target,
                                    .headers = &fields,
                                    .body_bytes = -2};
    uint64_t id = store_request(&inspect->store, &request, 1000, 1);
    struct watch_end end = {.status = 200, .code = which ? NULL : "odd", .detail = which ? NULL : "more"};
    traffic_begin(&inspect->traffic, &request, 1);
    traffic_end(&inspect->traffic, &end);
    store_request_body(&inspect->store, id, body);
    if (which == 2) {
        arena_done(&arena);
        return;
    }
    store_answer(&inspect->store, id, 404, &fields, 2);
    store_answer_body(&inspect->store, id, target);
    store_end(&inspect->store, id, &end, 3);
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct loop loop;
    struct inspect inspect = {.loop = &loop,
                              .tunnels = {.ctx = "web", .next = next, .add = add, .remove = remove_tunnel}};
    struct view rest = view_of(data, size), line = take_line(&rest), method, target = line;
    if (!view_split(&target, ' ', &method) || !target.ptr) return 0;
    size_t question = view_find(target, '?');
    char *words[2] = {text_copy(method), text_copy(view_slice(target, 0, question))};
    struct ask ask = {.inspect = &inspect};
    buf_init(&ask.body, INSPECT_BODY_MAX);
    buf_append_view(&ask.body, rest);
    traffic_init(&inspect.traffic);
    store_init(&inspect.store, STORE_BYTES_LEAST);
    for (int i = 0; i < 3; i++) record(&inspect, i < 2 ? view_slice(target, 0, question) : target, rest, i);
    take_query(view_skip(target, question + 1));
    asked.answers = 0;
    enum MHD_Result queued = api_answer(&inspect, NULL, words[0], words[1], &ask);
    if (ask.is_held) queued = api_answer(&inspect, NULL, words[0], words[1], &ask);
    require(queued == MHD_NO || asked.answers == 1);
    for (size_t i = 0; i < asked.count; i++) {
        free(asked.names[i]);
        free(asked.values[i]);
    }
    store_done(&inspect.store);
    traffic_done(&inspect.traffic);
    buf_done(&ask.body);
    free(words[0]);
    free(words[1]);
    return 0;
}
