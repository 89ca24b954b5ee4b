/* The request gate: one pass over the fields notes those that decide, then each decision is a function of its
 * own, in the order in which a doubt would harm most. */
#include "http/gate.h"

#include "base/base64.h"
#include "http/chars.h"

/* How often a field came, and the first one's value. */
struct seen {
    size_t count;
    struct view value;
};

struct notes {
    struct seen host, content_length, transfer_encoding, expect, upgrade;
    bool expect_unknown;
};

static void note(struct seen *seen, struct view value) {
    if (seen->count++ == 0) seen->value = value;
}

static void note_field(struct notes *notes, const struct header *field, struct view value) {
    switch (field->name.len) {
    case 4:
        if (view_eq(field->name, VIEW("host"))) note(&notes->host, value);
        break;
    case 6:
        if (!view_eq(field->name, VIEW("expect"))) break;
        note(&notes->expect, value);
        if (!view_eq_nocase(value, VIEW("100-continue"))) notes->expect_unknown = true;
        break;
    case 7:
        if (view_eq(field->name, VIEW("upgrade"))) note(&notes->upgrade, value);
        break;
    case 14:
        if (view_eq(field->name, VIEW("content-length"))) note(&notes->content_length, value);
        break;
    case 17:
        /* as it came: a parser in front that does not trim it takes "chunked " for no coding at all */
        if (view_eq(field->name, VIEW("transfer-encoding"))) note(&notes->transfer_encoding, field->value);
        break;
    default: break;
    }
}

bool gate_check_values(const struct headers *headers, size_t most_bytes) {
    for (size_t i = 0; i < headers->count; i++)
        if (headers->fields[i].value.len > most_bytes) return false;
    return true;
}

static bool within(const struct headers *headers, const struct http_limits *limits, size_t most_bytes) {
    return headers->count <= limits->headers_count && headers->bytes <= most_bytes &&
           gate_check_values(headers, limits->header_value_bytes);
}

static bool read_fields(const struct headers *headers, struct notes *notes) {
    for (size_t i = 0; i < headers->count; i++) {
        const struct header *field = &headers->fields[i];
        struct view value = view_trim(field->value);
        if (!http_is_token(field->name) || !http_is_field_value(value)) return false;
        note_field(notes, field, value);
    }
    return true;
}

static enum http_error check_version(struct view version, bool *ret_is_1_1) {
    *ret_is_1_1 = view_eq(version, VIEW("HTTP/1.1"));
    if (*ret_is_1_1 || view_eq(version, VIEW("HTTP/1.0"))) return HTTP_ERROR_NONE;
    bool is_version = version.len == 8 && view_starts_with(version, VIEW("HTTP/")) && version.ptr[5] >= '0' &&
                      version.ptr[5] <= '9' && version.ptr[6] == '.' && version.ptr[7] >= '0' &&
                      version.ptr[7] <= '9';
    return is_version ? HTTP_ERROR_VERSION_UNSUPPORTED : HTTP_ERROR_BAD_REQUEST;
}

static bool check_target(const struct gate_request *request, struct target *target) {
    if (!target_parse(request->raw_target, target)) return false;
    switch (target->form) {
    case TARGET_ORIGIN: return true;
    case TARGET_ABSOLUTE:
        return view_eq_nocase(target->scheme, VIEW("http")) || view_eq_nocase(target->scheme, VIEW("https"));
    case TARGET_ASTERISK: return view_eq(request->method, VIEW("OPTIONS"));
    case TARGET_AUTHORITY: return false;
    }
    return false;
}

/* Host is checked even where the absolute form's authority replaces it (RFC 9112 3.2). */
static bool check_host(const struct seen *host, bool is_1_1, struct arena *arena,
                       struct gate_verdict *verdict) {
    bool absolute = verdict->target.form == TARGET_ABSOLUTE;
    bool lacking_is_fine = absolute && !is_1_1;
    if (host->count > 1 || (host->count == 0 && !lacking_is_fine)) return false;
    if (host->count == 1 && !host_parse(host->value, arena, &verdict->host)) return false;
    verdict->host_field = absolute ? verdict->target.authority : host->value;
    return !absolute || host_parse(verdict->host_field, arena, &verdict->host);
}

static bool check_framing(const struct notes *notes, bool is_1_1, struct gate_verdict *verdict) {
    const struct seen *length = &notes->content_length, *coding = &notes->transfer_encoding;
    if (length->count + coding->count > 1) return false;
    if (coding->count) {
        verdict->framing = BODY_CHUNKED;
        return is_1_1 && view_eq_nocase(coding->value, VIEW("chunked"));
    }
    if (length->count) {
        verdict->framing = BODY_LENGTH;
        return http_content_length(length->value, &verdict->content_length);
    }
    return true;
}

bool gate_read_framing(const struct headers *headers, int minor_version, enum body_framing *ret_framing,
                       uint64_t *ret_length) {
    struct notes notes = {.expect_unknown = false};
    struct gate_verdict verdict = {.framing = BODY_NONE};
    for (size_t i = 0; i < headers->count; i++)
        note_field(&notes, &headers->fields[i], view_trim(headers->fields[i].value));
    bool is_clear = check_framing(&notes, minor_version >= 1, &verdict);
    *ret_framing = verdict.framing;
    *ret_length = verdict.content_length;
    return is_clear;
}

/* HTTP/2 in clear text is an offer that may be ignored (RFC 9113 3.1, RFC 9110 7.8), and clients make it with
 * every request. */
static bool is_ignorable(struct view upgrade) {
    struct view protocol;
    while (view_split(&upgrade, ',', &protocol))
        if (view_eq_nocase(view_trim(protocol), VIEW("h2c"))) return true;
    return false;
}

/* RFC 6455 4.2.1: one key, 16 bytes in base64. */
static bool check_websocket(const struct headers *headers, const struct gate_verdict *verdict) {
    if (!verdict->is_upgrade || !view_eq_nocase(verdict->upgrade, VIEW("websocket"))) return true;
    struct view key = headers_get(headers, VIEW("sec-websocket-key"));
    char bytes[32];
    size_t len;
    return headers_count(headers, VIEW("sec-websocket-key")) == 1 && key.len == 24 &&
           base64_decode(key, bytes, &len) && len == 16;
}

static bool is_protocol(struct view protocol) {
    size_t slash = view_find(protocol, '/');
    return http_is_token(view_slice(protocol, 0, slash)) &&
           (slash == protocol.len || http_is_token(view_skip(protocol, slash + 1)));
}

bool http_is_upgrade(struct view value) {
    struct view protocol;
    if (value.len == 0 || value.len > HTTP_UPGRADE_MAX) return false;
    while (view_split(&value, ',', &protocol))
        if (!is_protocol(view_trim(protocol))) return false;
    return true;
}

static void read_upgrade(const struct gate_request *request, const struct seen *upgrade,
                         struct gate_verdict *verdict) {
    if (upgrade->count != 1 || !http_is_upgrade(upgrade->value) || is_ignorable(upgrade->value)) return;
    if (!headers_has_token(request->headers, VIEW("connection"), VIEW("upgrade"))) return;
    if (verdict->framing == BODY_CHUNKED) return;
    verdict->is_upgrade = true;
    verdict->upgrade = upgrade->value;
}

enum http_error gate_check_request(const struct gate_request *request, const struct http_limits *limits,
                                   struct arena *arena, struct gate_verdict *ret_verdict) {
    struct notes notes = {.expect_unknown = false};
    bool is_1_1;
    *ret_verdict = (struct gate_verdict){.framing = BODY_NONE};
    if (!http_is_token(request->method)) return HTTP_ERROR_BAD_REQUEST;
    enum http_error error = check_version(request->version, &is_1_1);
    if (error) return error;
    if (view_eq(request->method, VIEW("CONNECT"))) return HTTP_ERROR_METHOD_NOT_ALLOWED;
    if (request->raw_target.len > limits->target_bytes || request->raw_target.len > limits->headers_bytes)
        return HTTP_ERROR_URI_TOO_LONG;
    if (!within(request->headers, limits, limits->headers_bytes - request->raw_target.len))
        return HTTP_ERROR_HEADERS_TOO_LARGE;
    if (!read_fields(request->headers, &notes) || !check_framing(&notes, is_1_1, ret_verdict) ||
        !check_target(request, &ret_verdict->target) || !check_host(&notes.host, is_1_1, arena, ret_verdict))
        return HTTP_ERROR_BAD_REQUEST;
    if (notes.expect_unknown) return HTTP_ERROR_EXPECTATION_FAILED;
    ret_verdict->expects_continue = is_1_1 && notes.expect.count > 0;
    if (is_1_1) read_upgrade(request, &notes.upgrade, ret_verdict);
    return check_websocket(request->headers, ret_verdict) ? HTTP_ERROR_NONE : HTTP_ERROR_BAD_REQUEST;
}

enum http_error gate_check_response(int status, const struct headers *headers,
                                    const struct http_limits *limits) {
    return gate_response_fault(status, headers, limits) ? HTTP_ERROR_BAD_RESPONSE : HTTP_ERROR_NONE;
}

const char *gate_response_excess(int status, const struct headers *headers,
                                 const struct http_limits *limits) {
    if (status < 200 || status > 999) return "the service sent a status that is none";
    return within(headers, limits, limits->answer_bytes) ? NULL : "the service sent too large a head";
}

const char *gate_response_fault(int status, const struct headers *headers, const struct http_limits *limits) {
    const char *excess = gate_response_excess(status, headers, limits);
    if (excess) return excess;
    return gate_check_fields(headers) ? NULL : "the service sent a field that is none";
}

bool gate_check_fields(const struct headers *headers) {
    for (size_t i = 0; i < headers->count; i++) {
        const struct header *field = &headers->fields[i];
        if (!http_is_token(field->name) || !http_is_field_value(view_trim(field->value))) return false;
    }
    return true;
}

bool http_answer_has_body(struct view method, int status) {
    return status >= 200 && status != 204 && status != 304 && !view_eq(method, VIEW("HEAD"));
}

bool http_method_is_safe(struct view method) {
    return view_eq(method, VIEW("GET")) || view_eq(method, VIEW("HEAD")) ||
           view_eq(method, VIEW("OPTIONS")) || view_eq(method, VIEW("TRACE"));
}
