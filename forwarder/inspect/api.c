/* The agent's API, in the shapes of ngrok's, so that what was written for that runs here; and what the page
 * asks besides (/api/inspect/). page/openapi.json describes it. */
#include <jansson.h>
#include <stdlib.h>

#include "base/base64.h"
#include "inspect/filter.h"
#include "inspect/inspect_state.h"
#include "protocol/json_text.h"

#define ENOUGH_BYTES ((size_t)16 * 1024 * 1024) /* no further record is put into a list */
#define LIMIT_DEFAULT 50u
#define LIMIT_MAX 1000u
#define TOO_MUCH_UNREAD "answers wait to be read; ask again when they have been"
#define TIMES_MAX REPLAYS_MAX

enum MHD_Result api_answer_nothing(struct MHD_Connection *connection) {
    struct buf out;
    buf_init(&out, 1);
    return inspect_answer(connection, MHD_HTTP_NO_CONTENT, API_JSON, &out);
}

static const char *text_of(const json_t *body, const char *key) {
    return json_string_value(json_object_get(body, key));
}

/* ---- requests ---- */

static const char *parameter(void *ctx, const char *name) {
    return MHD_lookup_connection_value(ctx, MHD_GET_ARGUMENT_KIND, name);
}

static unsigned limit_of(struct MHD_Connection *connection) {
    uint64_t limit;
    struct view text = view_from_cstr(parameter(connection, "limit"));
    if (!view_parse_u64(text, &limit)) return LIMIT_DEFAULT;
    return limit > LIMIT_MAX ? LIMIT_MAX : (unsigned)limit;
}

typedef void add_record_fn(const struct inspect *inspect, const struct store_record *record, struct buf *out);

/* The newest first. */
static enum MHD_Result list_requests(struct inspect *inspect, struct MHD_Connection *connection,
                                     const char *uri, add_record_fn *add_record) {
    const struct store *store = &inspect->store;
    unsigned limit = limit_of(connection), count = 0;
    struct filter filter;
    struct buf out;
    const char *wrong = filter_parse(&filter, parameter, connection);
    if (wrong) return inspect_refuse(connection, MHD_HTTP_BAD_REQUEST, wrong);
    if (inspect_is_unread(inspect))
        return inspect_refuse(connection, MHD_HTTP_SERVICE_UNAVAILABLE, TOO_MUCH_UNREAD);
    buf_init(&out, API_ANSWER_MAX);
    buf_printf(&out, "{\"uri\":\"%s\",\"requests\":[", uri);
    for (uint64_t id = store->next; id-- > store->first && count < limit && out.len < ENOUGH_BYTES;) {
        const struct store_record *record = store_find(store, id);
        if (!record || !filter_takes(&filter, record)) continue;
        if (count++) buf_append_byte(&out, ',');
        add_record(inspect, record, &out);
    }
    buf_printf(&out, "],\"total\":%llu,\"bytes\":%zu}\n", (unsigned long long)store->total, store->bytes);
    return inspect_answer_large(inspect, connection, &out);
}

static const struct store_record *record_of(const struct inspect *inspect, struct view id) {
    uint64_t number;
    return view_parse_u64(id, &number) ? store_find(&inspect->store, number) : NULL;
}

static enum MHD_Result on_record(struct inspect *inspect, struct MHD_Connection *connection, struct view id) {
    const struct store_record *record = record_of(inspect, id);
    struct buf out;
    if (!record) return inspect_refuse(connection, MHD_HTTP_NOT_FOUND, "there is no such request (any more)");
    if (inspect_is_unread(inspect))
        return inspect_refuse(connection, MHD_HTTP_SERVICE_UNAVAILABLE, TOO_MUCH_UNREAD);
    buf_init(&out, API_ANSWER_MAX);
    record_json_decoded(inspect, record, &out);
    return inspect_answer_large(inspect, connection, &out);
}

/* ---- replay ---- */

/* What is asked beyond ngrok's `id` and `tunnel_name`. */
struct wish {
    struct replay_order order;
    struct inspect_tunnel tunnel;
    struct arena arena;
    struct headers headers;
    unsigned times;
};

static bool read_fields(struct wish *wish, const json_t *fields) {
    size_t i;
    const json_t *pair;
    if (!fields) return true;
    headers_init(&wish->headers, &wish->arena);
    json_array_foreach(fields, i, pair) {
        const char *name = json_string_value(json_array_get(pair, 0));
        const char *value = json_string_value(json_array_get(pair, 1));
        if (!name || !value || !headers_add(&wish->headers, view_from_cstr(name), view_from_cstr(value)))
            return false;
    }
    wish->order.headers = &wish->headers;
    return json_is_array(fields);
}

static bool read_body(struct wish *wish, const char *text) {
    struct view encoded = view_from_cstr(text);
    size_t len;
    if (!text) return true;
    char *room = arena_alloc(&wish->arena, base64_decoded_max(encoded.len) + 1);
    if (!room || !base64_decode(encoded, room, &len)) return false;
    wish->order.body = view_of(room, len);
    return true;
}

/* NULL, or what is wrong with it. */
static const char *read_wish(struct wish *wish, const json_t *body) {
    const json_t *port = json_object_get(body, "port"), *times = json_object_get(body, "times");
    json_int_t number = port ? json_integer_value(port) : 0, count = times ? json_integer_value(times) : 1;
    wish->order.method = view_from_cstr(text_of(body, "method"));
    wish->order.target_path = view_from_cstr(text_of(body, "uri"));
    wish->order.target = &wish->tunnel.target;
    wish->times = (unsigned)count;
    if (port && (number < 1 || number > UINT16_MAX)) return "port is a number from 1 to 65535";
    if (count < 1 || count > (json_int_t)TIMES_MAX) return "times is a number from 1 to 100";
    if (!read_fields(wish, json_object_get(body, "headers"))) return "headers is a list of [name, value]";
    if (!read_body(wish, text_of(body, "body"))) return "body is base64";
    if (!port) return NULL;
    wish->tunnel.target.port = (uint16_t)number;
    wish->tunnel.target.unix_path = NULL;
    wish->tunnel.target.dialler = (struct local_dialler){0};
    return NULL;
}

static enum MHD_Result say_ids(struct MHD_Connection *connection, const uint64_t ids[], unsigned count) {
    struct buf text;
    buf_init(&text, 4096);
    for (unsigned i = 0; i < count; i++)
        buf_printf(&text, "%s%llu", i ? "," : "", (unsigned long long)ids[i]);
    buf_append_byte(&text, '\0');
    struct MHD_Response *response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result queued = MHD_NO;
    if (response && !text.failed && MHD_add_response_header(response, "X-Inspect-Ids", buf_view(&text).ptr))
        queued = MHD_queue_response(connection, MHD_HTTP_NO_CONTENT, response);
    if (response) MHD_destroy_response(response);
    buf_done(&text);
    return queued;
}

static enum MHD_Result repeat(struct inspect *inspect, struct MHD_Connection *connection, struct wish *wish) {
    uint64_t ids[TIMES_MAX];
    unsigned done = 0;
    while (done < wish->times && (ids[done] = replay_start(inspect, &wish->order))) done++;
    if (!done)
        return inspect_refuse(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "too many requests are under way");
    return say_ids(connection, ids, done);
}

static enum MHD_Result replay(struct inspect *inspect, struct MHD_Connection *connection,
                              const json_t *body) {
    const char *id = text_of(body, "id"), *name = text_of(body, "tunnel_name");
    const struct store_record *record = id ? record_of(inspect, view_from_cstr(id)) : NULL;
    struct wish wish = {.order.record = record};
    const void *cursor;
    if (!record) return inspect_refuse(connection, MHD_HTTP_NOT_FOUND, "there is no such request (any more)");
    struct view tunnel = name                 ? view_from_cstr(name)
                         : record->tunnel.len ? record->tunnel
                                              : VIEW(INSPECT_ONLY_TUNNEL);
    if (!api_find_tunnel(inspect, tunnel, &cursor, &wish.tunnel))
        return inspect_refuse(connection, MHD_HTTP_NOT_FOUND, "there is no such tunnel");
    arena_init(&wish.arena, 4 * INSPECT_BODY_MAX);
    const char *wrong = read_wish(&wish, body);
    if (!wrong && !wish.order.body.ptr && !store_can_be_repeated(record))
        wrong = "it cannot be repeated: it runs still, or switched protocols, or its body is not kept whole";
    store_hold(&inspect->store, record->id);
    enum MHD_Result queued =
        wrong ? inspect_refuse(connection, MHD_HTTP_BAD_REQUEST, wrong) : repeat(inspect, connection, &wish);
    store_let_go(&inspect->store);
    arena_done(&wish.arena);
    return queued;
}

/* ---- what there is ---- */

/* As ngrok says it of its session with the gateway; the numbers are ours. */
static enum MHD_Result answer_status(const struct inspect *inspect, struct MHD_Connection *connection) {
    const void *cursor = NULL;
    struct inspect_tunnel tunnel;
    size_t count = 0, up = 0;
    struct buf out;
    for (; inspect->tunnels.next && inspect->tunnels.next(inspect->tunnels.ctx, &cursor, &tunnel); count++)
        up += tunnel.is_up;
    buf_init(&out, 4096);
    buf_printf(&out,
               "{\"status\":\"%s\",\"agent_version\":\"" TTF_VERSION
               "\",\"uri\":\"/api/status\",\"tunnels\":%zu,\"tunnels_up\":%zu,",
               up ? "online" : "reconnecting", count, up);
    buf_printf(&out, "\"requests\":%llu,\"inspect_bytes\":%zu,\"inspect_bytes_max\":%zu}\n",
               (unsigned long long)inspect->store.total, inspect->store.bytes, inspect->store.max_bytes);
    return inspect_answer(connection, MHD_HTTP_OK, API_JSON, &out);
}

static enum MHD_Result answer_get(struct inspect *inspect, struct MHD_Connection *connection,
                                  const char *path) {
    if (strcmp(path, "/api/status") == 0) return answer_status(inspect, connection);
    if (strcmp(path, "/api/requests/http") == 0) return list_requests(inspect, connection, path, record_json);
    if (strcmp(path, "/api/inspect/requests") == 0)
        return list_requests(inspect, connection, path, record_json_line);
    return inspect_refuse(connection, MHD_HTTP_NOT_FOUND, "the API has no such path");
}

static enum MHD_Result answer_post(struct inspect *inspect, struct MHD_Connection *connection,
                                   const char *path, struct view text) {
    if (strcmp(path, "/api/requests/http") != 0)
        return inspect_refuse(connection, MHD_HTTP_NOT_FOUND, "the API has no such path");
    json_t *body = json_loadb(text.ptr ? text.ptr : "", text.len, JSON_REJECT_DUPLICATES, NULL);
    enum MHD_Result queued =
        json_is_object(body) ? replay(inspect, connection, body)
                             : inspect_refuse(connection, MHD_HTTP_BAD_REQUEST, "the body is no JSON object");
    json_decref(body);
    return queued;
}

enum MHD_Result api_answer(struct inspect *inspect, struct MHD_Connection *connection, const char *method,
                           const char *path, struct ask *ask) {
    struct view rest = view_from_cstr(path);
    if (strcmp(method, "HEAD") == 0) method = "GET";
    if (tunnels_are_meant(path)) return tunnels_answer(inspect, connection, method, path, ask);
    if (view_starts_with(rest, VIEW("/api/requests/http/")) && strcmp(method, "GET") == 0)
        return on_record(inspect, connection, view_skip(rest, VIEW("/api/requests/http/").len));
    if (strcmp(method, "GET") == 0) return answer_get(inspect, connection, path);
    if (strcmp(method, "POST") == 0) return answer_post(inspect, connection, path, buf_view(&ask->body));
    if (strcmp(path, "/api/requests/http") != 0)
        return inspect_refuse(connection, MHD_HTTP_NOT_FOUND, "the API has no such path to delete");
    store_clear(&inspect->store);
    follow_tell(inspect);
    return api_answer_nothing(connection);
}
