/* libFuzzer target: the request gate, as if the most careless of parsers stood in front of it. The input's
 * first line is method, target and version, cut at its first and its last space; each further line a field,
 * cut at its first colon and not trimmed. The same fields then come back as an answer. */
#include "fuzz.h"
#include "http/chars.h"
#include "http/gate.h"
#include "http/hop.h"

static const struct http_limits limits = {.target_bytes = 512,
                                          .v1_path_bytes = 256,
                                          .header_value_bytes = 256,
                                          .headers_bytes = 1024,
                                          .headers_count = 32};

static void read_first_line(struct view line, struct gate_request *request) {
    size_t first = view_find(line, ' '), last = view_find_last(line, ' ');
    request->method = view_slice(line, 0, first);
    request->raw_target = view_slice(line, first + 1, last > first ? last : line.len);
    request->version = last < line.len ? view_skip(line, last + 1) : view_slice(line, 0, 0);
}

static void read_fields(struct view rest, struct headers *headers) {
    while (rest.ptr) {
        struct view line = take_line(&rest);
        size_t colon = view_find(line, ':');
        headers_add(headers, view_slice(line, 0, colon), view_skip(line, colon + 1));
    }
}

static void require_clean(const struct headers *headers) {
    require(headers->count <= limits.headers_count && headers->bytes <= limits.headers_bytes);
    for (size_t i = 0; i < headers->count; i++) {
        struct view value = headers->fields[i].value;
        require(http_is_token(headers->fields[i].name) && value.len <= limits.header_value_bytes);
        for (size_t j = 0; j < value.len; j++)
            require(value.ptr[j] != '\r' && value.ptr[j] != '\n' && value.ptr[j] != '\0');
    }
}

static void require_one_framing(const struct headers *headers, const struct gate_verdict *verdict) {
    size_t lengths = headers_count(headers, VIEW("content-length"));
    size_t codings = headers_count(headers, VIEW("transfer-encoding"));
    require(lengths == (verdict->framing == BODY_LENGTH) && codings == (verdict->framing == BODY_CHUNKED));
    if (codings) require(view_eq_nocase(headers_get(headers, VIEW("transfer-encoding")), VIEW("chunked")));
}

static void require_sound(const struct gate_request *request, const struct gate_verdict *verdict) {
    bool is_1_1 = view_eq(request->version, VIEW("HTTP/1.1"));
    require(http_is_token(request->method) && !view_eq(request->method, VIEW("CONNECT")));
    require(is_1_1 || view_eq(request->version, VIEW("HTTP/1.0")));
    require(request->raw_target.len <= limits.target_bytes && verdict->target.form != TARGET_AUTHORITY);
    require(verdict->target.form == TARGET_ASTERISK || verdict->target.path.ptr[0] == '/');
    require(verdict->host.name.len > 0 && verdict->host_field.len >= verdict->host.name.len);
    require(headers_count(request->headers, VIEW("host")) <= 1);
    require(is_1_1 ||
            (verdict->framing != BODY_CHUNKED && !verdict->expects_continue && !verdict->is_upgrade));
    require(!verdict->is_upgrade ||
            (verdict->upgrade.len && headers_count(request->headers, VIEW("upgrade")) == 1));
    require_clean(request->headers);
    require_one_framing(request->headers, verdict);
}

static bool is_ours(struct view name) {
    return view_starts_with(name, VIEW("x-tunnel-"));
}

/* What the tunnel takes off, it takes off whole, and nothing that decides where a request goes. */
static void require_stripped(struct headers *headers) {
    static const char *const hop[] = {"connection", "keep-alive", "proxy-connection",  "te",
                                      "trailer",    "upgrade",    "transfer-encoding", "proxy-authorization"};
    static const char *const kept[] = {"host", "content-length", "cookie", "authorization",
                                       "x-forwarded-for"};
    size_t before[sizeof(kept) / sizeof(kept[0])];
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        before[i] = headers_count(headers, view_from_cstr(kept[i]));
    hop_strip(headers);
    hop_strip_ours(headers, (struct view){NULL, 0});
    for (size_t i = 0; i < sizeof(hop) / sizeof(hop[0]); i++)
        require(headers_count(headers, view_from_cstr(hop[i])) == 0);
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        require(headers_count(headers, view_from_cstr(kept[i])) == before[i]);
    for (size_t i = 0; i < headers->count; i++) require(!is_ours(headers->fields[i].name));
}

static void check_answer(int status, struct headers *headers) {
    enum http_error error = gate_check_response(status, headers, &limits);
    require(error == HTTP_ERROR_NONE || error == HTTP_ERROR_BAD_RESPONSE);
    if (error) return;
    require(status >= 200 && status <= 999);
    require_clean(headers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena;
    struct headers headers;
    struct gate_verdict verdict;
    struct gate_request request = {.headers = &headers};
    char *copy = exact_copy(view_of(data, size));
    struct view rest = view_of(copy, size);
    arena_init(&arena, (size_t)4 * 1024 * 1024);
    headers_init(&headers, &arena);
    read_first_line(take_line(&rest), &request);
    read_fields(rest, &headers);
    if (gate_check_request(&request, &limits, &arena, &verdict) == HTTP_ERROR_NONE)
        require_sound(&request, &verdict);
    check_answer(size ? data[0] * 4 : 200, &headers);
    require_stripped(&headers);
    arena_done(&arena);
    free(copy);
    return 0;
}
