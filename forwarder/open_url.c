/* See open_url.h. */
#include "open_url.h"

#include <stdlib.h>

#include "base/platform.h"
#include "base/view.h"
#include "sandbox/sandbox.h"

static void on_closed(uv_handle_t *handle) {
    free(handle);
}

static void on_ended(uv_process_t *process, int64_t status, int number) {
    (void)status;
    (void)number;
    uv_close((uv_handle_t *)process, on_closed);
}

const char *open_url(struct loop *loop, const char *url) {
    char program[] = PLATFORM_OPENER, copy[2048];
    char *arguments[] = {program, copy, NULL};
    const uv_process_options_t options = {
        .file = program, .args = arguments, .exit_cb = on_ended, .flags = UV_PROCESS_DETACHED};
    struct view text = view_from_cstr(url);
    if (!view_starts_with(text, VIEW("http://")) && !view_starts_with(text, VIEW("https://")))
        return "it is no URL of the web";
    if (sandbox_holds()) return "a browser cannot be started any more: start ttf anew, or with --sandbox off";
    if (!view_copy_to(text, copy, sizeof(copy))) return "it is too long";
    uv_process_t *process = malloc(sizeof(*process));
    if (!process) return "out of memory";
    int error = uv_spawn(&loop->uv, process, &options);
    uv_unref((uv_handle_t *)process);
    if (!error) return NULL;
    uv_close((uv_handle_t *)process, on_closed);
    return error == UV_ENOENT ? "there is no " PLATFORM_OPENER : uv_strerror(error);
}
