/* See reload.h. The file's folder is watched, as editors put a new file in the old one's place. */
#include "reload.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

struct reload {
    struct loop *loop;
    struct agent *agent;
    const struct setup *setup;
    struct console *console;
    uv_signal_t signal;
    uv_fs_event_t watch;
    bool watches;
    unsigned open; /* handles */
    struct timer settle;
};

/* ---- what has changed ---- */

static bool is_same_text(const char *a, const char *b) {
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void look_at_top(const struct reload *reload, const struct options *now) {
    const struct options *before = &reload->setup->file.options;
    bool is_same =
        is_same_text(before->endpoint, now->endpoint) && is_same_text(before->proxy, now->proxy) &&
        is_same_text(before->token_file, now->token_file) &&
        is_same_text(before->token_command, now->token_command) &&
        is_same_text(before->ca_file, now->ca_file) && is_same_text(before->client_cert, now->client_cert) &&
        is_same_text(before->client_key, now->client_key) && is_same_text(before->inspect, now->inspect) &&
        is_same_text(before->inspect_memory, now->inspect_memory) &&
        is_same_text(before->inspect_password_file, now->inspect_password_file) &&
        before->connect_timeout_s == now->connect_timeout_s;
    if (!is_same)
        console_error(reload->console,
                      "%s: what has changed above the tunnels counts when ttf is started again",
                      reload->setup->path);
}

static const struct tunnel_options *of_label(const struct agent_file *file, const char *label) {
    for (size_t i = 0; i < file->count; i++)
        if (is_same_text(file->tunnels[i].label, label)) return &file->tunnels[i];
    return NULL;
}

static size_t end_old(const struct reload *reload, const struct agent_file *file) {
    size_t count = 0;
    for (struct agent_tunnel *tunnel = agent_first(reload->agent), *next; tunnel; tunnel = next) {
        const struct tunnel_options *before = agent_tunnel_options(tunnel);
        const struct tunnel_options *now = of_label(file, before->label);
        next = agent_next(reload->agent, tunnel);
        if (now && tunnel_options_are_equal(now, before)) continue;
        agent_remove(reload->agent, tunnel);
        count++;
    }
    return count;
}

static size_t begin_new(const struct reload *reload, const struct agent_file *file) {
    size_t count = 0;
    char error[512];
    for (size_t i = 0; i < file->count; i++) {
        if (agent_find(reload->agent, file->tunnels[i].label)) continue;
        if (agent_add(reload->agent, &file->tunnels[i], error, sizeof(error)))
            count++;
        else
            console_error(reload->console, "%s: %s", file->tunnels[i].label, error);
    }
    return count;
}

static bool read_file(const struct reload *reload, struct agent_file *file, char *error, size_t error_size) {
    const struct setup *setup = reload->setup;
    if (!agent_file_load(file, setup->path, setup->is_trusted, error, error_size)) return false;
    snprintf(error, error_size, "%s names no tunnels", setup->path);
    return file->count && agent_file_select(file, setup->options.words, setup->options.word_count,
                                            setup->path, error, error_size);
}

static void read_again(struct reload *reload) {
    char error[512];
    struct agent_file *file = calloc(1, sizeof(*file));
    if (!file) return;
    if (read_file(reload, file, error, sizeof(error))) {
        look_at_top(reload, &file->options);
        size_t ended = end_old(reload, file), begun = begin_new(reload, file);
        if (ended || begun)
            console_line(reload->console, "%s was read again: tunnels ended: %zu, begun: %zu",
                         reload->setup->path, ended, begun);
    } else {
        console_error(reload->console, "%s; nothing changes", error);
    }
    agent_file_done(file);
    free(file);
}

/* ---- when ---- */

static void on_settled(struct timer *timer) {
    read_again(LIST_ENTRY(timer, struct reload, settle));
}

static void on_signal(uv_signal_t *handle, int number) {
    (void)number;
    read_again(handle->data);
}

static void on_changed(uv_fs_event_t *handle, const char *name, int events, int status) {
    struct reload *reload = handle->data;
    const char *path = reload->setup->path, *slash = strrchr(path, '/');
    (void)events;
    if (status < 0 || (name && strcmp(name, slash ? slash + 1 : path) != 0)) return;
    timer_start(&reload->loop->timers, &reload->settle, RELOAD_SETTLE_MS);
}

static void watch_folder(struct reload *reload) {
    const char *path = reload->setup->path, *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    char *folder = slash ? view_to_cstr(view_of(path, len ? len : 1)) : strdup(".");
    int error = folder ? uv_fs_event_start(&reload->watch, on_changed, folder, 0) : UV_ENOMEM;
    if (error) log_info("reload", "%s is not watched: %s", path, uv_strerror(error));
    free(folder);
}

/* ---- life ---- */

struct reload *reload_new(struct loop *loop, struct agent *agent, const struct setup *setup,
                          struct console *console) {
    struct reload *reload = calloc(1, sizeof(*reload));
    if (!reload) return NULL;
    reload->loop = loop;
    reload->agent = agent;
    reload->setup = setup;
    reload->console = console;
    timer_init(&reload->settle, on_settled);
    uv_signal_init(&loop->uv, &reload->signal);
    uv_signal_start(&reload->signal, on_signal, SIGHUP);
    reload->watches = uv_fs_event_init(&loop->uv, &reload->watch) == 0;
    reload->open = reload->watches ? 2 : 1;
    reload->signal.data = reload->watch.data = reload;
    if (reload->watches) watch_folder(reload);
    return reload;
}

static void on_closed(uv_handle_t *handle) {
    struct reload *reload = handle->data;
    if (--reload->open == 0) free(reload);
}

void reload_stop(struct reload *reload) {
    if (!reload) return;
    timer_stop(&reload->loop->timers, &reload->settle);
    uv_close((uv_handle_t *)&reload->signal, on_closed);
    if (reload->watches) uv_close((uv_handle_t *)&reload->watch, on_closed);
}
