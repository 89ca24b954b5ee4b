/* HTTP requests as API Gateway writes them into events (API Gateway Developer Guide, "Create AWS Lambda proxy
 * integrations for HTTP APIs" and "Set up mapping templates / proxy integration for WebSocket APIs"), and
 * Application Load Balancers (their User Guide, "Lambda functions as targets").
 *
 * What is lost on the way and what is done about it: HTTP APIs percent-decode the path, so bytes that are not
 * legal in one are encoded again (an encoded slash cannot be told from a slash any more). Payload 2.0 joins
 * repeated fields by commas and keeps the query as it was; payload 1.0 keeps fields apart and decodes the
 * query. A load balancer keeps path and query as they came, and says who the visitor is in X-Forwarded-For
 * and -Proto only. Framing fields are not believed: the body is as long as it is. */
#include <stdio.h>

#include "base/hex.h"
#include "runtime/lambda_event.h"

enum { TARGET_MAX = 64 * 1024 };

static const char no_memory[] = "it is too large";

static struct view text_of(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_is_string(value) ? view_of(json_string_value(value), json_string_length(value))
                                 : (struct view){0};
}

typedef bool text_fn(void *ctx, struct view name, struct view text);

static bool tell_text(text_fn *fn, void *ctx, const char *name, const json_t *value) {
    return json_is_string(value) &&
           fn(ctx, view_from_cstr(name), view_of(json_string_value(value), json_string_length(value)));
}

/* Each text of a member that has a list of them for each name; where there is no such member, of one that has
 * a text for each. False when `fn` says so, or something else stands there. */
static bool each_text(const json_t *root, const char *many_key, const char *one_key, text_fn *fn, void *ctx) {
    json_t *many = json_object_get(root, many_key), *one = json_object_get(root, one_key), *value, *item;
    const char *name;
    size_t index;
    bool ok = true;
    if (json_is_object(many)) {
        json_object_foreach(many, name, value) {
            ok = ok && json_is_array(value);
            json_array_foreach(value, index, item) ok = ok && tell_text(fn, ctx, name, item);
        }
    } else if (json_is_object(one)) {
        json_object_foreach(one, name, value) ok = ok && tell_text(fn, ctx, name, value);
    }
    return ok;
}

/* ---- the target ---- */

static bool append_byte(struct buf *out, char byte, const char *legal) {
    bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                 (byte >= '0' && byte <= '9') || (byte && strchr(legal, byte));
    return plain ? buf_append_byte(out, byte) : buf_printf(out, "%%%02X", (unsigned)(unsigned char)byte);
}

/* pchar and '/' of RFC 3986 3.3 stay. In a path that was decoded each '%' stands for itself. */
static bool append_path(struct buf *out, struct view path, bool was_decoded) {
    bool ok = view_starts_with(path, VIEW("/")) || buf_append_byte(out, '/');
    for (size_t i = 0; i < path.len && ok; i++)
        ok = !was_decoded && percent_byte(view_skip(path, i)) >= 0
                 ? buf_append_byte(out, '%')
                 : append_byte(out, path.ptr[i], "/-._~!$&'()*+,;=:@");
    return ok;
}

static bool append_query_value(struct buf *out, struct view v) {
    bool ok = true;
    for (size_t i = 0; i < v.len && ok; i++) ok = append_byte(out, v.ptr[i], "-._~!$'()*,:@/");
    return ok;
}

struct query {
    struct buf *out;
    char separator;
    bool raw; /* not decoded */
};

static bool append_raw(struct buf *out, struct view v) {
    bool ok = true;
    for (size_t i = 0; i < v.len && ok; i++) {
        unsigned char byte = (unsigned char)v.ptr[i];
        ok = byte > 0x20 && byte < 0x7f && byte != '#' ? buf_append_byte(out, v.ptr[i])
                                                       : buf_printf(out, "%%%02X", (unsigned)byte);
    }
    return ok;
}

static bool append_parameter(void *ctx, struct view name, struct view text) {
    struct query *query = ctx;
    bool (*append)(struct buf *, struct view) = query->raw ? append_raw : append_query_value;
    bool ok = buf_append_byte(query->out, query->separator) && append(query->out, name) &&
              buf_append_byte(query->out, '=') && append(query->out, text);
    query->separator = '&';
    return ok;
}

/* The parameters of payload 1.0, which were decoded, or of a load balancer, which were not. */
static bool append_parameters(struct buf *out, const json_t *root, bool raw) {
    struct query query = {.out = out, .separator = '?', .raw = raw};
    return each_text(root, "multiValueQueryStringParameters", "queryStringParameters", append_parameter,
                     &query);
}

/* rawQueryString is as the visitor sent it; only what cannot stand in a target at all is encoded. */
static bool append_raw_query(struct buf *out, struct view query) {
    return (query.len == 0 || buf_append_byte(out, '?')) && append_raw(out, query);
}

/* The API's own host name begins with the API's id; there the stage's name is the first segment. */
static bool is_own_host(const json_t *context) {
    struct view domain = text_of(context, "domainName"), id = text_of(context, "apiId");
    struct view rest = view_skip(domain, id.len);
    return id.len > 0 && view_starts_with(domain, id) && (rest.len == 0 || view_starts_with(rest, VIEW(".")));
}

static struct view without_stage(const json_t *context, struct view path) {
    struct view stage = text_of(context, "stage");
    if (stage.len == 0 || view_eq(stage, VIEW("$default")) || !is_own_host(context)) return path;
    struct view rest = view_skip(path, 1);
    if (path.len == 0 || path.ptr[0] != '/' || !view_starts_with(rest, stage)) return path;
    rest = view_skip(rest, stage.len);
    return rest.len == 0 || rest.ptr[0] == '/' ? rest : path;
}

/* HTTP APIs decode the path; REST APIs (1.0 without a version) and function URLs leave it as it was. */
static bool path_was_decoded(const json_t *root, const json_t *context) {
    struct view version = text_of(root, "version"), domain = text_of(context, "domainName");
    if (view_eq(version, VIEW("1.0"))) return true;
    static const struct view function_url = VIEW(".lambda-url.");
    if (!view_eq(version, VIEW("2.0"))) return false;
    for (size_t i = 0; i < domain.len; i++)
        if (view_starts_with(view_skip(domain, i), function_url)) return false;
    return true;
}

static bool is_alb(const struct lambda_event *event) {
    return event->kind == LAMBDA_ALB || event->kind == LAMBDA_ALB_MULTI;
}

static bool make_target(struct lambda_event *event, struct view path, bool raw_query) {
    const json_t *root = event->document, *context = json_object_get(root, "requestContext");
    struct buf target;
    buf_init(&target, TARGET_MAX);
    bool ok = append_path(&target, without_stage(context, path), path_was_decoded(root, context)) &&
              (raw_query ? append_raw_query(&target, text_of(root, "rawQueryString"))
                         : append_parameters(&target, root, is_alb(event)));
    if (ok) event->target = arena_copy(&event->arena, buf_view(&target));
    buf_done(&target);
    return ok && event->target.ptr;
}

/* ---- header fields ---- */

static bool add_field(void *ctx, struct view name, struct view text) {
    struct lambda_event *event = ctx;
    return headers_add(&event->headers, name, text);
}

static bool read_headers(struct lambda_event *event) {
    return each_text(event->document, "multiValueHeaders", "headers", add_field, event);
}

/* Payload 2.0 has them apart; they are one field of the request (RFC 6265 5.4). */
static bool read_cookies(struct lambda_event *event) {
    const json_t *cookies = json_object_get(event->document, "cookies");
    size_t index;
    json_t *cookie;
    bool ok = true;
    struct buf joined;
    if (json_array_size(cookies) == 0) return true;
    buf_init(&joined, TARGET_MAX);
    json_array_foreach(cookies, index, cookie) {
        ok = ok && json_is_string(cookie) && buf_printf(&joined, "%s", index ? "; " : "") &&
             buf_append(&joined, json_string_value(cookie), json_string_length(cookie));
    }
    ok = ok && headers_set(&event->headers, VIEW("cookie"), buf_view(&joined));
    buf_done(&joined);
    return ok;
}

static bool set_length(struct lambda_event *event) {
    bool had = headers_count(&event->headers, VIEW("content-length")) > 0;
    headers_remove(&event->headers, VIEW("transfer-encoding"));
    headers_remove(&event->headers, VIEW("content-length"));
    if (!had && event->body.len == 0) return true;
    struct view length = arena_printf(&event->arena, "%zu", event->body.len);
    return length.ptr && headers_add(&event->headers, VIEW("content-length"), length);
}

/* A load balancer adds the visitor's address behind what the visitor claims. */
static void read_alb_origin(struct lambda_event *event) {
    struct view addresses = {0};
    for (size_t i = 0; i < event->headers.count; i++)
        if (view_eq(event->headers.fields[i].name, VIEW("x-forwarded-for")))
            addresses = event->headers.fields[i].value;
    size_t comma = view_find_last(addresses, ',');
    struct view last = view_trim(comma < addresses.len ? view_skip(addresses, comma + 1) : addresses);
    if (last.len > 0) event->client = last;
    if (view_eq(headers_get(&event->headers, VIEW("x-forwarded-proto")), VIEW("http")))
        event->scheme = VIEW("http");
}

const char *lambda_http_read(struct lambda_event *event) {
    const json_t *root = event->document, *context = json_object_get(root, "requestContext");
    bool is_2 = event->kind == LAMBDA_HTTP_2;
    const json_t *http = json_object_get(context, "http");
    struct view path = text_of(root, is_2 ? "rawPath" : "path");
    event->method = is_2 ? text_of(http, "method") : text_of(root, "httpMethod");
    event->client =
        is_2 ? text_of(http, "sourceIp") : text_of(json_object_get(context, "identity"), "sourceIp");
    if (event->method.len == 0) return "it has no method";
    if (!path.ptr) return "it has no path";
    if (!event->client.ptr) event->client = VIEW("unknown");
    event->scheme = VIEW("https");
    if (!make_target(event, path, is_2)) return "its path or query makes no sense";
    if (!read_headers(event) || !read_cookies(event)) return "its headers make no sense";
    if (is_alb(event)) read_alb_origin(event);
    return set_length(event) ? NULL : no_memory;
}

const char *lambda_connect_read(struct lambda_event *event) {
    event->client =
        text_of(json_object_get(json_object_get(event->document, "requestContext"), "identity"), "sourceIp");
    if (!event->client.ptr) event->client = VIEW("unknown");
    if (!make_target(event, VIEW("/"), false)) return "its query makes no sense";
    return read_headers(event) ? NULL : "its headers make no sense";
}
