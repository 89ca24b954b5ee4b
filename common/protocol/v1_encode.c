/* Writes v1 messages, see v1.h. */
#include <inttypes.h>

#include "protocol/json_text.h"
#include "protocol/v1.h"

static bool text(struct buf *out, const char *literal) {
    return buf_append(out, literal, strlen(literal));
}

/* `,"key":"value"`, or nothing where the value is absent. */
static bool member(struct buf *out, const char *key, struct view value) {
    if (!value.ptr) return true;
    return text(out, ",\"") && text(out, key) && text(out, "\":") && json_text_string(out, value);
}

static bool number(struct buf *out, const char *key, uint64_t value) {
    return buf_printf(out, ",\"%s\":%" PRIu64, key, value);
}

static bool seen_before(const struct headers *headers, size_t index) {
    for (size_t i = 0; i < index; i++)
        if (view_eq(headers->fields[i].name, headers->fields[index].name)) return true;
    return false;
}

/* The values of the field at `index` and of all later ones of its name. */
static bool field_values(struct buf *out, const struct headers *headers, size_t index) {
    struct view name = headers->fields[index].name;
    bool ok = json_text_string(out, name) && text(out, ":[");
    for (size_t i = index; i < headers->count && ok; i++) {
        if (!view_eq(headers->fields[i].name, name)) continue;
        ok = (i == index || buf_append_byte(out, ',')) && json_text_string(out, headers->fields[i].value);
    }
    return ok && buf_append_byte(out, ']');
}

static bool header_map(struct buf *out, const struct headers *headers) {
    bool ok = text(out, ",\"headers\":{"), first = true;
    for (size_t i = 0; headers && i < headers->count && ok; i++) {
        if (seen_before(headers, i)) continue;
        ok = (first || buf_append_byte(out, ',')) && field_values(out, headers, i);
        first = false;
    }
    return ok && buf_append_byte(out, '}');
}

static bool body(struct buf *out, struct view bytes) {
    return text(out, ",\"body\":") && json_text_base64(out, bytes);
}

static bool capability_list(struct buf *out, unsigned capabilities) {
    static const struct {
        unsigned bit;
        const char *name;
    } known[] = {{V1_CAP_CHUNKS, "chunks"}, {V1_CAP_RESUME, "resume"}, {V1_CAP_UPGRADES, "upgrades"},
                 {V1_CAP_POLICY, "policy"}, {V1_CAP_INDEX, "index"},   {V1_CAP_DOMAINS, "domains"}};
    if (capabilities == 0) return true;
    bool ok = text(out, ",\"capabilities\":[");
    const char *comma = "";
    for (size_t i = 0; ok && i < sizeof(known) / sizeof(known[0]); i++) {
        if (!(capabilities & known[i].bit)) continue;
        ok = buf_printf(out, "%s\"%s\"", comma, known[i].name);
        comma = ",";
    }
    return ok && text(out, "]");
}

bool v1_encode_ready(struct buf *out, unsigned capabilities, uint64_t request_timeout_ms) {
    return text(out, "{\"type\":\"ready\"") && capability_list(out, capabilities) &&
           (request_timeout_ms == 0 || number(out, "request_timeout_ms", request_timeout_ms)) &&
           text(out, "}");
}

bool v1_encode_ping(struct buf *out) {
    return text(out, "{\"type\":\"ping\"}");
}

bool v1_encode_pong(struct buf *out) {
    return text(out, "{\"type\":\"pong\"}");
}

bool v1_encode_draining(struct buf *out) {
    return text(out, "{\"type\":\"draining\"}");
}

bool v1_encode_request(struct buf *out, const struct v1_request *request) {
    return text(out, "{\"type\":\"http_request\"") && member(out, "request_id", request->request_id) &&
           member(out, "method", request->method) && member(out, "uri", request->uri) &&
           header_map(out, request->headers) && body(out, request->body) &&
           number(out, "timestamp", request->timestamp_ms) && text(out, "}");
}

bool v1_encode_response(struct buf *out, const struct v1_response *response) {
    return text(out, "{\"type\":\"http_response\"") && member(out, "request_id", response->request_id) &&
           number(out, "status_code", (uint64_t)response->status) && header_map(out, response->headers) &&
           body(out, response->body) && number(out, "processing_time_ms", response->processing_time_ms) &&
           text(out, "}");
}

bool v1_encode_chunk(struct buf *out, struct view request_id, const struct v1_chunk *chunk) {
    return text(out, "{\"type\":\"chunk\"") && member(out, "request_id", request_id) &&
           number(out, "seq", chunk->seq) && number(out, "total", chunk->total) &&
           member(out, "data", chunk->data) && text(out, "}");
}

bool v1_encode_error(struct buf *out, struct view request_id, struct view code, struct view message,
                     struct view reason) {
    return text(out, "{\"type\":\"error\",\"request_id\":") &&
           (request_id.ptr ? json_text_string(out, request_id) : text(out, "null")) &&
           member(out, "code", code) && member(out, "message", message) && member(out, "reason", reason) &&
           text(out, "}");
}

bool v1_encode_established(struct buf *out, const struct v1_established *established) {
    return text(out, "{\"type\":\"connection_established\"") &&
           member(out, "connection_id", established->connection_id) &&
           member(out, "tunnel_id", established->tunnel_id) &&
           member(out, "public_url", established->public_url) &&
           member(out, "subdomain_url", established->subdomain_url) &&
           member(out, "path_based_url", established->path_based_url) &&
           member(out, "resume", established->resume) && capability_list(out, established->capabilities) &&
           (!established->heartbeat_s || number(out, "heartbeat_seconds", established->heartbeat_s)) &&
           (!established->token_s || number(out, "token_seconds", established->token_s)) && text(out, "}");
}
