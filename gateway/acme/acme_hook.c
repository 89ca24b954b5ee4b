/* See acme_hook.h. */
#include "acme/acme_hook.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_MS 300000
#define VARIABLES_MAX 64

struct acme_hook {
    uv_process_t process;
    struct loop *loop;
    struct timer deadline;
    bool is_late;
    acme_hook_fn *done; /* NULL: nobody waits any more */
    void *ctx;
};

extern char **environ;

static bool is_passed(const char *variable) {
    static const char *const names[] = {"PATH=", "HOME=", "LANG=", "TMPDIR=", "ACME_DNS_"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strncmp(variable, names[i], strlen(names[i])) == 0) return true;
    return false;
}

static void pick_variables(char *out[VARIABLES_MAX + 1]) {
    size_t count = 0;
    for (char **at = environ; *at && count < VARIABLES_MAX; at++)
        if (is_passed(*at)) out[count++] = *at;
    out[count] = NULL;
}

static void on_closed(uv_handle_t *handle) {
    free(handle->data);
}

static void on_ended(uv_process_t *process, int64_t code, int number) {
    struct acme_hook *hook = process->data;
    acme_hook_fn *done = hook->done;
    void *ctx = hook->ctx;
    char why[80];
    if (hook->is_late)
        snprintf(why, sizeof(why), "it did not end within 5 minutes");
    else if (number)
        snprintf(why, sizeof(why), "it was ended by signal %d", number);
    else
        snprintf(why, sizeof(why), "it exited with %d", (int)code);
    bool is_good = code == 0 && number == 0 && !hook->is_late;
    timer_stop(&hook->loop->timers, &hook->deadline);
    uv_close((uv_handle_t *)process, on_closed);
    if (done) done(ctx, is_good ? NULL : why);
}

static void on_deadline(struct timer *timer) {
    struct acme_hook *hook = LIST_ENTRY(timer, struct acme_hook, deadline);
    hook->is_late = true;
    uv_process_kill(&hook->process, SIGKILL);
}

static int spawn(struct acme_hook *hook, char **arguments) {
    char *variables[VARIABLES_MAX + 1];
    uv_stdio_container_t streams[3] = {
        {.flags = UV_IGNORE}, {.flags = UV_INHERIT_FD, .data.fd = 2}, {.flags = UV_INHERIT_FD, .data.fd = 2}};
    pick_variables(variables);
    uv_process_options_t options = {.exit_cb = on_ended,
                                    .file = arguments[0],
                                    .args = arguments,
                                    .env = variables,
                                    .stdio = streams,
                                    .stdio_count = 3};
    return uv_spawn(&hook->loop->uv, &hook->process, &options);
}

struct acme_hook *acme_hook_start(struct loop *loop, const char *program, const char *verb,
                                  const char *domain, const char *value, acme_hook_fn *done, void *ctx,
                                  const char **ret_why) {
    char name[300], *arguments[] = {(char *)program, (char *)verb, name, (char *)value, NULL};
    struct acme_hook *hook = calloc(1, sizeof(*hook));
    *ret_why = "out of memory";
    if (!hook) return NULL;
    snprintf(name, sizeof(name), "_acme-challenge.%s", domain);
    *hook = (struct acme_hook){.loop = loop, .done = done, .ctx = ctx};
    hook->process.data = hook;
    timer_init(&hook->deadline, on_deadline);
    int error = spawn(hook, arguments);
    if (error) {
        *ret_why = uv_strerror(error);
        uv_close((uv_handle_t *)&hook->process, on_closed);
        return NULL;
    }
    timer_start(&loop->timers, &hook->deadline, MOST_MS);
    return hook;
}

void acme_hook_cancel(struct acme_hook *hook) {
    if (!hook) return;
    hook->done = NULL;
    timer_stop(&hook->loop->timers, &hook->deadline);
    uv_process_kill(&hook->process, SIGKILL);
}
