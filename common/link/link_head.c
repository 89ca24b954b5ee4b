/* Heads in both directions. Inbound ones are views of nghttp2's reference-counted buffers, outbound ones
 * arrays of views that nghttp2 copies when it takes them. */
#include <stdio.h>
#include <stdlib.h>

#include "link/link_state.h"

#define FIRST_FIELDS 24
#define FIELD_ESTIMATE 12 /* nghttp2_hd_deflate_bound: a field, beside its bytes */

/* ---- inbound ---- */

void head_clear(struct inbound_head *head) {
    for (size_t i = 0; i < head->kept_count; i++) nghttp2_rcbuf_decref(head->kept[i]);
    head->kept_count = 0;
    head->headers.count = head->headers.bytes = 0;
    head->pseudo_bytes = 0;
    head->is_excess = false;
    head->method = head->protocol = head->scheme = head->authority = head->path = (struct view){NULL, 0};
    head->status = 0;
}

void head_done(struct inbound_head *head) {
    head_clear(head);
    free(head->kept);
    free(head->headers.fields);
    *head = (struct inbound_head){.kept_cap = 0};
}

static bool keep(struct inbound_head *head, nghttp2_rcbuf *bytes) {
    if (head->kept_count == head->kept_cap) {
        size_t cap = head->kept_cap ? head->kept_cap * 2 : (size_t)FIRST_FIELDS * 2;
        nghttp2_rcbuf **kept = realloc(head->kept, cap * sizeof(nghttp2_rcbuf *));
        if (!kept) return false;
        head->kept = kept;
        head->kept_cap = cap;
    }
    nghttp2_rcbuf_incref(bytes);
    head->kept[head->kept_count++] = bytes;
    return true;
}

static bool add_field(struct headers *headers, struct view name, struct view value) {
    if (headers->count == headers->cap) {
        size_t cap = headers->cap ? headers->cap * 2 : FIRST_FIELDS;
        struct header *fields = realloc(headers->fields, cap * sizeof(*fields));
        if (!fields) return false;
        headers->fields = fields;
        headers->cap = cap;
    }
    headers->fields[headers->count++] = (struct header){.name = name, .value = value};
    headers->bytes += name.len + value.len + 4;
    return true;
}

/* nghttp2 has checked which pseudo header fields there are, once each, and their values, but for a status
 * below 100. */
static bool add_pseudo(struct inbound_head *head, struct view name, struct view value) {
    head->pseudo_bytes += value.len;
    switch (name.len) {
    case sizeof(":path") - 1: head->path = value; break;
    case sizeof(":method") - 1: /* or :scheme, or :status */
        if (name.ptr[1] == 'm') head->method = value;
        if (name.ptr[2] == 'c') head->scheme = value;
        if (name.ptr[2] == 't' && value.len == 3)
            head->status = (value.ptr[0] - '0') * 100 + (value.ptr[1] - '0') * 10 + (value.ptr[2] - '0');
        break;
    case sizeof(":protocol") - 1: head->protocol = value; break;
    case sizeof(":authority") - 1: head->authority = value; break;
    default: break;
    }
    return !view_eq(name, VIEW(":status")) || head->status >= 100;
}

static struct view rcbuf_view(nghttp2_rcbuf *bytes) {
    nghttp2_vec vec = nghttp2_rcbuf_get_buf(bytes);
    return view_of(vec.base, vec.len);
}

bool head_add(struct inbound_head *head, const struct link_limits *limits, nghttp2_rcbuf *name,
              nghttp2_rcbuf *value) {
    struct view name_view = rcbuf_view(name), value_view = rcbuf_view(value);
    if (!keep(head, value)) return false;
    if (name_view.ptr[0] == ':') {
        return add_pseudo(head, name_view, value_view) && head->pseudo_bytes <= limits->headers_bytes;
    }
    struct headers *headers = &head->headers;
    if (headers->count >= limits->headers_count) return false;
    return keep(head, name) && add_field(headers, name_view, value_view) &&
           headers->bytes <= limits->headers_bytes;
}

struct stream_head head_view(const struct inbound_head *head) {
    return (struct stream_head){.method = head->method,
                                .protocol = head->protocol,
                                .scheme = head->scheme,
                                .authority = head->authority,
                                .path = head->path,
                                .status = head->status,
                                .is_excess = head->is_excess,
                                .headers = &head->headers};
}

/* ---- outbound ---- */

void outbound_init(struct outbound_head *out) {
    out->fields = out->few;
    out->count = 0;
    out->cap = sizeof(out->few) / sizeof(out->few[0]);
    out->bytes = 64; /* table size updates, priority */
    out->tells_names = false;
}

void outbound_done(struct outbound_head *out) {
    if (out->fields != out->few) free(out->fields);
}

static bool reserve(struct outbound_head *out, size_t count) {
    if (count <= out->cap) return true;
    out->fields = malloc(count * sizeof(nghttp2_nv));
    if (!out->fields) out->fields = out->few;
    return out->fields != out->few;
}

static void put(struct outbound_head *out, struct view name, struct view value, uint8_t flags) {
    nghttp2_nv *field = &out->fields[out->count++];
    field->name = (uint8_t *)(uintptr_t)name.ptr;
    field->namelen = name.len;
    field->value = (uint8_t *)(uintptr_t)(value.len ? value.ptr : "");
    field->valuelen = value.len;
    field->flags = flags;
    out->bytes += name.len + value.len + FIELD_ESTIMATE;
}

static void put_pseudo(struct outbound_head *out, struct view name, struct view value) {
    put(out, name, value, NGHTTP2_NV_FLAG_NO_COPY_NAME);
}

/* Each request has another value: it would push out of the table what comes again and again. Its name is
 * there from one of TELLS_NAMES heads, which the others point to. */
static bool is_always_new(struct view name) {
    return (name.len == 12 && view_eq(name, VIEW("x-request-id"))) ||
           (name.len == 11 && view_eq(name, VIEW("traceparent")));
}

/* Names and values from elsewhere. White space around a value is no part of it (RFC 9110 5.5), but would
 * break the stream (RFC 9113 8.2.1), as would a length in an answer that has none. */
static void put_headers(struct outbound_head *out, const struct headers *headers, int status) {
    for (size_t i = 0; i < headers->count; i++) {
        const struct header *field = &headers->fields[i];
        if (status == 204 && view_eq(field->name, VIEW("content-length"))) continue;
        bool stays_out = !out->tells_names && is_always_new(field->name);
        put(out, field->name, view_trim(field->value),
            stays_out ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE);
    }
}

static enum status finished(const struct outbound_head *out) {
    return out->bytes <= HEAD_SEND_MAX ? STATUS_OK : STATUS_TOO_LARGE;
}

enum status outbound_request(struct outbound_head *out, const struct stream_head *head) {
    bool upgrade = head->protocol.len > 0;
    if (head->method.len == 0 || head->authority.len == 0 || head->path.len == 0) return STATUS_INVALID;
    if (view_eq(head->method, VIEW("CONNECT")) != upgrade) return STATUS_INVALID;
    if (!reserve(out, 5 + head->headers->count)) return STATUS_NO_MEMORY;
    put_pseudo(out, VIEW(":method"), head->method);
    if (upgrade) put_pseudo(out, VIEW(":protocol"), head->protocol);
    put_pseudo(out, VIEW(":scheme"), head->scheme.len ? head->scheme : VIEW("http"));
    put_pseudo(out, VIEW(":authority"), head->authority);
    put_pseudo(out, VIEW(":path"), head->path);
    put_headers(out, head->headers, 0);
    return finished(out);
}

enum status outbound_status(struct outbound_head *out, int status) {
    if (status < 100 || status > 999 || status == 101) return STATUS_INVALID;
    out->status[0] = (char)('0' + status / 100);
    out->status[1] = (char)('0' + status / 10 % 10);
    out->status[2] = (char)('0' + status % 10);
    put_pseudo(out, VIEW(":status"), view_of(out->status, sizeof(out->status)));
    return STATUS_OK;
}

enum status outbound_answer(struct outbound_head *out, const struct stream_head *head) {
    if (head->status < 200) return STATUS_INVALID;
    if (!reserve(out, 1 + head->headers->count)) return STATUS_NO_MEMORY;
    enum status status = outbound_status(out, head->status);
    if (status != STATUS_OK) return status;
    put_headers(out, head->headers, head->status);
    return finished(out);
}

/* ---- trailers ---- */

struct trailers {
    size_t count;
    nghttp2_nv fields[]; /* and behind them their bytes */
};

static struct view copy_to(char **at, struct view v) {
    char *copy = *at;
    if (v.len) memcpy(copy, v.ptr, v.len);
    *at += v.len;
    return view_of(copy, v.len);
}

struct trailers *trailers_new(const struct headers *headers) {
    size_t fields_size = headers->count * sizeof(nghttp2_nv);
    if (headers->bytes + headers->count * FIELD_ESTIMATE > HEAD_SEND_MAX) return NULL;
    struct trailers *trailers = malloc(sizeof(*trailers) + fields_size + headers->bytes);
    if (!trailers) return NULL;
    char *at = (char *)trailers->fields + fields_size;
    trailers->count = headers->count;
    for (size_t i = 0; i < headers->count; i++) {
        struct view name = copy_to(&at, headers->fields[i].name);
        struct view value = copy_to(&at, view_trim(headers->fields[i].value));
        trailers->fields[i] = (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name.ptr,
                                           .namelen = name.len,
                                           .value = (uint8_t *)(uintptr_t)value.ptr,
                                           .valuelen = value.len};
    }
    return trailers;
}

int trailers_submit(const struct trailers *trailers, nghttp2_session *h2, int32_t id) {
    return nghttp2_submit_trailer(h2, id, trailers->fields, trailers->count);
}

void trailers_free(struct trailers *trailers) {
    free(trailers);
}
