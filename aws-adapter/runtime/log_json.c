#include "runtime/log_json.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "metrics/metrics_emf.h"
#include "protocol/json_text.h"

enum { LINE_MAX_BYTES = 16 * 1024 };

static struct { char request_id[129], tunnel_id[65]; } about;

static void append_about(struct buf *line, const char *name, const char *value) {
    if (!value[0]) return;
    buf_printf(line, ",\"%s\":", name);
    json_text_string(line, view_from_cstr(value));
}

/* In one write(2). */
static void write_line(void *ctx, enum log_level level, const char *component, struct view text) {
    (void)ctx;
    struct buf line;
    buf_init(&line, LINE_MAX_BYTES);
    const char *stamp = log_stamp();
    /* Lambda looks for a level where there is a `timestamp` (RFC 3339); `time` is what there was before */
    buf_printf(&line,
               "{\"timestamp\":\"%s\",\"time\":\"%s\",\"level\":\"%s\",\"component\":\"%s\",\"message\":",
               stamp, stamp, log_level_name(level), component);
    json_text_string(&line, text);
    append_about(&line, "requestId", about.request_id);
    append_about(&line, "tunnelId", about.tunnel_id);
    buf_append(&line, "}\n", 2);
    struct view bytes = buf_view(&line);
    if (!line.failed && write(STDOUT_FILENO, bytes.ptr, bytes.len) < 0)
        line.failed = true; /* nobody to tell */
    buf_done(&line);
}

void log_json_start(void) {
    log_set_sink(write_line, NULL);
}

void log_json_metrics(void) {
    struct timespec now;
    struct buf line;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t wall_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    buf_init(&line, METRICS_EMF_BYTES);
    while (metrics_put_emf(&line, wall_ms)) {
        struct view bytes = buf_view(&line);
        if (!line.failed && write(STDOUT_FILENO, bytes.ptr, bytes.len) < 0) line.failed = true;
        buf_clear(&line);
    }
    buf_done(&line);
}

void log_json_request(struct view request_id) {
    view_copy_to(view_slice(request_id, 0, sizeof(about.request_id) - 1), about.request_id,
                 sizeof(about.request_id));
    about.tunnel_id[0] = '\0';
}

void log_json_tunnel(struct view tunnel_id) {
    view_copy_to(view_slice(tunnel_id, 0, sizeof(about.tunnel_id) - 1), about.tunnel_id,
                 sizeof(about.tunnel_id));
}
