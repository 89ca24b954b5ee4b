/* What the API says of a record, in ngrok's shape (its agent API's "captured requests"). */
#include <time.h>

#include "http/reason.h"
#include "inspect/decoded.h"
#include "inspect/inspect_state.h"
#include "protocol/json_text.h"

static uint64_t duration_ms(const struct inspect *inspect, const struct store_record *record) {
    return (record->ended_ms ? record->ended_ms : loop_now(inspect->loop)) - record->began_ms;
}

static void add_time(struct buf *out, uint64_t wall_ms) {
    char text[32];
    struct tm parts;
    time_t seconds = (time_t)(wall_ms / 1000);
    gmtime_r(&seconds, &parts);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
    buf_printf(out, "\"%s.%03uZ\"", text, (unsigned)(wall_ms % 1000));
}

static struct view tunnel_name(const struct store_record *record) {
    return record->tunnel.len ? record->tunnel : VIEW(INSPECT_ONLY_TUNNEL);
}

/* "content-type" as Go and browsers' tools write it. */
static void add_name(struct buf *out, struct view name) {
    char text[256];
    if (name.len > sizeof(text)) {
        json_text_string(out, name);
        return;
    }
    bool at_word = true;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        text[i] = at_word && c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
        at_word = c == '-';
    }
    json_text_string(out, view_of(text, name.len));
}

static bool is_first_of_name(const struct store_message *message, size_t at) {
    for (size_t i = 0; i < at; i++)
        if (view_eq(message->fields[i].name, message->fields[at].name)) return false;
    return true;
}

/* {"Name":["value","value"]} */
static void add_fields(struct buf *out, const struct store_message *message) {
    bool is_first = true;
    buf_append_byte(out, '{');
    for (size_t i = 0; i < message->count; i++) {
        if (!is_first_of_name(message, i)) continue;
        if (!is_first) buf_append_byte(out, ',');
        is_first = false;
        add_name(out, message->fields[i].name);
        buf_append_view(out, VIEW(":["));
        for (size_t j = i, values = 0; j < message->count; j++) {
            if (!view_eq(message->fields[j].name, message->fields[i].name)) continue;
            if (values++) buf_append_byte(out, ',');
            json_text_string(out, message->fields[j].value);
        }
        buf_append_byte(out, ']');
    }
    buf_append_byte(out, '}');
}

/* The message as it passed, of its body what is kept; in base64. */
static void add_raw(struct buf *out, struct view line, const struct store_message *message) {
    struct buf raw;
    buf_init(&raw, STORE_BODY_MAX + (size_t)1024 * 1024);
    buf_append_view(&raw, line);
    buf_append_view(&raw, VIEW("\r\n"));
    for (size_t i = 0; i < message->count; i++) {
        buf_append_view(&raw, message->fields[i].name);
        buf_append_view(&raw, VIEW(": "));
        buf_append_view(&raw, message->fields[i].value);
        buf_append_view(&raw, VIEW("\r\n"));
    }
    buf_append_view(&raw, VIEW("\r\n"));
    buf_append_view(&raw, buf_view(&message->body));
    json_text_base64(out, buf_view(&raw));
    buf_done(&raw);
}

static struct view coding_of(const struct store_message *message) {
    for (size_t i = 0; i < message->count; i++)
        if (view_eq(message->fields[i].name, VIEW("content-encoding"))) return message->fields[i].value;
    return VIEW("");
}

static void add_decoded(struct buf *out, const struct store_message *message) {
    struct buf decoded;
    bool is_whole;
    if (decoded_body(coding_of(message), buf_view(&message->body), &decoded, &is_whole)) {
        buf_printf(out, ",\"decoded\":");
        json_text_base64(out, buf_view(&decoded));
        buf_printf(out, ",\"decoded_whole\":%s", is_whole ? "true" : "false");
    }
    buf_done(&decoded);
}

/* The fields in their order, and the bodies: what the page shows and what is sent when it is repeated. */
static void add_message(struct buf *out, const struct store_message *message, bool decodes) {
    buf_printf(out, ",\"fields\":[");
    for (size_t i = 0; i < message->count; i++) {
        buf_append_view(out, i ? VIEW(",[") : VIEW("["));
        json_text_string(out, message->fields[i].name);
        buf_append_byte(out, ',');
        json_text_string(out, message->fields[i].value);
        buf_append_byte(out, ']');
    }
    buf_printf(out, "],\"body_bytes\":%llu,\"body\":", (unsigned long long)message->body_bytes);
    json_text_base64(out, buf_view(&message->body));
    if (decodes) add_decoded(out, message);
    buf_append_byte(out, '}');
}

static void add_request(struct buf *out, const struct store_record *record, bool decodes) {
    struct buf line;
    buf_init(&line, (size_t)256 * 1024);
    buf_append_view(&line, record->method);
    buf_append_byte(&line, ' ');
    buf_append_view(&line, record->target);
    buf_append_view(&line, VIEW(" HTTP/1.1"));
    buf_printf(out, ",\"request\":{\"method\":");
    json_text_string(out, record->method);
    buf_printf(out, ",\"proto\":\"HTTP/1.1\",\"headers\":");
    add_fields(out, &record->request);
    buf_printf(out, ",\"uri\":");
    json_text_string(out, record->target);
    buf_printf(out, ",\"raw\":");
    add_raw(out, buf_view(&line), &record->request);
    add_message(out, &record->request, decodes);
    buf_done(&line);
}

static void add_answer(struct buf *out, const struct store_record *record, bool decodes) {
    char line[128], status[100];
    int code = record->service_status;
    snprintf(status, sizeof(status), "%d %.*s", code, VIEW_ARG(http_reason(code)));
    snprintf(line, sizeof(line), "HTTP/1.1 %s", status);
    buf_printf(out, ",\"response\":{\"status\":\"%s\",\"status_code\":%d,\"proto\":\"HTTP/1.1\",\"headers\":",
               status, code);
    add_fields(out, &record->answer);
    buf_printf(out, ",\"raw\":");
    add_raw(out, view_from_cstr(line), &record->answer);
    add_message(out, &record->answer, decodes);
}

/* What both shapes begin with. */
static void add_common(const struct inspect *inspect, const struct store_record *record, struct buf *out) {
    unsigned long long id = record->id;
    buf_printf(out, "{\"uri\":\"/api/requests/http/%llu\",\"id\":\"%llu\",\"tunnel_name\":", id, id);
    json_text_string(out, tunnel_name(record));
    buf_printf(out, ",\"start\":");
    add_time(out, record->wall_ms);
    buf_printf(out, ",\"duration\":%llu,\"first_byte_ms\":",
               (unsigned long long)duration_ms(inspect, record) * 1000000ull);
    if (record->head_ms)
        buf_append_number(out, record->head_ms - record->began_ms);
    else
        buf_printf(out, "null");
    buf_printf(out, ",\"ended\":%s,\"visitor_status\":%d,\"repeatable\":%s,\"error\":",
               record->ended_ms ? "true" : "false", record->status,
               store_can_be_repeated(record) ? "true" : "false");
    if (record->code)
        json_text_string(out, view_from_cstr(record->code));
    else
        buf_printf(out, "null");
    if (record->replay_of) buf_printf(out, ",\"replay_of\":\"%llu\"", (unsigned long long)record->replay_of);
}

static void add_record(const struct inspect *inspect, const struct store_record *record, bool decodes,
                       struct buf *out) {
    struct view visitor = {0};
    for (size_t i = 0; i < record->request.count; i++)
        if (view_eq(record->request.fields[i].name, VIEW("x-forwarded-for")))
            visitor = record->request.fields[i].value;
    add_common(inspect, record, out);
    buf_printf(out, ",\"remote_addr\":");
    json_text_string(out, view_trim(view_slice(visitor, 0, view_find(visitor, ','))));
    if (record->detail) {
        buf_printf(out, ",\"detail\":");
        json_text_string(out, view_from_cstr(record->detail));
    }
    add_request(out, record, decodes);
    if (record->answer.is_there) add_answer(out, record, decodes);
    buf_append_byte(out, '}');
}

void record_json(const struct inspect *inspect, const struct store_record *record, struct buf *out) {
    add_record(inspect, record, false, out);
}

void record_json_decoded(const struct inspect *inspect, const struct store_record *record, struct buf *out) {
    add_record(inspect, record, true, out);
}

void record_json_line(const struct inspect *inspect, const struct store_record *record, struct buf *out) {
    add_common(inspect, record, out);
    buf_printf(out, ",\"method\":");
    json_text_string(out, record->method);
    buf_printf(out, ",\"path\":");
    json_text_string(out, view_slice(record->target, 0, 2048));
    buf_printf(out, ",\"upgrade\":");
    json_text_string(out, record->upgrade);
    buf_printf(out, ",\"request_bytes\":%llu,\"response_bytes\":%llu}",
               (unsigned long long)record->request.body_bytes, (unsigned long long)record->answer.body_bytes);
}
