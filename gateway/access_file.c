/* See access_file.h. */
#include "access_file.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "base/output.h"
#include "log_buffer.h"

#define BUFFER_BYTES (64 * 1024)

static struct {
    struct loop_hook hook;
    uv_signal_t signal;
    struct output *output; /* NULL: lines go to standard error */
    size_t used;
    char bytes[BUFFER_BYTES];
} file;

static void flush(void) {
    output_write(file.output, view_of(file.bytes, file.used));
    file.used = 0;
}

static bool on_turn(struct loop_hook *hook) {
    (void)hook;
    if (file.used) flush();
    return false;
}

static void to_file(void *ctx, struct view line) {
    (void)ctx;
    if (sizeof(file.bytes) - file.used < line.len) flush();
    memcpy(file.bytes + file.used, line.ptr, line.len);
    file.used += line.len;
}

static void to_stderr(void *ctx, struct view line) {
    (void)ctx;
    log_buffer_add(line);
}

static void on_hangup(uv_signal_t *signal, int number) {
    (void)signal, (void)number;
    output_reopen(file.output);
}

static bool open_output(struct loop *loop, const char *path) {
    bool is_syslog = strcmp(path, "syslog") == 0;
    if (is_syslog) path = "/dev/log";
    file.output = is_syslog ? output_new_syslog(path, "ttf-gateway", access_log_missing)
                            : output_new_file(path, access_log_missing);
    if (!file.output) {
        fprintf(stderr, "ttf-gateway: --access-log: %s: %s\n", path, strerror(errno));
        return false;
    }
    loop_hook_init(&file.hook, on_turn);
    loop_hook_add(loop, &file.hook);
    uv_signal_init(&loop->uv, &file.signal);
    uv_signal_start(&file.signal, on_hangup, SIGHUP);
    return true;
}

bool access_file_start(struct loop *loop, const struct config *config, const char *gateway) {
    bool is_stderr = strcmp(config->access_log, "stderr") == 0;
    if (!is_stderr && !open_output(loop, config->access_log)) return false;
    const struct access_log_settings settings = {.form = config->access_form,
                                                 .shows_query = config->access_log_query,
                                                 .gateway = view_from_cstr(gateway),
                                                 .write = is_stderr ? to_stderr : to_file};
    access_log_set(&settings);
    return true;
}

uint64_t access_file_dropped(void) {
    return output_dropped(file.output);
}

void access_file_stop(void) {
    if (!file.output) return;
    flush();
    loop_hook_remove(&file.hook);
    uv_close((uv_handle_t *)&file.signal, NULL);
    output_close(file.output, OUTPUT_PATIENCE_MS);
    file.output = NULL;
    access_log_set(&(struct access_log_settings){.form = ACCESS_FORM_OFF});
}
