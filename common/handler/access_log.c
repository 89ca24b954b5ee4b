/* See access_log.h. */
#include "handler/access_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/hex.h"
#include "base/log.h"
#include "protocol/json_text.h"

enum { TARGET_SHOWN = 300, LINE_MAX_BYTES = 8192 };

static struct access_log_settings current;

void access_log_set(const struct access_log_settings *settings) {
    current = *settings;
}

bool access_log_wants_facts(void) {
    return current.form == ACCESS_FORM_JSON || current.form == ACCESS_FORM_COMBINED;
}

bool access_log_wants_fields(void) {
    return current.form == ACCESS_FORM_COMBINED;
}

bool access_form_parse(struct view text, enum access_form *ret_form) {
    static const char *const names[] = {"text", "combined", "json", "off"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!view_eq(text, view_from_cstr(names[i]))) continue;
        *ret_form = (enum access_form)i;
        return true;
    }
    return false;
}

static struct view or_dash(struct view text) {
    return text.len ? text : VIEW("-");
}

static struct view code_of(const struct access *access) {
    return access->error ? http_error_code(access->error) : VIEW("-");
}

/* ---- the log's own ---- */

static void put_text_line(struct buf *out, const struct access *access) {
    static const struct view how[] = {{"", 0}, {" cut", 4}, {" aborted", 8}};
    buf_append_view(out, or_dash(access->client));
    buf_append_byte(out, ' ');
    buf_append_view(out, access->method);
    buf_append_byte(out, ' ');
    log_redact_target(out, view_slice(access->target, 0, TARGET_SHOWN));
    buf_append_byte(out, ' ');
    buf_append_number(out, (uint64_t)(access->status > 0 ? access->status : 0));
    buf_append_byte(out, ' ');
    buf_append_number(out, access->end_ms - access->begin_ms);
    buf_append_view(out, VIEW("ms "));
    buf_append_number(out, access->bytes_out);
    buf_append_view(out, VIEW("B tunnel="));
    buf_append_view(out, or_dash(access->tunnel));
    buf_append_view(out, VIEW(" error="));
    buf_append_view(out, code_of(access));
    if (access->quota) buf_printf(out, " quota=%.*s", VIEW_ARG(quota_name(access->quota)));
    buf_append_view(out, how[access->fate]);
}

/* Of another gateway's request that one writes the line. */
static void write_text(const struct access *access) {
    enum log_level level = access->from_peer ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
    if (!log_enabled(level)) return;
    struct buf line;
    buf_init(&line, LINE_MAX_BYTES);
    put_text_line(&line, access);
    if (!line.failed) log_line(level, LOG_ACCESS, buf_view(&line));
    buf_done(&line);
}

/* ---- what both others show ---- */

/* Without its query, or with one in which secrets are hidden. */
static void put_target(struct buf *out, struct view target) {
    struct view path = view_slice(target, 0, view_find(target, '?'));
    if (!current.shows_query) target = view_slice(path, 0, view_find(path, '#'));
    log_redact_target(out, view_slice(target, 0, TARGET_SHOWN));
}

/* What ends a quoted text, and what a terminal would take for something else, as Apache writes it. */
static void put_quoted(struct buf *out, struct view text) {
    text = view_slice(text, 0, TARGET_SHOWN);
    buf_append_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.ptr[i];
        char escaped[4] = {'\\', 'x'};
        hex_print(escaped + 2, &byte, 1);
        if (byte < 0x20 || byte >= 0x7f || byte == '"' || byte == '\\')
            buf_append(out, escaped, sizeof(escaped));
        else
            buf_append_byte(out, (char)byte);
    }
    buf_append_byte(out, '"');
}

/* ---- combined ---- */

static void put_request_line(struct buf *out, const struct access *access) {
    struct buf line;
    buf_init(&line, LINE_MAX_BYTES);
    buf_printf(&line, "%.*s ", VIEW_ARG(access->method));
    put_target(&line, access->target);
    buf_printf(&line, " %.*s", VIEW_ARG(or_dash(access->version)));
    put_quoted(out, buf_view(&line));
    buf_done(&line);
}

static void put_referer(struct buf *out, struct view referer) {
    struct buf shown;
    buf_init(&shown, LINE_MAX_BYTES);
    put_target(&shown, referer);
    put_quoted(out, or_dash(buf_view(&shown)));
    buf_done(&shown);
}

/* A user's name has no spaces there. */
static void put_owner(struct buf *out, struct view owner) {
    owner = or_dash(owner);
    for (size_t i = 0; i < owner.len; i++)
        buf_append_byte(out, owner.ptr[i] > ' ' && owner.ptr[i] < 0x7f && owner.ptr[i] != '"' ? owner.ptr[i]
                                                                                              : '_');
}

static void put_combined(struct buf *out, const struct access *access) {
    char stamp[64];
    time_t now = time(NULL);
    struct tm fields;
    gmtime_r(&now, &fields);
    strftime(stamp, sizeof(stamp), "%d/%b/%Y:%H:%M:%S +0000", &fields);
    buf_printf(out, "%.*s - ", VIEW_ARG(or_dash(access->client)));
    put_owner(out, access->owner);
    buf_printf(out, " [%s] ", stamp);
    put_request_line(out, access);
    buf_printf(out, " %d %" PRIu64 " ", access->status, access->bytes_out);
    put_referer(out, access->referer);
    buf_append_byte(out, ' ');
    put_quoted(out, or_dash(access->agent));
    buf_append_byte(out, '\n');
}

/* ---- JSON ---- */

static void put_text(struct buf *out, const char *name, struct view value) {
    if (!value.len) return;
    buf_printf(out, ",\"%s\":", name);
    json_text_string(out, value);
}

static void put_seconds(struct buf *out, const char *name, uint64_t us) {
    buf_printf(out, ",\"%s\":%" PRIu64 ".%06" PRIu64, name, us / 1000000, us % 1000000);
}

static void put_times(struct buf *out, const struct access *access) {
    put_seconds(out, "duration", metrics_now_us() - access->begin_us);
    if (!access->given_us || !access->answered_us) return;
    put_seconds(out, "service_duration", access->answered_us - access->given_us);
    if (access->passed_us)
        put_seconds(out, "own_duration",
                    access->given_us - access->begin_us + access->passed_us - access->answered_us);
}

static void put_json(struct buf *out, const struct access *access) {
    static const char *const fates[] = {"whole", "cut", "aborted"};
    struct buf target;
    buf_init(&target, LINE_MAX_BYTES);
    put_target(&target, access->target);
    buf_printf(out, "{\"time\":\"%s\",\"status\":%d,\"fate\":\"%s\"", log_stamp(), access->status,
               fates[access->fate]);
    put_text(out, "error", access->error ? http_error_code(access->error) : VIEW(""));
    put_text(out, "quota", quota_name(access->quota));
    put_text(out, "method", access->method);
    put_text(out, current.shows_query ? "target" : "path", buf_view(&target));
    put_text(out, "tunnel", access->tunnel);
    put_text(out, "owner", access->owner);
    put_text(out, "client", access->client);
    put_text(out, "protocol", access->version);
    put_text(out, "agent_protocol", access->agent_protocol);
    buf_printf(out, ",\"bytes_in\":%" PRIu64 ",\"bytes_out\":%" PRIu64, access->bytes_in, access->bytes_out);
    put_times(out, access);
    put_text(out, "request_id", access->x_request_id);
    put_text(out, "trace_id", access->trace_id);
    put_text(out, "gateway", current.gateway);
    if (access->sent_again) buf_append_view(out, VIEW(",\"sent_again\":true"));
    buf_append_view(out, VIEW("}\n"));
    buf_done(&target);
}

void access_log_write(const struct access *access) {
    if (current.form == ACCESS_FORM_TEXT) write_text(access);
    if (!access_log_wants_facts() || access->from_peer) return;
    struct buf line;
    buf_init(&line, LINE_MAX_BYTES);
    if (current.form == ACCESS_FORM_JSON)
        put_json(&line, access);
    else
        put_combined(&line, access);
    if (!line.failed) current.write(current.ctx, buf_view(&line));
    buf_done(&line);
}

/* Nothing in a combined log can say so. */
size_t access_log_missing(char *out, size_t size, uint64_t lines) {
    if (current.form != ACCESS_FORM_JSON) return 0;
    int len = snprintf(out, size, "{\"time\":\"%s\",\"missing_lines\":%" PRIu64 "}\n", log_stamp(), lines);
    return len < 0 ? 0 : (size_t)len < size ? (size_t)len : size;
}
