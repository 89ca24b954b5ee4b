/* Tunnels in the agent's API: as `tunnels`, and as `endpoints`, which ngrok's third version calls them. Both
 * are the same, in two shapes. */
#include <jansson.h>

#include "inspect/inspect_state.h"
#include "protocol/json_text.h"

#define WAIT_MS 3500u /* for a URL; who asks from Python gives up after 4 s */
#define LABEL_MAX 63

struct shape {
    struct view path; /* of the list */
    const char *list;
    void (*add)(const struct inspect_tunnel *tunnel, const char *upstream, struct buf *out);
};

bool api_find_tunnel(const struct inspect *inspect, struct view name, const void **ret_cursor,
                     struct inspect_tunnel *ret_tunnel) {
    const struct inspect_tunnels *tunnels = &inspect->tunnels;
    *ret_cursor = NULL;
    while (tunnels->next && tunnels->next(tunnels->ctx, ret_cursor, ret_tunnel))
        if (view_eq(view_from_cstr(ret_tunnel->name), name)) return true;
    return false;
}

/* ---- what is said of one ---- */

static void add_text(struct buf *out, const char *key, const char *text) {
    buf_printf(out, ",\"%s\":", key);
    json_text_string(out, view_from_cstr(text));
}

static const char *url_of(const struct inspect_tunnel *tunnel) {
    return tunnel->public_url ? tunnel->public_url : "";
}

static void add_tunnel_shape(const struct inspect_tunnel *tunnel, const char *upstream, struct buf *out) {
    add_text(out, "ID", tunnel->name);
    add_text(out, "public_url", url_of(tunnel));
    add_text(out, "proto", strncmp(url_of(tunnel), "https:", 6) == 0 ? "https" : "http");
    buf_printf(out, ",\"config\":{\"inspect\":true");
    add_text(out, "addr", upstream);
    buf_append_byte(out, '}');
}

static void add_endpoint_shape(const struct inspect_tunnel *tunnel, const char *upstream, struct buf *out) {
    add_text(out, "id", tunnel->name);
    add_text(out, "url", url_of(tunnel));
    buf_printf(out, ",\"upstream\":{\"protocol\":\"http1\"");
    add_text(out, "url", upstream);
    buf_append_byte(out, '}');
}

static const struct shape shapes[] = {
    {{"/api/tunnels", 12}, "tunnels", add_tunnel_shape},
    {{"/api/endpoints", 14}, "endpoints", add_endpoint_shape},
};

/* Times in nanoseconds, as ngrok's. */
static void add_figures(struct buf *out, const struct meter_figures *figures) {
    buf_printf(out, "\"count\":%llu,\"rate1\":%.9g,\"rate5\":%.9g,\"rate15\":%.9g,",
               (unsigned long long)figures->count, figures->rates[0], figures->rates[1], figures->rates[2]);
    buf_printf(out, "\"p50\":%.0f,\"p90\":%.0f,\"p95\":%.0f,\"p99\":%.0f", figures->p50_us * 1000,
               figures->p90_us * 1000, figures->p95_us * 1000, figures->p99_us * 1000);
}

static void add_metrics(const struct inspect *inspect, const char *label, struct buf *out) {
    struct traffic_tunnel *traffic = traffic_find(&inspect->traffic, label);
    struct meter_figures conns = {0}, http = {0};
    if (traffic) conns = meter_read(&traffic->conns, loop_now(inspect->loop));
    if (traffic) http = meter_read(&traffic->http, loop_now(inspect->loop));
    buf_printf(out, ",\"metrics\":{\"conns\":{\"gauge\":%llu,",
               traffic ? (unsigned long long)traffic->open : 0);
    add_figures(out, &conns);
    buf_printf(out, "},\"http\":{");
    add_figures(out, &http);
    buf_printf(out, "}}");
}

/* Or is it no address at all: a unix socket, a folder. */
static bool has_scheme(const char *service) {
    struct view text = view_from_cstr(service);
    return strstr(service, "://") || view_starts_with(text, VIEW("unix:")) ||
           view_starts_with(text, VIEW("/")) || view_starts_with(text, VIEW("the folder "));
}

static void add_one(const struct inspect *inspect, const struct inspect_tunnel *tunnel,
                    const struct shape *shape, struct buf *out) {
    char upstream[320];
    snprintf(upstream, sizeof(upstream), "%s%s", has_scheme(tunnel->service) ? "" : "http://",
             tunnel->service);
    buf_printf(out, "{\"uri\":\"%.*s/%s\"", VIEW_ARG(shape->path), tunnel->name);
    add_text(out, "name", tunnel->name);
    shape->add(tunnel, upstream, out);
    add_metrics(inspect, tunnel->label, out);
    buf_append_byte(out, '}');
}

static enum MHD_Result answer_list(const struct inspect *inspect, struct MHD_Connection *connection,
                                   const struct shape *shape) {
    const struct inspect_tunnels *tunnels = &inspect->tunnels;
    const void *cursor = NULL;
    struct inspect_tunnel tunnel;
    struct buf out;
    buf_init(&out, API_ANSWER_MAX);
    buf_printf(&out, "{\"%s\":[", shape->list);
    for (size_t i = 0; tunnels->next && tunnels->next(tunnels->ctx, &cursor, &tunnel); i++) {
        if (i) buf_append_byte(&out, ',');
        add_one(inspect, &tunnel, shape, &out);
    }
    buf_printf(&out, "],\"uri\":\"%.*s\"}\n", VIEW_ARG(shape->path));
    return inspect_answer(connection, MHD_HTTP_OK, API_JSON, &out);
}

static enum MHD_Result answer_one(const struct inspect *inspect, struct MHD_Connection *connection,
                                  unsigned status, const struct shape *shape,
                                  const struct inspect_tunnel *tunnel) {
    struct buf out;
    buf_init(&out, API_ANSWER_MAX);
    add_one(inspect, tunnel, shape, &out);
    return inspect_answer(connection, status, API_JSON, &out);
}

/* ---- one more ---- */

/* What is asked, made of what ngrok's two versions take. */
struct order {
    struct inspect_wish wish;
    char label[LABEL_MAX + 1], name[LABEL_MAX + 1], port[24];
    char *error;
    size_t error_size;
};

static bool refuse(struct order *order, const char *what, const char *why) {
    snprintf(order->error, order->error_size, "%.60s %s", what, why);
    return false;
}

static const char *text_of(const json_t *body, const char *key) {
    return json_string_value(json_object_get(body, key));
}

/* Keys beyond these ask for something that nobody would get, perhaps a lock before the door. */
static bool knows_all_keys(struct order *order, const json_t *body) {
    static const char *const known[] = {"name", "addr", "proto", "subdomain", "hostname", "domain", "url",
                                        "upstream", "basic_auth", "auth", "host_header",
                                        /* of no consequence here */
                                        "inspect", "metadata", "description", "bind_tls", "schemes",
                                        "pooling_enabled", "bindings", "type"};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)body, key, value) {
        bool is_known = false;
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]) && !is_known; i++)
            is_known = strcmp(key, known[i]) == 0;
        if (!is_known) return refuse(order, key, "is nothing that ttf knows");
    }
    return true;
}

/* Names that libraries make have the address in them: "http-http://localhost:8000-<uuid>". */
static bool take_label(struct order *order, const json_t *body) {
    const char *text = text_of(body, "name");
    if (!text) return refuse(order, "name", "is needed");
    size_t len = strlen(text);
    snprintf(order->label, sizeof(order->label), "%s", len > LABEL_MAX ? text + len - LABEL_MAX : text);
    for (char *at = order->label; *at; at++)
        if (strchr(":/[] ", *at)) *at = '-';
    order->wish.label = order->label;
    return true;
}

/* `addr` is a text or the number of a port; an endpoint's is its upstream's URL. */
static bool take_service(struct order *order, const json_t *body) {
    const json_t *addr = json_object_get(body, "addr"), *upstream = json_object_get(body, "upstream");
    const char *protocol = text_of(upstream, "protocol"), *proto = text_of(body, "proto");
    if (proto && strcmp(proto, "http") != 0 && strcmp(proto, "https") != 0)
        return refuse(order, proto, "cannot be: there are http and https only");
    if (protocol && strcmp(protocol, "http1") != 0) return refuse(order, "protocol", "can be http1 only");
    if (upstream) addr = json_object_get(upstream, "url");
    snprintf(order->port, sizeof(order->port), "%lld", (long long)json_integer_value(addr));
    order->wish.service = json_is_integer(addr) ? order->port : json_string_value(addr);
    return order->wish.service || refuse(order, "addr", "is needed: a port, host:port or URL");
}

/* `subdomain`, or the first label of a whole host, which the gateway's domain follows. */
static bool take_name(struct order *order, const json_t *body) {
    static const char *const keys[] = {"subdomain", "domain", "hostname", "url"};
    const char *text = NULL;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]) && !text; i++) text = text_of(body, keys[i]);
    struct view name = view_from_cstr(text);
    if (view_starts_with(name, VIEW("https://"))) name = view_skip(name, 8);
    if (view_starts_with(name, VIEW("http://"))) name = view_skip(name, 7);
    name = view_slice(name, 0, view_find(name, '.'));
    if (!name.len) return true;
    order->wish.name = order->name;
    return view_copy_to(name, order->name, sizeof(order->name)) || refuse(order, "subdomain", "is too long");
}

/* "user:password", or a list with it. */
static bool take_login(struct order *order, const json_t *body) {
    const json_t *login = json_object_get(body, "basic_auth");
    if (!login) login = json_object_get(body, "auth");
    if (json_is_array(login) && json_array_size(login) > 1)
        return refuse(order, "basic_auth", "can be one user:password only");
    if (json_is_array(login)) login = json_array_get(login, 0);
    order->wish.basic_auth = json_string_value(login);
    return !login || order->wish.basic_auth || refuse(order, "basic_auth", "wants user:password");
}

static bool take_order(struct order *order, const json_t *body) {
    if (!json_is_object(body)) return refuse(order, "the body", "is no JSON object");
    order->wish.host_header = text_of(body, "host_header");
    return knows_all_keys(order, body) && take_label(order, body) && take_service(order, body) &&
           take_name(order, body) && take_login(order, body);
}

/* It has a URL, or has been given up. */
static bool is_settled(void *ctx) {
    const struct ask *ask = ctx;
    const void *cursor;
    struct inspect_tunnel tunnel;
    return !api_find_tunnel(ask->inspect, view_from_cstr(ask->awaited), &cursor, &tunnel) ||
           tunnel.public_url;
}

static enum MHD_Result answer_awaited(const struct inspect *inspect, struct MHD_Connection *connection,
                                      const struct shape *shape, const char *label) {
    const void *cursor;
    struct inspect_tunnel tunnel;
    if (!api_find_tunnel(inspect, view_from_cstr(label), &cursor, &tunnel))
        return inspect_refuse(connection, MHD_HTTP_BAD_GATEWAY,
                              "the gateway refused the tunnel; the lines of ttf say why");
    if (tunnel.public_url) return answer_one(inspect, connection, MHD_HTTP_CREATED, shape, &tunnel);
    inspect->tunnels.remove(inspect->tunnels.ctx, cursor);
    return inspect_refuse(connection, MHD_HTTP_BAD_GATEWAY,
                          "the gateway gave the tunnel no URL in time; it is taken back");
}

static enum MHD_Result add_tunnel(struct inspect *inspect, struct MHD_Connection *connection,
                                  struct ask *ask) {
    char error[512] = "";
    struct view text = buf_view(&ask->body);
    struct order order = {.error = error, .error_size = sizeof(error)};
    json_t *body = json_loadb(text.ptr ? text.ptr : "", text.len, JSON_REJECT_DUPLICATES, NULL);
    bool is_added = take_order(&order, body) && inspect->tunnels.add &&
                    inspect->tunnels.add(inspect->tunnels.ctx, &order.wish, error, sizeof(error));
    json_decref(body);
    if (!is_added) return inspect_refuse(connection, MHD_HTTP_BAD_REQUEST, error);
    snprintf(ask->awaited, sizeof(ask->awaited), "%s", order.label);
    return inspect_hold(ask, WAIT_MS, is_settled);
}

/* ---- paths ---- */

static const struct shape *shape_of(struct view path) {
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        struct view rest = view_skip(path, shapes[i].path.len);
        if (view_starts_with(path, shapes[i].path) && (!rest.len || rest.ptr[0] == '/')) return &shapes[i];
    }
    return NULL;
}

bool tunnels_are_meant(const char *path) {
    return shape_of(view_from_cstr(path));
}

static enum MHD_Result on_one(const struct inspect *inspect, struct MHD_Connection *connection,
                              const char *method, const struct shape *shape, struct view name) {
    const void *cursor;
    struct inspect_tunnel tunnel;
    if (!api_find_tunnel(inspect, name, &cursor, &tunnel))
        return inspect_refuse(connection, MHD_HTTP_NOT_FOUND, "there is no such tunnel");
    if (strcmp(method, "GET") == 0) return answer_one(inspect, connection, MHD_HTTP_OK, shape, &tunnel);
    if (strcmp(method, "DELETE") != 0)
        return inspect_refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET and DELETE only");
    inspect->tunnels.remove(inspect->tunnels.ctx, cursor);
    return api_answer_nothing(connection);
}

enum MHD_Result tunnels_answer(struct inspect *inspect, struct MHD_Connection *connection, const char *method,
                               const char *path, struct ask *ask) {
    const struct shape *shape = shape_of(view_from_cstr(path));
    struct view name = view_skip(view_from_cstr(path), shape->path.len);
    if (ask->awaited[0]) return answer_awaited(inspect, connection, shape, ask->awaited);
    if (name.len) return on_one(inspect, connection, method, shape, view_skip(name, 1));
    if (strcmp(method, "GET") == 0) return answer_list(inspect, connection, shape);
    if (strcmp(method, "POST") == 0) return add_tunnel(inspect, connection, ask);
    return inspect_refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET and POST only");
}
