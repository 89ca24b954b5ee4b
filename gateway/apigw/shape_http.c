/* See shape.h: visitors' requests, payload 2.0 and 1.0. */
#include <stdlib.h>

#include "apigw/shape.h"
#include "base/base64.h"
#include "http/hop.h"

#define ACCOUNT "123456789012"
#define ARENA_BYTES ((size_t)512 * 1024)

static void set(json_t *object, const char *name, json_t *value) {
    json_object_set_new(object, name, value);
}

static void set_text(json_t *object, const char *name, struct view value) {
    set(object, name, shape_text(value));
}

static json_t *base64_text(struct view body) {
    char *text = malloc(base64_encoded_len(body.len) + 1);
    if (!text) return NULL;
    size_t len = base64_encode(body, text);
    json_t *value = json_stringn_nocheck(text, len);
    free(text);
    return value;
}

static void set_body(json_t *event, const struct shape_request *request) {
    bool is_text = shape_is_text(headers_get(request->headers, VIEW("content-type")), request->body);
    if (request->body.len > 0)
        set(event, "body", is_text ? shape_text(request->body) : base64_text(request->body));
    set(event, "isBase64Encoded", json_boolean(request->body.len > 0 && !is_text));
}

static struct view query_of(struct view target) {
    return view_skip(target, view_find(target, '?') + 1);
}

/* The stage's name in front, where there is no custom domain, came with the request. */
static json_t *decoded_path(struct view target) {
    return shape_decoded(view_slice(target, 0, view_find(target, '?')), false);
}

/* A custom domain may be a wildcard: then the name by which it was called. */
static struct view domain_of(const struct shape_api *api, const struct shape_request *request) {
    if (!api->has_custom_domain) return view_from_cstr(api->domain);
    return view_slice(request->host, 0, view_find_last(request->host, ':'));
}

static struct view prefix_of(struct view domain) {
    return view_slice(domain, 0, view_find(domain, '.'));
}

/* All that API Gateway says of a request's origin. */
static bool received(struct headers *out, const struct shape_api *api, const struct shape_request *request) {
    if (!headers_copy(out, request->headers)) return false;
    hop_strip(out);
    headers_remove(out, VIEW("expect"));
    if (request->host.len > 0 && !headers_set(out, VIEW("host"), request->host)) return false;
    return shape_forwarded(out, api, request);
}

/* ---- 2.0 ---- */

static void set_cookies(json_t *event, struct headers *headers) {
    json_t *cookies = json_array();
    for (size_t i = 0; i < headers->count; i++) {
        if (!view_eq(headers->fields[i].name, VIEW("cookie"))) continue;
        struct view rest = headers->fields[i].value, cookie;
        while (view_split(&rest, ';', &cookie))
            if (view_trim(cookie).len > 0) json_array_append_new(cookies, shape_text(view_trim(cookie)));
    }
    headers_remove(headers, VIEW("cookie"));
    if (json_array_size(cookies) > 0)
        set(event, "cookies", cookies);
    else
        json_decref(cookies);
}

static json_t *fields(const struct headers *headers, enum shape_repeats repeats) {
    json_t *object = json_object();
    for (size_t i = 0; i < headers->count; i++)
        shape_add(object, headers->fields[i].name.ptr, shape_text(headers->fields[i].value), repeats);
    return object;
}

static json_t *context_2(const struct shape_api *api, const struct shape_request *request) {
    json_t *context = json_object(), *http = json_object();
    set_text(http, "method", request->method);
    set(http, "path", decoded_path(request->target));
    set_text(http, "protocol", request->version);
    set_text(http, "sourceIp", request->client);
    set_text(http, "userAgent", headers_get(request->headers, VIEW("user-agent")));
    set(context, "accountId", json_string(ACCOUNT));
    set(context, "apiId", json_string(api->id));
    set_text(context, "domainName", domain_of(api, request));
    set_text(context, "domainPrefix", prefix_of(domain_of(api, request)));
    set(context, "http", http);
    set(context, "requestId", json_string(request->id));
    set(context, "routeKey", json_string("$default"));
    set(context, "stage", json_string(api->stage));
    set(context, "time", shape_clf_time(request->now_ms));
    set(context, "timeEpoch", json_integer((json_int_t)request->now_ms));
    return context;
}

static json_t *shape_2(const struct shape_api *api, const struct shape_request *request,
                       struct headers *headers) {
    json_t *event = json_object();
    struct view query = query_of(request->target);
    set(event, "version", json_string("2.0"));
    set(event, "routeKey", json_string("$default"));
    set(event, "rawPath", decoded_path(request->target));
    set_text(event, "rawQueryString", query);
    set_cookies(event, headers);
    set(event, "headers", fields(headers, REPEATS_JOIN));
    if (query.len > 0) set(event, "queryStringParameters", shape_query(query, REPEATS_JOIN));
    set(event, "requestContext", context_2(api, request));
    set_body(event, request);
    return event;
}

/* ---- 1.0 ---- */

static json_t *identity(const struct shape_request *request) {
    static const char *const nulls[] = {"accessKey",
                                        "accountId",
                                        "caller",
                                        "cognitoAuthenticationProvider",
                                        "cognitoAuthenticationType",
                                        "cognitoIdentityId",
                                        "cognitoIdentityPoolId",
                                        "principalOrgId",
                                        "user",
                                        "userArn"};
    json_t *object = json_object();
    for (size_t i = 0; i < sizeof(nulls) / sizeof(nulls[0]); i++) set(object, nulls[i], json_null());
    set_text(object, "sourceIp", request->client);
    set_text(object, "userAgent", headers_get(request->headers, VIEW("user-agent")));
    return object;
}

static json_t *context_1(const struct shape_api *api, const struct shape_request *request) {
    json_t *context = json_object();
    set(context, "accountId", json_string(ACCOUNT));
    set(context, "apiId", json_string(api->id));
    set_text(context, "domainName", domain_of(api, request));
    set_text(context, "domainPrefix", prefix_of(domain_of(api, request)));
    set(context, "extendedRequestId", json_string(request->id));
    set_text(context, "httpMethod", request->method);
    set(context, "identity", identity(request));
    set(context, "path", decoded_path(request->target));
    set_text(context, "protocol", request->version);
    set(context, "requestId", json_string(request->id));
    set(context, "requestTime", shape_clf_time(request->now_ms));
    set(context, "requestTimeEpoch", json_integer((json_int_t)request->now_ms));
    set(context, "resourceId", json_string("$default"));
    set(context, "resourcePath", json_string("$default"));
    set(context, "stage", json_string(api->stage));
    return context;
}

static json_t *shape_1(const struct shape_api *api, const struct shape_request *request,
                       struct headers *headers) {
    json_t *event = json_object();
    struct view query = query_of(request->target);
    set(event, "version", json_string("1.0"));
    set(event, "resource", json_string("$default"));
    set(event, "path", decoded_path(request->target));
    set_text(event, "httpMethod", request->method);
    set(event, "headers", fields(headers, REPEATS_LAST));
    set(event, "multiValueHeaders", fields(headers, REPEATS_LIST));
    set(event, "queryStringParameters", query.len > 0 ? shape_query(query, REPEATS_FIRST) : json_null());
    set(event, "multiValueQueryStringParameters",
        query.len > 0 ? shape_query(query, REPEATS_LIST) : json_null());
    set(event, "requestContext", context_1(api, request));
    set(event, "pathParameters", json_null());
    set(event, "stageVariables", json_null());
    set(event, "body", json_null());
    set_body(event, request);
    return event;
}

json_t *shape_http(const struct shape_api *api, const struct shape_request *request) {
    struct arena arena;
    struct headers headers;
    arena_init(&arena, ARENA_BYTES);
    headers_init(&headers, &arena);
    json_t *event = !received(&headers, api, request) ? NULL
                    : api->is_payload_1               ? shape_1(api, request, &headers)
                                                      : shape_2(api, request, &headers);
    arena_done(&arena);
    return event;
}
