/* See token_command.h. */
#include "token_command.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/platform.h"
#include "base/utf8.h"

#define SAID_MAX 300 /* bytes of what it says on standard error */

struct pipe {
    uv_pipe_t uv;
    bool has_ended;
    size_t len, room;
    char *bytes;
};

/* One time that it runs: its handles may close later than the next one begins. */
struct run {
    struct token_command *owner; /* NULL: nobody waits for it any more */
    uv_process_t process;
    struct pipe out, err;
    unsigned open; /* handles */
    bool has_exited;
    int64_t status;
    int signal;
    char printed[TOKEN_MAX + 64], said[SAID_MAX + 1];
};

struct token_command {
    struct loop *loop;
    const char *text;
    struct token *token;
    struct list waiting; /* struct token_wait.node */
    struct run *run;     /* NULL: none is under way */
    struct timer limit;
    struct task tell;
    bool has_failed;
    char error[SAID_MAX + 200];
};

/* ---- the end of a run ---- */

static void on_closed(uv_handle_t *handle) {
    struct run *run = handle->data;
    if (--run->open) return;
    memset(run->printed, 0, sizeof(run->printed));
    free(run);
}

/* With all that it has started: it leads a group of its own. */
static void run_abandon(struct run *run) {
    run->owner = NULL;
    if (!run->has_exited && run->process.pid > 0) platform_kill_group(run->process.pid);
    uv_close((uv_handle_t *)&run->out.uv, on_closed);
    uv_close((uv_handle_t *)&run->err.uv, on_closed);
    if (run->has_exited) uv_close((uv_handle_t *)&run->process, on_closed);
}

/* Its output is told of later, by a task: nobody hears of it from within asking. */
static void conclude(struct token_command *command, const char *error) {
    timer_stop(&command->loop->timers, &command->limit);
    command->has_failed = error != NULL;
    if (error && error != command->error) snprintf(command->error, sizeof(command->error), "%s", error);
    if (command->run) run_abandon(command->run);
    command->run = NULL;
    tasks_post(&command->loop->tasks, &command->tell);
}

static void on_tell(struct task *task) {
    struct token_command *command = LIST_ENTRY(task, struct token_command, tell);
    struct list heard, *node;
    const char *error = command->has_failed ? command->error : NULL;
    list_init(&heard);
    while ((node = list_pop(&command->waiting))) list_append(&heard, node);
    while ((node = list_pop(&heard))) {
        struct token_wait *wait = LIST_ENTRY(node, struct token_wait, node);
        list_init(&wait->node);
        wait->done(wait, error);
    }
}

/* ---- what it came to ---- */

/* What it said, as one line that a terminal can show. */
static void print_said(const struct run *run, char *out, size_t size) {
    size_t len = 0, count;
    for (size_t at = 0; at < run->err.len && len + 5 < size; at += count ? count : 1) {
        uint32_t code = 0;
        count = utf8_next((const unsigned char *)run->said + at, run->err.len - at, &code);
        bool is_shown = count && code > 0x20 && (code < 0x7f || code >= 0xa0);
        if (!is_shown && len && out[len - 1] != ' ') out[len++] = ' ';
        if (is_shown) memcpy(out + len, run->said + at, count), len += count;
    }
    while (len && out[len - 1] == ' ') len--;
    out[len] = '\0';
}

static void fail_of_exit(struct token_command *command, const struct run *run) {
    char said[SAID_MAX + 1], how[64];
    print_said(run, said, sizeof(said));
    if (run->signal)
        snprintf(how, sizeof(how), "was ended by signal %d", run->signal);
    else
        snprintf(how, sizeof(how), "failed with exit code %d", (int)run->status);
    snprintf(command->error, sizeof(command->error), "the token command %s%s%s", how, said[0] ? ": " : "",
             said);
    conclude(command, command->error);
}

static void take_printed(struct token_command *command, const struct run *run) {
    struct view printed = view_of(run->printed, run->out.len);
    char text[TOKEN_MAX + 1];
    const char *why;
    if (token_take(view_slice(printed, 0, view_find(printed, '\n')), text, &why)) {
        memcpy(command->token->text, text, sizeof(text));
        conclude(command, NULL);
    } else {
        snprintf(command->error, sizeof(command->error), "what the token command prints %s", why);
        conclude(command, command->error);
    }
    memset(text, 0, sizeof(text));
}

static void look(struct run *run, bool is_late) {
    struct token_command *command = run->owner;
    if (!command) return;
    bool has_succeeded = run->has_exited && !run->status && !run->signal;
    if (run->out.len == run->out.room)
        conclude(command, "the token command prints more than 8 KiB");
    else if (has_succeeded && (run->out.has_ended || is_late))
        take_printed(command, run);
    else if (run->has_exited && !has_succeeded && (run->err.has_ended || is_late))
        fail_of_exit(command, run);
    else if (is_late)
        conclude(command, "the token command takes longer than 30 s");
}

static void on_late(struct timer *timer) {
    struct token_command *command = LIST_ENTRY(timer, struct token_command, limit);
    look(command->run, true);
}

/* ---- a run ---- */

static void on_exited(uv_process_t *process, int64_t status, int number) {
    struct run *run = process->data;
    run->has_exited = true;
    run->status = status;
    run->signal = number;
    if (run->owner)
        look(run, false);
    else
        uv_close((uv_handle_t *)process, on_closed);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_room) {
    static char nowhere[512]; /* what is too much on standard error is thrown away */
    const struct run *run = handle->data;
    const struct pipe *pipe = handle == (const uv_handle_t *)&run->out.uv ? &run->out : &run->err;
    (void)suggested;
    bool is_full = pipe->len == pipe->room;
    *ret_room = uv_buf_init(is_full ? nowhere : pipe->bytes + pipe->len,
                            is_full ? (unsigned)sizeof(nowhere) : (unsigned)(pipe->room - pipe->len));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf) {
    struct run *run = stream->data;
    struct pipe *pipe = stream == (uv_stream_t *)&run->out.uv ? &run->out : &run->err;
    (void)buf;
    if (count > 0 && pipe->len < pipe->room) pipe->len += (size_t)count;
    if (count < 0) {
        pipe->has_ended = true;
        uv_read_stop(stream);
    }
    look(run, false);
}

static void open_pipe(struct run *run, struct loop *loop, struct pipe *pipe, char *bytes, size_t room) {
    uv_pipe_init(&loop->uv, &pipe->uv, 0);
    pipe->uv.data = run;
    pipe->bytes = bytes;
    pipe->room = room;
    run->open++;
}

static uv_stdio_container_t into(struct pipe *pipe) {
    return (uv_stdio_container_t){.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
                                  .data.stream = (uv_stream_t *)&pipe->uv};
}

/* NULL, or what is wrong. */
static const char *start(struct token_command *command, struct run *run) {
    char shell[] = PLATFORM_SHELL, option[] = PLATFORM_SHELL_OPTION;
    char *arguments[] = {shell, option, (char *)(uintptr_t)command->text, NULL};
    open_pipe(run, command->loop, &run->out, run->printed, sizeof(run->printed));
    open_pipe(run, command->loop, &run->err, run->said, SAID_MAX);
    uv_stdio_container_t stdio[] = {{.flags = UV_IGNORE}, into(&run->out), into(&run->err)};
    const uv_process_options_t options = {.file = shell,
                                          .args = arguments,
                                          .exit_cb = on_exited,
                                          /* a group of its own, to be ended; and the command as it stands */
                                          .flags =
                                              UV_PROCESS_DETACHED | UV_PROCESS_WINDOWS_VERBATIM_ARGUMENTS,
                                          .stdio = stdio,
                                          .stdio_count = 3};
    run->open++;
    int error = uv_spawn(&command->loop->uv, &run->process, &options);
    run->process.data = run;
    run->has_exited = error != 0;
    if (error) return uv_strerror(error);
    uv_read_start((uv_stream_t *)&run->out.uv, on_room, on_read);
    uv_read_start((uv_stream_t *)&run->err.uv, on_room, on_read);
    return timer_start(&command->loop->timers, &command->limit, TOKEN_COMMAND_MS) ? NULL : "out of memory";
}

static void begin(struct token_command *command) {
    struct run *run = command->run = calloc(1, sizeof(*run));
    if (run) run->owner = command;
    const char *wrong = run ? start(command, run) : "out of memory";
    if (!wrong) return;
    snprintf(command->error, sizeof(command->error), "the token command does not start: %s", wrong);
    conclude(command, command->error);
}

/* ---- who asks ---- */

void token_wait_init(struct token_wait *wait, void (*done)(struct token_wait *wait, const char *error)) {
    list_init(&wait->node);
    wait->done = done;
}

void token_command_ask(struct token_command *command, struct token_wait *wait) {
    if (!list_empty(&wait->node)) return;
    list_append(&command->waiting, &wait->node);
    if (!command->run) begin(command);
}

void token_wait_cancel(struct token_wait *wait) {
    list_remove(&wait->node);
    list_init(&wait->node);
}

/* ---- life ---- */

struct token_command *token_command_new(struct loop *loop, const char *text, struct token *token) {
    struct token_command *command = calloc(1, sizeof(*command));
    if (!command) return NULL;
    command->loop = loop;
    command->text = text;
    command->token = token;
    list_init(&command->waiting);
    timer_init(&command->limit, on_late);
    task_init(&command->tell, on_tell);
    return command;
}

void token_command_free(struct token_command *command) {
    struct list *node;
    if (!command) return;
    timer_stop(&command->loop->timers, &command->limit);
    task_cancel(&command->tell);
    while ((node = list_pop(&command->waiting))) list_init(node);
    if (command->run) run_abandon(command->run);
    free(command);
}
