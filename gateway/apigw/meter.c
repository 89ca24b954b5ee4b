/* See meter.h. The added member ReturnConsumedCapacity breaks the signature of a call, which DynamoDB Local
 * does not check; so this is for it alone. */
#include "apigw/meter.h"

#include <jansson.h>
#include <stdlib.h>

#include "apigw/web.h"
#include "base/log.h"
#include "sockets/listener.h"

#define BODY_MAX ((size_t)20 * 1024 * 1024)
#define CALL_TIMEOUT_MS 60000
#define ASK "\"ReturnConsumedCapacity\""

struct meter {
    struct loop *loop;
    struct http_client *http;
    struct meter_settings settings;
    struct usage *usage;
    struct web *web;
    struct listener *listener;
    struct clients clients;
    struct list calls;
};

enum call_kind { CALL_READ, CALL_WRITE, CALL_OTHER, CALL_FAILED };

struct call {
    struct list node;
    struct meter *meter;
    struct web_exchange *exchange;
    struct http_call *http; /* NULL: it has ended */
    struct timer timer;
    enum call_kind kind;
    uint64_t begun_ms;
    int status;
    struct arena arena;
    struct headers headers;
    struct buf body;
};

static enum call_kind kind_of(struct view target) {
    static const struct view reads[] = {VIEW("GetItem"), VIEW("BatchGetItem"), VIEW("Query"), VIEW("Scan"),
                                        VIEW("TransactGetItems")};
    static const struct view writes[] = {VIEW("PutItem"), VIEW("UpdateItem"), VIEW("DeleteItem"),
                                         VIEW("BatchWriteItem"), VIEW("TransactWriteItems")};
    struct view name = view_skip(target, view_find(target, '.') + 1);
    for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++)
        if (view_eq(name, reads[i])) return CALL_READ;
    for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++)
        if (view_eq(name, writes[i])) return CALL_WRITE;
    return CALL_OTHER;
}

/* One object, or a list with one for each table. */
static double units_of(const json_t *capacity) {
    double units = 0;
    size_t index;
    json_t *table;
    if (json_is_object(capacity)) return json_number_value(json_object_get(capacity, "CapacityUnits"));
    json_array_foreach(capacity, index, table) units +=
        json_number_value(json_object_get(table, "CapacityUnits"));
    return units;
}

static void count(struct call *call) {
    struct usage *usage = call->meter->usage;
    usage->calls[call->status == 200 ? call->kind : CALL_FAILED]++;
    if (call->status != 200 || call->kind == CALL_OTHER) return;
    struct view text = buf_view(&call->body);
    json_t *root = json_loadb(text.len ? text.ptr : "", text.len, 0, NULL);
    double units = units_of(json_object_get(root, "ConsumedCapacity"));
    *(call->kind == CALL_READ ? &usage->read_units : &usage->write_units) += units;
    json_decref(root);
}

static void call_free(struct call *call) {
    timer_stop(&call->meter->loop->timers, &call->timer);
    list_remove(&call->node);
    buf_done(&call->body);
    arena_done(&call->arena);
    free(call);
}

static void answer(struct timer *timer) {
    struct call *call = LIST_ENTRY(timer, struct call, timer);
    if (call->status)
        web_answer(call->exchange, call->status, &call->headers, buf_view(&call->body));
    else
        web_cut(call->exchange);
    call_free(call);
}

static void take_answer(struct call *call, const struct http_answer *got) {
    static const struct view kept[] = {VIEW("content-type"), VIEW("x-amzn-requestid"), VIEW("x-amz-crc32")};
    call->status = got->status;
    buf_clear(&call->body);
    buf_append_view(&call->body, got->body);
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        struct view value = headers_get(got->headers, kept[i]);
        if (value.ptr) headers_add(&call->headers, kept[i], value);
    }
    count(call);
}

static void on_answer(void *ctx, enum status status, const struct http_answer *got) {
    struct call *call = ctx;
    struct meter *meter = call->meter;
    call->http = NULL;
    headers_init(&call->headers, &call->arena);
    if (status == STATUS_OK)
        take_answer(call, got);
    else
        log_warn("meter", "DynamoDB: %s", status_text(status));
    uint64_t least = meter->settings.least_ms, took = loop_now(meter->loop) - call->begun_ms;
    timer_start(&meter->loop->timers, &call->timer, took < least ? least - took : 0);
}

static bool copy_request(struct call *call, const struct web_request *request) {
    headers_init(&call->headers, &call->arena);
    bool ok = headers_copy(&call->headers, request->headers);
    headers_remove(&call->headers, VIEW("host"));
    headers_remove(&call->headers, VIEW("content-length"));
    headers_remove(&call->headers, VIEW("accept-encoding"));
    headers_remove(&call->headers, VIEW("expect"));
    struct view body = request->body;
    bool asks = memmem(body.len ? body.ptr : "", body.len, ASK, sizeof(ASK) - 1) != NULL;
    if (call->kind <= CALL_WRITE && !asks && body.len > 2 && body.ptr[0] == '{') {
        buf_printf(&call->body, "{" ASK ":\"TOTAL\",");
        body = view_skip(body, 1);
    }
    return ok && buf_append_view(&call->body, body);
}

static void on_request(void *ctx, struct web_exchange *exchange, const struct web_request *request) {
    struct meter *meter = ctx;
    struct call *call = calloc(1, sizeof(*call));
    if (!call) {
        web_cut(exchange);
        return;
    }
    *call = (struct call){.meter = meter, .exchange = exchange, .begun_ms = loop_now(meter->loop)};
    call->kind = kind_of(headers_get(request->headers, VIEW("x-amz-target")));
    timer_init(&call->timer, answer);
    arena_init(&call->arena, 256 * 1024);
    buf_init(&call->body, BODY_MAX);
    list_append(&meter->calls, &call->node);
    if (copy_request(call, request) && !request->is_body_too_large) {
        const struct http_call_request passed = {.method = request->method,
                                                 .url = view_from_cstr(meter->settings.endpoint),
                                                 .headers = &call->headers,
                                                 .body = buf_view(&call->body),
                                                 .timeout_ms = CALL_TIMEOUT_MS,
                                                 .answer_max = BODY_MAX};
        call->http = http_client_start(meter->http, &passed, on_answer, call);
    }
    if (call->http) return;
    web_cut(exchange);
    call_free(call);
}

static void on_connection(void *ctx, int fd, struct client *client, const struct sockaddr *address,
                          socklen_t len) {
    struct meter *meter = ctx;
    web_accept(meter->web, fd, client, address, len, 0);
}

struct meter *meter_new(struct loop *loop, struct http_client *http, const struct meter_settings *settings,
                        struct usage *usage, const char **ret_why) {
    const struct listen_address any = {.host = "127.0.0.1", .port = 0};
    struct meter *meter = calloc(1, sizeof(*meter));
    *ret_why = "out of memory";
    if (!meter) return NULL;
    *meter = (struct meter){.loop = loop, .http = http, .settings = *settings, .usage = usage};
    list_init(&meter->calls);
    clients_init(&meter->clients, 0, 0, NULL, 0);
    const struct web_settings web = {.body_max = BODY_MAX,
                                     .connections_max = 4096,
                                     .idle_ms = settings->idle_ms,
                                     .idle_cuts = &usage->idle_cuts,
                                     .handle = on_request,
                                     .ctx = meter};
    meter->web = web_new(loop, &web);
    meter->listener =
        meter->web ? listener_new(loop, &any, &meter->clients, on_connection, meter, ret_why) : NULL;
    if (meter->listener) return meter;
    web_stop(meter->web);
    return NULL;
}

uint16_t meter_port(const struct meter *meter) {
    return listener_port(meter->listener);
}

void meter_stop(struct meter *meter) {
    if (!meter) return;
    listener_free(meter->listener);
    while (!list_empty(&meter->calls)) {
        struct call *call = LIST_ENTRY(meter->calls.next, struct call, node);
        if (call->http) http_call_cancel(call->http);
        web_cut(call->exchange);
        call_free(call);
    }
    web_stop(meter->web);
}

void meter_free(struct meter *meter) {
    if (!meter) return;
    web_free(meter->web);
    clients_done(&meter->clients);
    free(meter);
}
