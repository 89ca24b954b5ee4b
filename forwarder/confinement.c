/* See confinement.h. */
#include "confinement.h"

#include <stdlib.h>

#include "base/log.h"
#include "resume_store.h"
#include "sandbox/sandbox.h"
#include "user_dir.h"

static bool starts_programs(const struct setup *setup) {
    if (setup->options.token_command) return true;
    for (size_t i = 0; i < setup->count; i++)
        if (setup->tunnels[i].open) return true;
    return false;
}

static struct sandbox enter(void) {
    char error[256], *dir = resume_store_default_dir();
    if (dir) user_dir_prepare(dir, error, sizeof(error)); /* who opens it later says what is wrong */
    const char *const writable[] = {dir, "/dev"};
    struct sandbox sandbox = sandbox_enter(writable, sizeof(writable) / sizeof(writable[0]));
    free(dir);
    return sandbox;
}

void confinement_enter(const struct setup *setup) {
    char text[SANDBOX_TEXT_MAX];
    struct sandbox sandbox = {.memory = sandbox_hide()};
    if (!starts_programs(setup)) sandbox = enter();
    sandbox_print(&sandbox, text);
    log_info("sandbox", "%s", text);
}
